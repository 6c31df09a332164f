"""What every DAG file of an installation sees: plugins and cluster policies, loaded before the first one.

They are loaded once per process and again when one of their files has changed. Every DAG file depends on these files,
so that a change of a plugin makes all of them be parsed again and all templates be made anew.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from gnomon.parsing import project
from gnomon.parsing.bundles import ignore_syntax
from gnomon.parsing.discovery import find_dag_files
from gnomon.sdk import plugins, policies
from gnomon.service.home import airflow_home


class Surroundings(NamedTuple):
    """What was loaded."""

    #: what every DAG file depends on through it; folders end in a slash
    files: list[str]
    #: why no DAG may be used
    error: str | None
    #: what the files, and the places where there may be some, looked like
    stamps: dict[str, tuple[int, int]]


_present: Surroundings | None = None


def prepare(owned: tuple[str, ...]) -> Surroundings:
    """Load plugins and policies, unless this process has them as they are on disk.

    Args:
        owned: the folders of the project, see `project.roots`.
    """
    global _present
    folder = plugins.plugins_folder()
    if _present is not None:
        if folder in _present.stamps and all(_stamp(path) == stamp for path, stamp in _present.stamps.items()):
            return _present
        plugins.forget()
        policies.forget()
        project.release()
    _present = _load(owned, folder)
    return _present


def _load(owned: tuple[str, ...], folder: str) -> Surroundings:
    files = _plugin_files(folder)
    error = None
    with project.touched(owned) as found:
        try:
            policies.load()
        except Exception as problem:
            error = str(problem)
        plugins.load(folder, files)
    project.keep(owned)
    depended = {*found.files, *(os.path.realpath(path) for path in files)} - {project.OUTSIDE}
    depended.update(os.path.realpath(path) + os.sep for path in plugins.plugins_folder_dependencies(folder))
    config = os.path.join(airflow_home(), "config")
    local_settings = os.path.join(os.path.realpath(config), f"{policies.LOCAL_SETTINGS}.py")
    if os.path.isdir(config):
        depended.add(local_settings)
    return Surroundings(sorted(depended), error, {path: _stamp(path) for path in {*depended, folder, local_settings}})


def _plugin_files(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    found = find_dag_files(folder, syntax=ignore_syntax(), safe_mode=False)
    return [os.path.join(folder, path) for path in found.files if path.endswith(".py")]


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
