"""Which remote store the settings name for the logs of tasks.

A provider's log handler tells `_ActiveLoggingConfig` where remote logs are; whoever reads them asks here.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Protocol

from gnomon.sdk.configuration import conf
from gnomon.service import task_logs

DEFAULT_LOGGING_CONFIG_PATH = "airflow.config_templates.airflow_local_settings.DEFAULT_LOGGING_CONFIG"


class RemoteLogIO(Protocol):
    """A remote store of logs."""

    #: what each line of a log goes through
    processors: tuple[Any, ...]

    def upload(self, path: str | os.PathLike[str], ti: Any) -> None:
        """Copy a log file to the store."""

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str] | None]:
        """Return (where it looked, the logs it found)."""


class RemoteLogStreamIO(RemoteLogIO, Protocol):
    """A remote store whose logs can be read line by line."""

    def stream(self, relative_path: str, ti: Any) -> tuple[list[str], list[Any]]:
        """Return (where it looked, the lines of each log it found)."""


class _ActiveLoggingConfig:
    logging_config_loaded: bool = False
    remote_task_log: Any = None
    default_remote_conn_id: str | None = None

    @classmethod
    def set(cls, remote_task_log: Any, default_remote_conn_id: str | None) -> None:
        cls.remote_task_log, cls.default_remote_conn_id = remote_task_log, default_remote_conn_id
        cls.logging_config_loaded = True


def get_remote_task_log() -> Any:
    """Return the remote store of logs, or None: that of [logging] logging_config_class, if it names one."""
    if not _ActiveLoggingConfig.logging_config_loaded:
        load_logging_config()
    return _ActiveLoggingConfig.remote_task_log


def get_default_remote_conn_id() -> str | None:
    """Return the connection of the remote store."""
    configured: str | None = conf.get("logging", "remote_log_conn_id", fallback=None)
    return configured or _ActiveLoggingConfig.default_remote_conn_id


def load_logging_config() -> tuple[dict[str, Any], str]:
    """Return (the logging settings as a dict, the path of that dict) and note the remote store beside it.

    Raises:
        ImportError: [logging] logging_config_class names nothing that can be used.
    """
    from importlib import import_module

    from gnomon.sdk.runtime.values import import_string

    path = conf.get("logging", "logging_config_class", fallback=None) or DEFAULT_LOGGING_CONFIG_PATH
    if path == DEFAULT_LOGGING_CONFIG_PATH:
        _ActiveLoggingConfig.set(None, None)
        return default_logging_config(), path
    try:
        config = import_string(path)
    except Exception as error:
        raise ImportError(f"[logging] logging_config_class: {path} cannot be imported: {error}") from error
    if not isinstance(config, dict):
        raise ImportError(f"[logging] logging_config_class: {path} is no dict")
    module = import_module(path.rpartition(".")[0])
    _ActiveLoggingConfig.set(getattr(module, "REMOTE_TASK_LOG", None), getattr(module, "DEFAULT_REMOTE_CONN_ID", None))
    return config, path


def default_logging_config() -> dict[str, Any]:
    """Return logging settings that write everything to the console, as a dict to start one's own from."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "airflow": {"format": conf.get("logging", "log_format", fallback="%(asctime)s %(levelname)s - %(message)s")}
        },
        "filters": {},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "airflow", "stream": "ext://sys.stdout"},
            "task": {
                "class": "airflow.utils.log.file_task_handler.FileTaskHandler",
                "formatter": "airflow",
                "base_log_folder": task_logs.base_folder(),
            },
        },
        "loggers": {
            "airflow.task": {"handlers": ["task"], "level": "INFO", "propagate": True, "filters": []},
            "flask_appbuilder": {"handlers": ["console"], "level": "WARNING", "propagate": True},
        },
        "root": {"handlers": ["console"], "level": conf.get("logging", "logging_level", fallback="INFO")},
    }


def configure_logging(*_: Any, **__: Any) -> str:
    """Apply the logging settings of [logging] logging_config_class, if it names any; return their path.

    What tasks log goes to the task's log in any case.
    """
    config, path = load_logging_config()
    if path != DEFAULT_LOGGING_CONFIG_PATH:
        import logging.config

        logging.config.dictConfig(config)
    return path


def relative_path_from_logger(logger: Any) -> Path | None:
    """Return where a logger's file is below the folder of logs; None if it writes to no file there."""
    while logger is not None and not getattr(logger, "handlers", None):
        logger = getattr(logger, "parent", None)
    for handler in getattr(logger, "handlers", ()):
        if isinstance(handler, logging.FileHandler):
            path, base = Path(handler.baseFilename), Path(task_logs.base_folder())
            return path.relative_to(base) if path.is_relative_to(base) else path
    return None


def __getattr__(name: str) -> Any:
    """Return the names of `airflow_local_settings`, which are settings."""
    if name == "DEFAULT_LOGGING_CONFIG":
        return default_logging_config()
    if name == "REMOTE_TASK_LOG":
        return get_remote_task_log()
    if name == "BASE_LOG_FOLDER":
        return task_logs.base_folder()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
