"""Ends a try from outside its code: SIGTERM, and the alarm of `execution_timeout`.

Handlers run `on_kill` first, because unwinding may wait for what only `on_kill` ends (a subprocess), and then raise in
the main thread, unless the channel is in the middle of a message: then it raises right after.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from gnomon.sdk.exceptions import AirflowTaskTerminated, AirflowTaskTimeout
from gnomon.sdk.runtime.channel import TaskChannel

log = logging.getLogger("airflow.task")
_SIGTERM = int(signal.SIGTERM)


class Interruptions:
    """What can end the try that runs in this process."""

    def __init__(self, channel: TaskChannel, on_kill: Callable[[], None]) -> None:
        self._channel = channel
        self._on_kill = on_kill
        self._pid = os.getpid()
        self._killed = False
        self._previous: Any = None
        self.terminated = False
        #: set while the outcome is being reported: it is decided, and must not get lost
        self.deaf = False

    def __enter__(self) -> Self:
        if _in_main_thread():
            self._previous = _signal.signal(_SIGTERM, self._terminate)
        return self

    def __exit__(self, *_: object) -> None:
        if _in_main_thread():
            _signal.signal(_SIGTERM, self._previous)

    def kill(self) -> None:
        """Call `on_kill`, once."""
        if self._killed:
            return
        self._killed = True
        try:
            self._on_kill()
        except Exception:
            log.exception("on_kill failed")

    def _terminate(self, number: int, frame: Any) -> None:
        if os.getpid() != self._pid:  # a process that the task has forked: SIGTERM means to it what it always means
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if self.terminated or self.deaf:
            return
        self.terminated = True
        log.warning("Task received SIGTERM; ending it")
        self._interrupt(AirflowTaskTerminated("the task was told to end (SIGTERM)"))

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Raise AirflowTaskTimeout in the block once it has run for `seconds`."""
        if seconds <= 0:
            self.kill()
            raise AirflowTaskTimeout("execution_timeout was over before the task began")
        if not _in_main_thread():
            log.warning("execution_timeout needs the main thread; the task runs without a time limit")
            yield
            return

        def expire(number: int, frame: Any) -> None:
            if os.getpid() == self._pid:
                log.error("Task ran longer than its execution_timeout of %g s", seconds)
                self._interrupt(AirflowTaskTimeout(f"the task ran longer than its execution_timeout of {seconds:g} s"))

        previous = signal.signal(signal.SIGALRM, expire)
        remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            if remaining:  # somebody else's alarm goes on
                signal.setitimer(signal.ITIMER_REAL, remaining, interval)

    def _interrupt(self, error: BaseException) -> None:
        if not self._channel.busy():
            self.kill()
        self._channel.interrupt(error)


def _in_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident
