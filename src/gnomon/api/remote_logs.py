"""Logs of tries that are kept elsewhere, read by a process of user code."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import msgspec

from gnomon.service import task_logs
from gnomon.service.config import conf
from gnomon.service.inspection import InspectionError, inspect
from gnomon.store.engine import Store

#: Logs of tries that are over do not change any more; so many are remembered.
_REMEMBERED = 32
_known: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
_lock = threading.Lock()


def are_wanted() -> bool:
    """Return whether logs are kept elsewhere: `[logging] remote_logging`."""
    return conf.getboolean("logging", "remote_logging", fallback=False)


def url(about: dict[str, Any]) -> str | None:
    """Return where the log of a try is read in a browser; None where there is no such page.

    Raises:
        InspectionError: whoever keeps the logs could not be asked.
    """
    found: str | None = inspect("log-url", about, seconds=60.0)["url"]
    return found


def read(store: Store, path: str, about: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of a try that is over; if they cannot be read, one line that says why.

    Args:
        store: has the connection to the place.
        path: where the log is, or would be, on this machine.
        about: the task instance.
    """
    with _lock:
        if path in _known:
            _known.move_to_end(path)
            return _known[path]
    conn_id = conf.get("logging", "remote_log_conn_id", fallback=None)
    connection = store.connections.get(conn_id) if conn_id else None
    question = {
        "path": path,
        "ti": about,
        "connection": None if connection is None else msgspec.structs.asdict(connection),
    }
    try:
        found = inspect("read-log", question, seconds=60.0)
    except InspectionError as error:
        return [{"event": f"The log that is kept elsewhere cannot be read: {error}", "level": "error"}]
    lines = [task_logs.parse(line.encode()) for log in found["logs"] for line in log.splitlines() if line.strip()]
    if lines:
        with _lock:
            _known[path] = lines
            while len(_known) > _REMEMBERED:
                _known.popitem(last=False)
    return lines
