"""`self.log` for operators, hooks and triggers; masking of secrets in logs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_ESCAPE = re.compile(r"\x1B[@-_][0-?]*[ -/]*[@-~]")


#: Writes one line of level info into the log of the try, given the text and a logger's name; False if it did not.
#: The process of a try sets it: a record of `logging` touches a hundred pages more, which a fork then has to copy.
write_line: Callable[[str, str], bool] | None = None


def say(operator: Any, event: str) -> None:
    """Log what every try of an operator says."""
    kind = type(operator)
    name = operator._logger_name or f"airflow.task.operators.{kind.__module__}.{kind.__qualname__}"
    if write_line is None or not write_line(event, name):
        operator.log.info("%s", event)


class LoggingMixin:
    """Gives a class the property `log`: a logger named after the class."""

    _log: logging.Logger | None = None
    #: where the logger hangs; task logs are collected from "airflow.task"
    _log_config_logger_name: str | None = None
    _logger_name: str | None = None

    def __init__(self, context: Any = None) -> None:
        super().__init__()

    @classmethod
    def _logger_of(cls) -> logging.Logger:
        name = cls._logger_name if cls._logger_name is not None else f"{cls.__module__}.{cls.__qualname__}"
        parent = cls._log_config_logger_name
        return logging.getLogger(f"{parent}.{name}" if parent and name else parent or name)

    @classmethod
    def logger(cls) -> logging.Logger:
        """Return the logger of the class."""
        return cls._logger_of()

    @property
    def log(self) -> logging.Logger:
        """The logger of the class."""
        return self._logger_of()


class ExternalLoggingMixin(LoggingMixin):
    """For log handlers whose logs are read elsewhere."""

    @property
    def log_name(self) -> str:
        """The name of the service."""
        raise NotImplementedError

    def get_external_log_url(self, task_instance: Any, try_number: int) -> str:
        """Return where the log of a try is read."""
        raise NotImplementedError

    @property
    def supports_external_link(self) -> bool:
        """Whether there is such a place."""
        return False


class StreamLogWriter:
    """A file that writes each line to a logger."""

    encoding = "undefined"
    closed = False

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self.logger, self.level, self._buffer = logger, level, ""

    def write(self, message: str) -> None:
        """Log whole lines, keep the rest."""
        *lines, self._buffer = (self._buffer + message).split("\n")
        for line in lines:
            self.logger.log(self.level, remove_escape_codes(line).rstrip())

    def flush(self) -> None:
        """Log what is left."""
        rest, self._buffer = self._buffer, ""
        if rest:
            self.logger.log(self.level, remove_escape_codes(rest))

    def close(self) -> None:
        """Do nothing, as loggers stay open."""

    def isatty(self) -> bool:
        """Return False: it is no terminal."""
        return False


def remove_escape_codes(text: str) -> str:
    """Return text without the escape codes of terminals."""
    return _ESCAPE.sub("", text)


def mask_secret(secret: Any, name: str | None = None) -> None:
    """Hide a value, or the values of a dict or list, in everything that this task logs or shows.

    Args:
        secret: the value.
        name: under which name it is known; a dict's values are hidden if their names are those of secrets.
    """
    from gnomon.service.masking import masker

    if not secret:
        return
    if isinstance(secret, dict):
        for key, value in secret.items():
            mask_secret(value, key)
    elif isinstance(secret, (list, tuple, set)):
        for value in secret:
            mask_secret(value, name)
    elif isinstance(secret, str) and (name is None or masker.is_sensitive(name)):
        masker.add(secret)
        from gnomon.sdk.runtime.channel import get_channel

        if (channel := get_channel()) is not None:
            from gnomon.wire.execution import MaskSecret

            channel.tell(MaskSecret(value=secret, name=name))


def redact(value: T, name: str | None = None, max_depth: int | None = None) -> T:
    """Return `value` with what is secret replaced by ***."""
    from gnomon.service.masking import masker

    redacted: T = masker.redact(value, name)
    return redacted
