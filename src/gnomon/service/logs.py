"""Logs of the services: short lines on the console, JSON when `[logging] json_logs` says so. Secrets are masked.

User code logs elsewhere (`gnomon.worker`): these lines are about the orchestrator.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

from gnomon.service.config import ConfigError, conf
from gnomon.service.masking import masker

if TYPE_CHECKING:
    import structlog
    from structlog.typing import EventDict, Processor

_WIDTH = len("dag-processor")
_LOUD = {"warning", "error", "critical", "exception"}
#: Libraries that are talkative at INFO; their warnings still come through.
_QUIET = ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy", "uvicorn.access", "watchfiles")


def import_structlog() -> None:
    """Import structlog without Rich, with which it would draw tracebacks: 5 MB and 50 ms, for logs of services."""
    if "structlog" not in sys.modules and "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]
        try:
            import structlog  # noqa: F401
        finally:
            del sys.modules["rich"]


def configure(component: str, *, stream: TextIO | None = None) -> None:
    """Send this process's logs, structlog's and the standard library's, to `stream`, marked with `component`.

    Args:
        component: for example `scheduler`; the first column of each line.
        stream: standard error unless given.

    Raises:
        ConfigError: `[logging] logging_level` is no level.
    """
    import_structlog()
    import structlog

    out = stream or sys.stderr
    as_json = conf.getboolean("logging", "json_logs", fallback=False)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        _Named(component),
        _mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    render: Processor = structlog.processors.JSONRenderer() if as_json else ConsoleLine(colors=_wants_colors(out))
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_level())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return structlog's logger of this name; it may be taken before `configure`."""
    import structlog

    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


class ConsoleLine:
    """Renders `component | message key=value`; a level is named only when somebody should look."""

    def __init__(self, *, colors: bool = False) -> None:
        self._colors = colors

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        """Return one event as a line, with a traceback below it if there is one."""
        component = str(event.pop("component", ""))
        level = str(event.pop("level", "info"))
        message = str(event.pop("event", ""))
        trouble = event.pop("exception", None)
        for unused in ("timestamp", "logger", "exc_info", "stack_info"):
            event.pop(unused, None)
        if level in _LOUD:
            message = f"{level}: {message}"
        head = f"{component:<{_WIDTH}} |"
        if self._colors:
            head = f"\x1b[2m{head}\x1b[0m"
            message = _colored(level, message)
        pairs = [f"{key}={_shown(value)}" for key, value in event.items()]
        line = " ".join([head, message, *pairs])
        return line if not trouble else "\n".join([line, *(f"{head}   {part}" for part in str(trouble).splitlines())])


class _Named:
    def __init__(self, component: str) -> None:
        self._component = component

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        event.setdefault("component", self._component)
        return event


def _mask(logger: Any, method: str, event: EventDict) -> EventDict:
    # structlog keeps its own notes under names with an underscore; they hold objects, not text.
    return {key: value if key.startswith("_") else masker.redact(value, key) for key, value in event.items()}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if not text or any(mark in text for mark in ' "=\n') else text


def _colored(level: str, text: str) -> str:
    code = {"warning": "33", "error": "31", "critical": "31;1", "exception": "31", "debug": "2"}.get(level)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _wants_colors(stream: TextIO) -> bool:
    return stream.isatty() and conf.getboolean("logging", "colored_console_log", fallback=True)


def _level() -> int:
    name = str(conf.get("logging", "logging_level", fallback="INFO")).strip().upper()
    levels = logging.getLevelNamesMapping()
    if name not in levels:
        setting = conf.lookup("logging", "logging_level")
        raise ConfigError(
            f"[logging] logging_level: {name!r} is none of {', '.join(sorted(levels))};"
            f" it comes from {setting.source if setting else 'the default'}"
        )
    return levels[name]
