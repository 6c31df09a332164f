"""Options that belong to provider packages: their defaults come from the package, or from a table when it is not there.

Airflow knows some options of providers whether or not they are installed (`provider_defaults.tsv`): DAG files read
`[kubernetes_executor]` and `[celery]` without asking.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from gnomon.service.home import airflow_home

_GROUP = "apache_airflow_provider"

#: section → option → default
Defaults = dict[str, dict[str, str]]


def default(section: str, key: str) -> str | None:
    """Return the default of a provider's option; None when nobody knows it, or it has none."""
    return options(section).get(key)


def options(section: str) -> dict[str, str]:
    """Return option → default of a section of providers."""
    return {**_table().get(section, {}), **_installed().get(section, {})}


@cache
def _table() -> Defaults:
    found: Defaults = {}
    lines = Path(__file__).with_name("provider_defaults.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines[1:]:
        section, key, value = line.split("\t")
        found.setdefault(section, {})[key] = value
    return found


@cache
def _installed() -> Defaults:
    from gnomon.service.entry_points import entry_points

    found: Defaults = {}
    for point in entry_points(_GROUP):
        try:
            sections = point.load()().get("config") or {}
        except Exception:  # noqa: S112 - a package that is broken in another way is not the one that is asked for
            continue
        for section, described in sections.items():
            for key, option in (described.get("options") or {}).items():
                value = option.get("default")
                if value is not None:
                    found.setdefault(section.lower(), {})[key.lower()] = _filled_in(option, value)
    return found


def _filled_in(option: dict[str, Any], value: Any) -> str:
    """Return a default as Airflow reads it: a format string, where a brace is written twice, unless it is a template."""
    if not isinstance(value, str) or option.get("is_template"):
        return str(value)
    try:
        return value.format(AIRFLOW_HOME=airflow_home())
    except (IndexError, KeyError, ValueError):
        return value
