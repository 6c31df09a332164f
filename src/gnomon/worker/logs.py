"""The log of a try, as its process writes it: one unbuffered append per line, so kill -9 loses nothing.

Everything is set up once, in the base process: the handler of the root logger and the replacements of `sys.stdout` and
`sys.stderr`. They drop what comes before `open_log` (an import prints the same for every task), which costs a task
one `open`. What does not go through Python, the output of a subprocess for example, reaches the same file through the
template (`RawOutput`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO, cast

import msgspec

from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.masking import masker

#: A raw line longer than this is cut in two.
MAX_RAW_LINE = 1 << 16
#: A traceback of more frames (a runaway recursion) is shown by its ends.
_MAX_FRAMES = 50

_encode = msgspec.json.Encoder(enc_hook=str).encode
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC

#: The log of the try that this process runs; None while it runs none.
_fd: int | None = None
#: whether logs go elsewhere at the end of a try
kept_elsewhere = False


def open_append(path: str) -> int:
    """Open a log for appending, with the folders on the way to it; returns the descriptor."""
    try:
        return os.open(path, _FLAGS, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, _FLAGS, 0o644)


def make_file(path: str) -> None:
    """Make a log and its folders for a process that will open it."""
    try:
        os.close(open_append(path))
    except OSError:
        pass  # the process finds the same, and can report it


def open_log(path: str) -> None:
    """Send everything that this process logs and prints to `path` from now on."""
    global _fd
    close_log()
    _fd = open_append(path)


def close_log() -> None:
    """End the log of a try; what is printed afterwards is dropped."""
    global _fd
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.end_line()
    if _fd is not None:
        fd, _fd = _fd, None
        os.close(fd)


def _line(entry: dict[str, Any]) -> bytes:
    try:
        return _encode(entry) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, from a file name for example
        return _encode({key: _clean(value) for key, value in entry.items()}) + b"\n"


def _clean(value: Any) -> Any:
    return (value if isinstance(value, str) else repr(value)).encode("utf-8", "backslashreplace").decode()


def line(event: str, *, level: str, logger: str, **more: Any) -> bytes:
    """Return one line of a log, masked."""
    entry = {"timestamp": _timestamp(clock.now_us()), "level": level, "event": masker.redact(event), "logger": logger}
    if more:
        entry.update({key: masker.redact(value) for key, value in more.items()})
    return _line(entry)


def say(event: str, logger: str = "airflow.task") -> bool:
    """Write one line of level info into the open log; False if none is open.

    What each try says twice: through `logging` that would touch a hundred more pages that a fork shares.
    """
    if _fd is None:
        return False
    if logging.root.level <= logging.INFO:
        os.write(_fd, line(event, level="info", logger=logger))
    return True


def append(path: str, event: str, *, level: str = "error", logger: str = "task") -> None:
    """Write one line into the log at `path`, from outside the process of the try."""
    fd = open_append(path)
    try:
        os.write(fd, line(event, level=level, logger=logger))
    finally:
        os.close(fd)


def install() -> None:
    """Make logging, `print` and warnings of this process and its forks write to the log of the try."""
    global kept_elsewhere
    kept_elsewhere = conf.getboolean("logging", "remote_logging", fallback=False)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(TaskLogHandler())
    root.setLevel(_level())
    logging.captureWarnings(True)
    sys.stdout = cast(TextIO, LogStream("task.stdout", "info", 1))
    sys.stderr = cast(TextIO, LogStream("task.stderr", "error", 2))
    sys.excepthook = _report_fault


class _NoLock:
    def acquire(self) -> None: ...
    def release(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


class TaskLogHandler(logging.Handler):
    """Writes log records as JSON lines."""

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """Use no lock: a line is one write, and a lock could be held by another thread at a fork."""
        self.lock = cast(Any, _NoLock())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        fd = _fd
        if fd is None:
            return
        try:
            entry: dict[str, Any] = {
                "timestamp": _timestamp(int(record.created * 1e6)),
                "level": _LEVELS.get(record.levelno) or record.levelname.lower(),
                "event": masker.redact(record.getMessage()),
                "logger": record.name,
                "filename": record.filename,
                "lineno": record.lineno,
            }
            if record.exc_info and record.exc_info[1] is not None:
                entry["error_detail"] = masker.redact(error_detail(record.exc_info[1]))
            if record.stack_info:
                entry["stack"] = masker.redact(record.stack_info)
            os.write(fd, _line(entry))
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say in the log itself that a record could not be written, and why; a task never fails by its logging."""
        error = sys.exc_info()[1]
        try:
            if _fd is not None:
                event = f"a log record of {record.name} (line {record.lineno} of {record.filename}) failed: {error!r}"
                os.write(_fd, line(event, level="error", logger=record.name))
        except OSError:
            pass


