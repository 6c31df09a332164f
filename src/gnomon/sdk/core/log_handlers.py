"""Handlers of `logging` for the logs of tasks, as providers subclass them to keep logs elsewhere.

Gnomon's worker writes the logs of its tasks itself (`gnomon.worker.logs`). These classes are what a provider's handler
is made of: they write one file per try, in the same layout, and read it back.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum, StrEnum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any, NotRequired, TypeAlias, TypedDict

from pydantic import BaseModel, ConfigDict

from gnomon.sdk.configuration import conf
from gnomon.sdk.legacy import merge_dicts
from gnomon.service import task_logs

LogMessages: TypeAlias = list[str]
LogSourceInfo: TypeAlias = list[str]
LogResponse: TypeAlias = tuple[LogSourceInfo, LogMessages | None]
RawLogStream: TypeAlias = Iterator[str]
StreamingLogResponse: TypeAlias = tuple[LogSourceInfo, list[RawLogStream]]


class LogMetadata(TypedDict):
    """How far a reader of a log is."""

    end_of_log: bool
    log_pos: NotRequired[int]
    offset: NotRequired[str | int]
    last_log_timestamp: NotRequired[str]
    max_offset: NotRequired[str]


class LogType(StrEnum):
    """What wrote a log."""

    TRIGGER = "trigger"
    WORKER = "worker"


class SetContextPropagate(Enum):
    """What a handler's `set_context` may answer."""

    MAINTAIN_PROPAGATE = "maintain"
    DISABLE_PROPAGATE = "disable"


class StructuredLogMessage(BaseModel):
    """A line of a log; what else it has becomes an attribute."""

    model_config = ConfigDict(cache_strings=False, extra="allow")

    timestamp: datetime | None = None
    event: str

    def __lt__(self, other: StructuredLogMessage) -> bool:
        return self.sort_key < other.sort_key

    @property
    def sort_key(self) -> float:
        """When it was written; lines without a time come first."""
        return self.timestamp.timestamp() if self.timestamp else 0.0


class NonCachingFileHandler(logging.FileHandler):
    """A file handler whose file does not stay in the kernel's cache."""

    def _open(self) -> Any:
        return make_file_io_non_caching(super()._open())


class NonCachingRotatingFileHandler(RotatingFileHandler):
    """A rotating file handler whose files do not stay in the kernel's cache."""

    def _open(self) -> Any:
        return make_file_io_non_caching(super()._open())


