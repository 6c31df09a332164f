"""Task logs that are kept elsewhere: the store that the settings name, written from tasks and read for the API.

A store is what Airflow calls a RemoteLogIO: a class of a provider, chosen by the scheme of `[logging]
remote_base_log_folder`, or the REMOTE_TASK_LOG of one's own logging settings.
"""

from __future__ import annotations

import functools
import os
from types import SimpleNamespace
from typing import Any

from gnomon.sdk.exceptions import AirflowException
from gnomon.service import task_logs
from gnomon.service.config import conf


@functools.cache
def store() -> Any:
    """Return the store.

    Raises:
        AirflowException: there is none for the settings.
    """
    from gnomon.sdk.core.remote_logs import get_remote_task_log

    own = get_remote_task_log()
    if own is not None:
        return own
    folder = str(conf.get("logging", "remote_base_log_folder", fallback=None) or "")
    scheme = folder.partition("://")[0]
    if not folder:
        raise AirflowException("[logging] remote_logging is on, but remote_base_log_folder is not set")
    from gnomon.sdk.provider_registry import ProvidersManager
    from gnomon.sdk.runtime.values import import_string

    # wasb has names of accounts in its scheme
    known = ProvidersManager().remote_logging_handlers
    found = next((one for one in known if scheme == one.scheme or scheme.startswith(f"{one.scheme}-")), None)
    if found is None:
        raise AirflowException(
            f"[logging] remote_base_log_folder: no installed provider keeps logs at {scheme}://;"
            f" there is {', '.join(sorted(one.scheme for one in known)) or 'none at all'}"
        )
    kind = import_string(found.classpath)
    if not hasattr(kind, "from_config"):
        raise AirflowException(f"{found.classpath} of {found.package_name} cannot be made from the settings")
    return kind.from_config()


def upload(path: str, about: dict[str, Any]) -> None:
    """Copy a log to the store; the store decides whether the local one stays.

    Args:
        path: the local log.
        about: the task instance: dag_id, task_id, run_id, map_index, try_number.
    """
    store().upload(_relative(path), SimpleNamespace(**about))


def read(path: str, about: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return (where it looked, the logs that it found).

    Args:
        path: the local log.
        about: the task instance.
    """
    sources, logs = store().read(_relative(path), SimpleNamespace(**about))
    return list(sources or ()), [str(log) for log in logs or ()]


def url(about: dict[str, Any]) -> str | None:
    """Return where the log of a try can be read in a browser; None if the store has no such place.

    Args:
        about: the task instance, with its try_number.
    """
    for one in (store(), _own_handler()):
        if getattr(one, "supports_external_link", False):
            return str(one.get_external_log_url(SimpleNamespace(**about), about["try_number"]))
    return None


def _own_handler() -> Any:
    """Return the handler of task logs in one's own logging settings, made as `logging.config` would."""
    from gnomon.sdk.core.remote_logs import load_logging_config
    from gnomon.sdk.runtime.values import import_string

    settings = dict(load_logging_config()[0].get("handlers", {}).get("task", {}))
    kind = import_string(settings.pop("class", "logging.NullHandler"))
    if not hasattr(kind, "get_external_log_url"):
        return None
    return kind(**{name: value for name, value in settings.items() if name not in ("formatter", "filters", "level")})


def _relative(path: str) -> str:
    return os.path.relpath(path, task_logs.base_folder())
