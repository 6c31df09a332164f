"""Provider packages that are installed: what each says it brings."""

from __future__ import annotations

import functools
import logging
from typing import Any

log = logging.getLogger(__name__)


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