def make_file_io_non_caching(io: IO[str]) -> IO[str]:
    """Tell the kernel that what is written will not be read soon."""
    try:
        os.posix_fadvise(io.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except (AttributeError, OSError):
        pass  # advice is all it is
    return io


class FileTaskHandler(logging.Handler):
    """Writes the log of one try to a file below a folder, and reads it.

    Args:
        base_log_folder: the folder.
        max_bytes: when to begin a new file; 0 for never.
        backup_count: how many old files stay.
        delay: open the file with the first line.
    """

    trigger_should_wrap = True

    def __init__(
        self, base_log_folder: str, max_bytes: int = 0, backup_count: int = 0, delay: bool = False, **_: Any
    ) -> None:
        super().__init__()
        self.handler: logging.Handler | None = None
        self.local_base = base_log_folder
        self.max_bytes, self.backup_count, self.delay = max_bytes, backup_count, delay
        self.maintain_propagate = False
        self.ctx_task_deferred = False

    def set_context(self, ti: Any, *, identifier: str | None = None) -> SetContextPropagate | None:
        """Write to the file of this try from now on."""
        path = Path(self.local_base, self._render_filename(ti, ti.try_number))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.handler = NonCachingRotatingFileHandler(
            path, encoding="utf-8", maxBytes=self.max_bytes, backupCount=self.backup_count, delay=self.delay
        )
        if self.formatter is not None:
            self.handler.setFormatter(self.formatter)
        self.handler.setLevel(self.level)
        return SetContextPropagate.MAINTAIN_PROPAGATE if self.maintain_propagate else None

    @staticmethod
    def add_triggerer_suffix(full_path: str, job_id: Any = None) -> str:
        """Return the path of the log that a triggerer writes for a try."""
        return f"{full_path}.trigger.{job_id}.log" if job_id else f"{full_path}.trigger"

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if self.handler is not None:
            self.handler.emit(record)

    def flush(self) -> None:
        """Write what waits."""
        if self.handler is not None:
            self.handler.flush()

    def close(self) -> None:
        """Close the file."""
        if self.handler is not None:
            self.handler.close()
        super().close()

    def _render_filename(self, ti: Any, try_number: int, *_: Any) -> str:
        path = task_logs.try_log_path(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, try_number, folder="")
        return path.lstrip("/")

    def read(
        self, task_instance: Any, try_number: int | None = None, metadata: Any = None
    ) -> tuple[Iterator[StructuredLogMessage], LogMetadata]:
        """Return (lines, how far they go) of a try; of the last one without `try_number`."""
        number = task_instance.try_number if try_number is None else try_number
        if number < 1:
            lines: Any = [StructuredLogMessage(event=f"Error fetching the logs. Try number {number} is invalid.")]
            return iter(lines), {"end_of_log": True, "log_pos": 1}
        lines, position = self._read(task_instance, number, metadata)
        if isinstance(lines, str):
            lines = lines.splitlines()
        return (
            (line if isinstance(line, StructuredLogMessage) else StructuredLogMessage(event=line) for line in lines),
            position,
        )

    def _read(self, ti: Any, try_number: int, metadata: Any = None) -> tuple[Any, LogMetadata]:
        where, lines = self._read_from_local(Path(self.local_base, self._render_filename(ti, try_number)))
        if not lines:
            try:
                where, found = self._read_remote_logs(ti, try_number, metadata)
            except NotImplementedError:
                found = None
            lines = [line for text in found or () for line in text.splitlines()]
        messages = [StructuredLogMessage.model_validate(task_logs.parse(line.encode())) for line in lines]
        header = [
            StructuredLogMessage.model_validate({"event": "::group::Log message source details", "sources": where})
        ]
        ended = str(getattr(ti, "state", None)) not in ("running", "deferred")
        return [*header, StructuredLogMessage(event="::endgroup::"), *messages], {
            "end_of_log": ended,
            "log_pos": len(messages),
        }

    @staticmethod
    def _read_from_local(worker_log_path: Path) -> tuple[LogSourceInfo, list[str]]:
        paths = sorted(worker_log_path.parent.glob(worker_log_path.name + "*"))
        return [os.fspath(path) for path in paths], [
            line for path in paths for line in path.read_text("utf-8", "replace").splitlines()
        ]

    def _read_remote_logs(self, ti: Any, try_number: int, metadata: Any = None) -> Any:
        raise NotImplementedError


class TaskHandlerWithCustomFormatter(logging.StreamHandler):
    """Writes to a stream with a prefix that may name the task: `{{ ti.dag_id }}-{{ ti.task_id }}`."""

    prefix_jinja_template: Any = None

    def set_context(self, ti: Any) -> None:
        """Put the task's prefix in front of the format."""
        if getattr(ti, "raw", False) or self.formatter is None or self.prefix_jinja_template is not None:
            return
        prefix = conf.get("logging", "task_log_prefix_template", fallback="") or ""
        if not prefix:
            return
        from gnomon.sdk.templating import environment

        self.prefix_jinja_template = environment().from_string(prefix)
        shown = self.prefix_jinja_template.render(ti=ti, try_number=getattr(ti, "try_number", 1))
        self.setFormatter(logging.Formatter(f"{shown}:{self.formatter._fmt}"))


class JSONFormatter(logging.Formatter):
    """Writes records as JSON.

    Args:
        json_fields: the attributes of a record that are written.
        extras: what every line has besides.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Any = "%",
        json_fields: Iterable[str] | None = None,
        extras: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(fmt, datefmt, style)
        self.json_fields = list(json_fields or ())
        self.extras = extras or {}

    def usesTime(self) -> bool:
        """Tell whether the time is written."""
        return "asctime" in self.json_fields

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as JSON."""
        super().format(record)
        values: dict[str, Any] = {name: getattr(record, name, None) for name in self.json_fields}
        if "message" in values:
            stack = self.formatStack(record.stack_info) if record.stack_info else None
            parts = [str(values["message"]).removesuffix("\n"), record.exc_text, stack]
            values["message"] = "\n".join(part for part in parts if part)
        return json.dumps(merge_dicts(values, self.extras))


class TimezoneAware(logging.Formatter):
    """Writes times with their offset: 2024-01-01T00:00:00.000+0000."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03d"
    default_tz_format = "%z"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the time of a record."""
        moment = datetime.fromtimestamp(record.created, tz=UTC).astimezone()
        text = moment.strftime(datefmt or self.default_time_format)
        return text if datefmt else f"{self.default_msec_format % (text, record.msecs)}{moment:%z}"


class CustomTTYColoredFormatter(TimezoneAware):
    """The formatter of Airflow's console; here it writes no colours."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None, style: Any = "%", **_: Any) -> None:
        super().__init__(fmt.replace("%(log_color)s", "").replace("%(reset)s", "") if fmt else fmt, datefmt, style)
