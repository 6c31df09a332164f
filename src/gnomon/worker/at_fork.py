"""Forks of single-threaded processes, without what Python does after a fork for those that have threads.

After each fork `threading` and `logging` make their locks anew and `random` reseeds itself: 150 pages of memory, a fifth of
all that a task's process writes. Where there was one thread, no lock can be held by one that is gone, and the parent
can reseed for its child. Any other fork, by user code for example, is as Python has it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_STANDARD = ("threading", "logging", "random")
_register: Callable[..., None] = os.register_at_fork
#: whether the fork that happens now needs no help
_plain = False


def install() -> None:
    """Put the handlers of the standard library, which its modules register when they are imported, under our control."""
    os.register_at_fork = _register_guarded  # type: ignore[assignment]


def fork() -> int:
    """Fork like `os.fork`; a process with one thread gets the shorter way."""
    global _plain
    modules = sys.modules
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:  # two tasks must not draw the same from it either, and it has no handler
        modules["numpy.random"].seed()
    _plain = len(modules["threading"]._active) == 1
    try:
        return os.fork()
    finally:
        _plain = False


def _register_guarded(**handlers: Callable[[], Any]) -> None:
    if sys._getframe(1).f_globals.get("__name__") in _STANDARD:
        handlers = {moment: _guarded(handler) for moment, handler in handlers.items()}
    _register(**handlers)


def _guarded(handler: Callable[[], Any]) -> Callable[[], Any]:
    def unless_plain() -> None:
        if not _plain:
            handler()

    return unless_plain
