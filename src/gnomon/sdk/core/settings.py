"""`airflow.settings`: where things are, and what has no meaning without a database connection of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gnomon.sdk.configuration import conf
from gnomon.service.home import airflow_home

#: There is no engine and no session where user code runs.
engine: Any = None
async_engine: Any = None
AsyncSession: Any = None

KILOBYTE = 1024
MEGABYTE = KILOBYTE * KILOBYTE
WEB_COLORS = {"LIGHTBLUE": "#4d9de0", "LIGHTORANGE": "#FF9933"}
STATE_COLORS = {
    "deferred": "mediumpurple",
    "failed": "red",
    "queued": "gray",
    "removed": "lightgrey",
    "restarting": "violet",
    "running": "lime",
    "scheduled": "tan",
    "skipped": "hotpink",
    "success": "green",
    "up_for_reschedule": "turquoise",
    "up_for_retry": "gold",
    "upstream_failed": "orange",
    "shutdown": "blue",
}

_FOLDERS = {"DAGS_FOLDER": "dags_folder", "PLUGINS_FOLDER": "plugins_folder"}
_TEXTS = {
    "LOG_FORMAT": ("logging", "log_format"),
    "SIMPLE_LOG_FORMAT": ("logging", "simple_log_format"),
    "LOGGING_LEVEL": ("logging", "logging_level"),
    "DAEMON_UMASK": ("core", "daemon_umask"),
    "EXECUTE_TASKS_NEW_PYTHON_INTERPRETER": ("core", "execute_tasks_new_python_interpreter"),
}


def __getattr__(name: str) -> Any:
    """Return what is a setting at present."""
    if name == "AIRFLOW_HOME":
        return str(airflow_home())
    if name in _FOLDERS:
        return os.path.expanduser(conf.get("core", _FOLDERS[name]))
    if name in _TEXTS:
        return conf.get(*_TEXTS[name], fallback=None)
    if name == "MASK_SECRETS_IN_LOGS":
        return True
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def initialize() -> None:
    """Do nothing: settings are read when they are asked for."""


def configure_orm(disable_connection_pool: bool = False, pool_class: Any = None) -> None:
    """Do nothing: user code has no database connection that could be configured."""


def reconfigure_orm(disable_connection_pool: bool = False, pool_class: Any = None) -> None:
    """Do nothing, like `configure_orm`."""


def dispose_orm(do_log: bool = True) -> None:
    """Do nothing: there is no connection that could be closed."""


def configure_vars() -> None:
    """Do nothing: settings are read when they are asked for."""


def providers_configuration_loaded(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function: the options of providers are known without being loaded."""
    return func
