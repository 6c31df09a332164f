"""Where DAG files come from: the bundles that the settings name."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from gnomon.parsing.discovery import Found, Seen, Syntax, find_dag_files
from gnomon.service.config import ConfigError, conf

_OPTION = "[dag_processor] dag_bundle_config_list"
_LOCAL = frozenset(
    {
        "airflow.dag_processing.bundles.local.LocalDagBundle",
        "gnomon.parsing.bundles.LocalBundle",
        "LocalDagBundle",
    }
)


@dataclass(frozen=True)
class LocalBundle:
    """A folder on this machine."""

    name: str
    root: str
    syntax: Syntax = "glob"
    safe_mode: bool = True
    version: str | None = None
    #: seconds after which it is looked through even if nothing was heard of it
    refresh_interval: float = 300.0

    _seen: Seen = field(default_factory=dict, repr=False, compare=False)

    def find(self) -> Found:
        """Return the files that may define DAGs."""
        return find_dag_files(self.root, syntax=self.syntax, safe_mode=self.safe_mode, seen=self._seen)


def configured() -> list[LocalBundle]:
    """Return the bundles of [dag_processor] dag_bundle_config_list; the DAGs folder, unless it says otherwise.

    Raises:
        ConfigError: the setting cannot be used; the message says which part of it.
    """
    entries = conf.getjson("dag_processor", "dag_bundle_config_list", fallback=None)
    if entries is None:
        entries = [{"name": "dags-folder", "classpath": "LocalDagBundle", "kwargs": {}}]
    if not isinstance(entries, list):
        raise ConfigError(f"{_OPTION} must be a JSON list of bundles")
    syntax = ignore_syntax()
    safe_mode = conf.getboolean("core", "dag_discovery_safe_mode", fallback=True)
    found = [_bundle(number, entry, syntax, safe_mode) for number, entry in enumerate(entries)]
    names = [bundle.name for bundle in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"{_OPTION} has two bundles of one name: {', '.join(names)}")
    return found


def ignore_syntax() -> Syntax:
    """Return how .airflowignore is written.

    Raises:
        ConfigError: the setting is neither glob nor regexp.
    """
    given = conf.get("core", "dag_ignore_file_syntax", fallback=None) or "glob"
    if given not in ("glob", "regexp"):
        raise ConfigError(f"[core] dag_ignore_file_syntax must be glob or regexp, not {given!r}")
    return "regexp" if given == "regexp" else "glob"


def _bundle(number: int, entry: Any, syntax: Syntax, safe_mode: bool) -> LocalBundle:
    where = f"{_OPTION}, entry {number + 1}"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ConfigError(f"{where}: a bundle is an object with a name and a classpath")
    name, classpath, kwargs = entry["name"], entry.get("classpath", "LocalDagBundle"), entry.get("kwargs") or {}
    if classpath not in _LOCAL:
        raise ConfigError(f"{where}: bundle {name!r} is a {classpath}; only local bundles can be used")
    unknown = set(kwargs) - {"path", "refresh_interval", "version", "view_url_template"}
    if unknown:
        raise ConfigError(f"{where}: bundle {name!r} has the unknown arguments {', '.join(sorted(unknown))}")
    folder = kwargs.get("path") or conf.get("core", "dags_folder")
    refresh = kwargs.get("refresh_interval") or conf.getfloat("dag_processor", "refresh_interval", fallback=300.0)
    root = os.path.abspath(os.path.expandvars(os.path.expanduser(folder)))
    return LocalBundle(name, root, syntax, safe_mode, refresh_interval=float(refresh))
