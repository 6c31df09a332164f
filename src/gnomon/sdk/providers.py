"""Provider packages that are installed: what each says it brings."""

from __future__ import annotations

import functools
import logging
from typing import Any

from gnomon.sdk.exceptions import AirflowException
from gnomon.service.entry_points import entry_points

log = logging.getLogger(__name__)

_STANDARD = "apache-airflow-providers-standard"


class Provider(dict[str, Any]):
    """What a provider says of itself, with the version and the text of its package."""

    version = ""
    summary = ""
    documentation_url: str | None = None

    @property
    def name(self) -> str:
        """The name of its package."""
        return str(self["package-name"])


@functools.cache
def provider_infos() -> dict[str, Provider]:
    """Return what each installed provider says of itself, by package name and in that order."""
    found: dict[str, Provider] = {}
    for entry in entry_points("apache_airflow_provider"):
        package = entry.distribution
        try:
            info = Provider(entry.load()())
        except Exception:
            log.exception("Cannot read what the provider %s brings", package.name)
            continue
        info.setdefault("package-name", package.name)
        info.version = package.version
        info.summary = package.summary
        info.documentation_url = info.get("documentation-url") or package.urls.get("Documentation")
        found[info.name] = info
    if _STANDARD not in found:
        found[_STANDARD] = _standard()
    return {name: found[name] for name in sorted(found)}


def _standard() -> Provider:
    """Return the standard provider, which is part of Gnomon."""
    from gnomon.sdk.standard import __version__
    from gnomon.sdk.standard.info import get_provider_info

    info = Provider(get_provider_info())
    info.version, info.summary = __version__, info["description"]
    return info


@functools.cache
def hook_paths() -> dict[str, str]:
    """Return the path of the hook class of each connection type."""
    return {
        entry["connection-type"]: entry["hook-class-name"]
        for info in provider_infos().values()
        for entry in info.get("connection-types", ())
    }


def hook_class_of(conn_type: str | None) -> tuple[type, str]:
    """Return (class, name of the argument that takes the conn_id) of the hook for a connection type.

    Raises:
        AirflowException: no installed provider has one.
    """
    from gnomon.sdk.runtime.values import import_string

    path = hook_paths().get(conn_type or "")
    if path is None:
        raise AirflowException(f'Unknown hook type "{conn_type}"')
    cls = import_string(path)
    return cls, getattr(cls, "conn_name_attr", "conn_id")


def forget() -> None:
    """Look again the next time, for what was installed meanwhile."""
    from gnomon.service import entry_points as points

    points.forget()
    for cached in (provider_infos, hook_paths):
        cached.cache_clear()
