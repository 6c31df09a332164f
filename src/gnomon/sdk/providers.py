"""Provider packages that are installed: what each says it brings."""

from __future__ import annotations

import functools
import logging
from typing import Any

from gnomon.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

#: Connection types whose hooks are part of Gnomon.
_OWN_HOOKS = {
    "fs": "gnomon.sdk.standard.hooks.FSHook",
    "package_index": "gnomon.sdk.standard.hooks.PackageIndexHook",
}


@functools.cache
def provider_infos() -> dict[str, dict[str, Any]]:
    """Return what each installed provider says of itself, by package name."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, Any]] = {}
    for entry in entry_points(group="apache_airflow_provider"):
        try:
            info = entry.load()()
        except Exception:
            log.exception("Cannot read what the provider %s brings", entry.value)
            continue
        found[info.get("package-name", entry.value)] = info
    return found


@functools.cache
def _hook_paths() -> dict[str, str]:
    paths = dict(_OWN_HOOKS)
    for info in provider_infos().values():
        for entry in info.get("connection-types", ()):
            paths[entry["connection-type"]] = entry["hook-class-name"]
    return paths


def hook_class_of(conn_type: str | None) -> tuple[type, str]:
    """Return (class, name of the argument that takes the conn_id) of the hook for a connection type.

    Raises:
        AirflowException: no installed provider has one.
    """
    from gnomon.sdk.runtime.values import import_string

    path = _hook_paths().get(conn_type or "")
    if path is None:
        raise AirflowException(f'Unknown hook type "{conn_type}"')
    cls = import_string(path)
    return cls, getattr(cls, "conn_name_attr", "conn_id")
