"""Entry points of installed packages, by their metadata alone and without the weight of importlib.metadata.

Only the groups of Airflow are read: most packages have none of them, and are passed over after one look at a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

#: What is looked for: `[airflow.plugins]`, `[airflow.policy]`, `[apache_airflow_provider]` …
_MARKS = (b"[airflow.", b"[apache_airflow_provider]")
_SUFFIXES = (".dist-info", ".egg-info")


class EntryPoint(NamedTuple):
    """A name that a package offers to Airflow, and the object it stands for."""

    group: str
    name: str
    value: str
    #: folder of the package's metadata
    folder: str

    @property
    def module(self) -> str:
        """The module of the object."""
        return self.value.partition(":")[0].strip()

    @property
    def distribution(self) -> Distribution:
        """The package."""
        return _distribution(self.folder)

    def load(self) -> Any:
        """Import and return the object."""
        import importlib

        found: Any = importlib.import_module(self.module)
        for name in filter(None, self.value.partition("[")[0].partition(":")[2].strip().split(".")):
            found = getattr(found, name)
        return found

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class Distribution(NamedTuple):
    """What a package says of itself."""

    name: str
    version: str
    summary: str = ""
    #: label → address
    urls: dict[str, str] = {}  # noqa: RUF012 - never changed


def entry_points(group: str, first: Sequence[str] = ()) -> list[EntryPoint]:
    """Return the entry points of a group, in the order of the packages' names.

    Args:
        group: for example `airflow.plugins`.
        first: folders that count before those of `sys.path`.
    """
    return _scan((*first, *sys.path)).get(group, [])


@cache
def _scan(paths: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    seen: set[str] = set()
    for path in dict.fromkeys(os.path.realpath(path or ".") for path in paths):
        packages = _packages(path)
        for package, points in packages.items():
            if package not in seen:  # else an earlier folder of the path hides it
                for point in points:
                    found.setdefault(point.group, []).append(point)
        seen.update(packages)
    return found


@cache
def _packages(path: str) -> dict[str, list[EntryPoint]]:
    """Return package → entry points of one folder; read once, however often another one joins the path."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return {}  # a zip archive, or not there
    found: dict[str, list[EntryPoint]] = {}
    for name in names:
        if name.endswith(_SUFFIXES):
            package = name.rpartition(".")[0].partition("-")[0].lower()
            found.setdefault(package, _read(os.path.join(path, name)))
    return found


def _read(folder: str) -> list[EntryPoint]:
    try:
        with open(os.path.join(folder, "entry_points.txt"), "rb") as file:
            content = file.read()
    except OSError:
        return []
    if not any(mark in content for mark in _MARKS):
        return []
    points, group = [], ""
    for raw in content.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            points.append(EntryPoint(group, name.strip(), value.strip(), folder))
    return points


@cache
def _distribution(folder: str) -> Distribution:
    name, _, version = os.path.basename(folder).rpartition(".")[0].partition("-")
    found: dict[str, str] = {"name": name.replace("_", "-"), "version": version}
    urls: dict[str, str] = {}
    for file_name in ("METADATA", "PKG-INFO"):
        try:
            with open(os.path.join(folder, file_name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    key, colon, value = line.partition(":")
                    if not colon:
                        break  # the text begins
                    if key == "Project-URL":
                        label, _, url = value.partition(",")
                        urls[label.strip()] = url.strip()
                    elif key in ("Name", "Version", "Summary"):
                        found[key.lower()] = value.strip()
        except OSError:
            continue
        break
    return Distribution(**found, urls=urls)


def forget() -> None:
    """Look again the next time; for a process in which packages are installed while it runs."""
    _scan.cache_clear()
    _packages.cache_clear()
    _distribution.cache_clear()
