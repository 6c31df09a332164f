"""Sends what a trigger logs and prints to the log of the try that waits for it."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextvars import ContextVar
from typing import Any, NamedTuple, TextIO, cast

from gnomon.worker import logs


class _Current(NamedTuple):
    id: int
    path: str | None


_current: ContextVar[_Current | None] = ContextVar("trigger", default=None)
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


def enter(trigger_id: int, path: str | None) -> None:
    """Make this asyncio task, and the threads it starts, write to `path`."""
    _current.set(_Current(trigger_id, path))


def current_id() -> int:
    """Return the number of the trigger that runs here; 0 outside of all."""
    current = _current.get()
    return current.id if current is not None else 0


def install() -> None:
    """Take over logging, standard output and standard error of this process."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(_Handler())
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.stdout = cast(TextIO, _Stream("trigger.stdout", "info", sys.stdout))
    sys.stderr = cast(TextIO, _Stream("trigger.stderr", "error", sys.stderr))


def write(path: str, event: str, *, level: str, logger: str) -> None:
    """Append one line to a log."""
    try:
        descriptor = logs.open_append(path)
    except OSError:
        return  # a full disk must not end the trigger
    try:
        os.write(descriptor, logs.line(event, level=level, logger=logger))
    finally:
        os.close(descriptor)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            current = _current.get()
            if current is not None and current.path is not None:
                write(current.path, text, level=_LEVELS.get(record.levelno, "info"), logger=record.name)
            else:
                os.write(2, f"{record.levelname} {record.name}: {text}\n".encode("utf-8", "backslashreplace"))
        except Exception:
            self.handleError(record)


class _Stream(io.TextIOBase):
    def __init__(self, name: str, level: str, original: Any) -> None:
        self._name, self._level, self._original = name, level, original
        self._begun: dict[int, str] = {}

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._original.fileno()
        return number

    def write(self, text: str) -> int:
        current = _current.get()
        if current is None or current.path is None:
            self._original.write(text)
            return len(text)
        *lines, rest = (self._begun.pop(current.id, "") + text).split("\n")
        for line in lines:
            write(current.path, line, level=self._level, logger=self._name)
        if rest:
            self._begun[current.id] = rest
        return len(text)

    def flush(self) -> None:
        self._original.flush()