class LogStream(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`: each line printed becomes a line of the log."""

    def __init__(self, logger: str, level: str, fd: int) -> None:
        self._logger = logger
        self._level = level
        self._raw_fd = fd
        self._begun = ""
        self._buffer: io.FileIO | None = None

    @property
    def buffer(self) -> io.FileIO:
        """The stream of bytes below; what is written there arrives as raw output."""
        if self._buffer is None:
            self._buffer = io.FileIO(self._raw_fd, "wb", closefd=False)
        return self._buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    @property
    def name(self) -> str:
        return f"<{self._logger}>"

    def fileno(self) -> int:
        """Return the descriptor that subprocesses write to."""
        return self._raw_fd

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        """Take text; complete lines go to the log at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if "\n" not in text:
            self._begun += text
            return len(text)
        *lines, self._begun = (self._begun + text).split("\n")
        self._log("\n".join(lines))
        return len(text)

    def flush(self) -> None:
        """Do nothing: complete lines are written already, and half a line waits for its end."""

    def end_line(self) -> None:
        """Write the line that has not been ended."""
        if self._begun:
            text, self._begun = self._begun, ""
            self._log(text)

    def _log(self, text: str) -> None:
        fd = _fd
        if fd is None:
            return
        stamp = _timestamp(clock.now_us())
        # Masked before it is cut into lines, because a secret may have several.
        lines = [
            _line({"timestamp": stamp, "level": self._level, "event": part, "logger": self._logger})
            for part in masker.redact(text).split("\n")
        ]
        with contextlib.suppress(OSError):  # a full disk must not fail the task
            os.write(fd, b"".join(lines))


class RawOutput:
    """What a process writes to its descriptors 1 and 2, turned into lines of the log at `path`."""

    __slots__ = ("_begun", "_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._begun = b""
        self._fd: int | None = None

    def redirect(self, path: str) -> None:
        """Write to the log at `path` from now on; nothing happens if that is so already."""
        if path != self.path:
            self.end()
            self.path = path

    def feed(self, data: bytes) -> None:
        """Write the lines that `data` completes."""
        text, newline, rest = (self._begun + data).rpartition(b"\n")
        if not newline and len(rest) > MAX_RAW_LINE:
            text, rest = rest, b""
        self._begun = rest
        if text or newline:
            self._write(text)

    def end(self) -> None:
        """Write what is left and close the file."""
        if self._begun:
            text, self._begun = self._begun, b""
            self._write(text)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, data: bytes) -> None:
        stamp = _timestamp(clock.now_us())
        text = masker.redact(data.decode("utf-8", "backslashreplace"))
        lines = [
            _line({"timestamp": stamp, "level": "info", "event": part.rstrip("\r"), "logger": "task.stdout"})
            for part in text.split("\n")
        ]
        try:
            if self._fd is None and not self.path:
                return  # a runner that has had no task yet
            if self._fd is None:
                self._fd = open_append(self.path)
            os.write(self._fd, b"".join(lines))
        except OSError:
            pass  # a full disk must not end the template


def _report_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what ends this process where somebody sees it: in the log of the try, or else in the worker's."""
    traceback.print_exception(kind, error, trace, file=sys.__stderr__ if _fd is None else sys.stderr)


def error_detail(error: BaseException) -> list[dict[str, Any]]:
    """Return an exception and what led to it as data, in the form that Airflow's log viewers show."""
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    is_cause = False
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        chain.append(
            {
                "exc_type": type(current).__name__,
                "exc_value": str(current),
                "exc_notes": [str(note) for note in getattr(current, "__notes__", ())],
                "syntax_error": None,
                "is_cause": is_cause,
                "frames": _frames(current.__traceback__),
            }
        )
        is_cause = current.__cause__ is not None
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    frames = [
        {"filename": frame.f_code.co_filename, "lineno": lineno, "name": frame.f_code.co_name}
        for frame, lineno in traceback.walk_tb(trace)
    ]
    if len(frames) > _MAX_FRAMES:
        frames[_MAX_FRAMES // 2 : -_MAX_FRAMES // 2] = []
    return frames


def _timestamp(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _level() -> int:
    name = str(conf.get("logging", "logging_level", fallback="INFO")).upper()
    level = logging.getLevelNamesMapping().get(name)
    return logging.INFO if level is None else level
