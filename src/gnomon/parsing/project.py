"""What belongs to the user's project: where its modules live, which of them an import touched, and what they hash to.

Loaded by the parser's and the templates' processes, so it imports the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from types import CodeType

from gnomon.service import clock
from gnomon.service.config import conf

#: Among the modules of a file: it looked at something that no file watcher sees (a database, a variable, a program).
OUTSIDE = "<outside>"
#: A .pyc knows its source by whole seconds and size; within this time of a save it cannot be told from an older one.
_RACY_SECONDS = 2.0
_NOT_SOURCES = (".pyc", ".pyo")

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))) + os.sep
_INSTALLED = (
    *{os.path.realpath(path) + os.sep for name, path in sysconfig.get_paths().items() if name != "data"},
    _HERE + "gnomon" + os.sep,
    _HERE + "airflow" + os.sep,
)


def roots(bundle_root: str) -> tuple[str, ...]:
    """Return the folders whose files are the project's: the bundle, PYTHONPATH, plugins and config."""
    home = os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")
    plugins = os.path.expanduser(conf.get("core", "plugins_folder", fallback="") or "")
    return _real(
        (bundle_root, *os.environ.get("PYTHONPATH", "").split(os.pathsep), plugins, os.path.join(home, "config"))
    )


@cache
def _real(candidates: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) + os.sep for path in candidates if path))


def owns(path: str, project: tuple[str, ...]) -> bool:
    """Return whether `path` is the project's own file and not an installed library's below one of its folders."""
    return path.startswith(project) and not path.startswith(_INSTALLED) and f"{os.sep}site-packages{os.sep}" not in path


class _ProjectLoader(SourceFileLoader):
    """Imports the project's modules from what was saved, never from a .pyc of the same second."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        if clock.now_us() / 1e6 - os.stat(path).st_mtime < _RACY_SECONDS:
            return self.source_to_code(self.get_data(path), path)
        return super().get_code(fullname)


def _path_hook(project: tuple[str, ...]) -> Callable[[str], FileFinder]:
    def finder(path: str) -> FileFinder:
        folder = os.path.realpath(path or ".")
        if not owns(folder + os.sep, project) or not os.path.isdir(folder):
            raise ImportError(f"{path} is not a folder of the project")
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_ProjectLoader, [".py"]))

    return finder


_hooked: set[tuple[str, ...]] = set()


def prepare_sys_path(bundle_root: str, project: tuple[str, ...]) -> None:
    """Make the bundle's, the config's and the plugins' modules importable, as Airflow does: behind everything else."""
    for folder in (bundle_root, *(root.rstrip(os.sep) for root in project)):
        if folder not in sys.path and os.path.isdir(folder):
            sys.path.append(folder)
    if project not in _hooked:
        _hooked.add(project)
        sys.path_hooks.insert(0, _path_hook(project))
        for path in [p for p in sys.path_importer_cache if owns(os.path.realpath(p) + os.sep, project)]:
            del sys.path_importer_cache[path]


# -------------------------------------------------------------------------------------- what an import touches


class Touched:
    """The project files that a DAG file depends on; a folder ends in a slash."""

    def __init__(self, project: tuple[str, ...]) -> None:
        self.project = project
        #: imported, or read
        self.files: set[str] = set()
        #: folders in which modules were looked for: what is not there may come
        self.searched: set[str] = set()


def _look_anew(project: tuple[str, ...]) -> None:
    """Let the next import list the project's folders again, so that it is seen where modules were looked for."""
    for path, finder in sys.path_importer_cache.items():
        if isinstance(finder, FileFinder) and owns(os.path.realpath(path) + os.sep, project):
            finder.invalidate_caches()


@contextmanager
def touched(project: tuple[str, ...]) -> Iterator[Touched]:
    """Collect what is imported, and where reads are watched also what is read, in the block.

    Modules of the project that an earlier file in this process has imported are forgotten first, so that each DAG
    file sees them as a process of its own would, and all that it needs is seen.
    """
    forget(project)
    _look_anew(project)
    present = set(sys.modules)
    found = Touched(project)
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.pop()
        # What was there before is no module of the project's, for those have just been forgotten.
        for name in sys.modules.keys() - present:
            if path := _file_of(name, project):
                found.files.add(path)
                _own_modules.add(name)


#: names of the project's modules that are imported at the moment
_own_modules: set[str] = set()
#: those of them that all DAG files share: plugins and policies
_kept: set[str] = set()
_looked_at_all = [False]


def forget(project: tuple[str, ...]) -> None:
    """Remove the project's modules from `sys.modules`."""
    if not _looked_at_all[0]:
        _looked_at_all[0] = True
        _own_modules.update(name for name in list(sys.modules) if _file_of(name, project))
    for name in _own_modules - _kept:
        sys.modules.pop(name, None)
    _own_modules.clear()


def keep(project: tuple[str, ...]) -> None:
    """Let the modules that are imported at the moment stay for the DAG files to come."""
    _kept.update(_own_modules)
    _own_modules.clear()
    # Each DAG file is to look into the project's folders for itself, so that it is seen where it looks.
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, FileFinder) and owns(os.path.realpath(path) + os.sep, project):
            finder.invalidate_caches()


def release() -> None:
    """Take back what `keep` did, and forget these modules."""
    for name in _kept:
        sys.modules.pop(name, None)
    _kept.clear()


def _file_of(name: str, project: tuple[str, ...]) -> str | None:
    """Return the file of a module if it is the project's."""
    path = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(path, str) or not path.startswith(os.sep) or path.startswith(_INSTALLED) or name == "__main__":
        return None
    path = os.path.realpath(path)
    return path if owns(path, project) else None


#: where reads are collected at the moment, innermost last
_watching: list[Touched] = []
_LISTING = frozenset({"os.listdir", "os.scandir"})
#: Who looks for installed packages looks into every folder of sys.path; no DAG file depends on what is in it.
_SEARCHING = ("importlib/metadata/__init__.py", "importlib_metadata/__init__.py", "gnomon/service/entry_points.py")
_REACHING_OUT = frozenset({"socket.connect", "subprocess.Popen", "os.system", "os.posix_spawn", "sqlite3.connect"})
_FORKING = frozenset({"os.fork", "os.forkpty"})


class ForkRefusedError(Exception):
    """A DAG file tried to fork the process that parses it."""


def guard() -> None:
    """From now on in this process, note what a DAG file reads besides modules, and do not let it fork.

    An audit hook cannot be taken away again: only for processes that do nothing but parse.
    """

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not _watching:
            return
        if event == "open":
            if not _writes(args[1]):
                _note(_watching[-1].files, args[0], "")
        elif event in _LISTING:
            caller = sys._getframe(1).f_code.co_filename
            if caller.endswith(_SEARCHING):
                return
            importing = caller == "<frozen importlib._bootstrap_external>"
            found = _watching[-1]
            _note(found.searched if importing else found.files, args[0], os.sep)
        elif event in _REACHING_OUT:
            note_outside()
        elif event in _FORKING:
            raise ForkRefusedError("a DAG file must not fork while it is parsed; do that inside a task")

    sys.addaudithook(hook)


def note_outside() -> None:
    """Note that the DAG file which is being loaded depends on something outside of the project's files."""
    if _watching:
        _watching[-1].files.add(OUTSIDE)


def _writes(mode: object) -> bool:
    return isinstance(mode, str) and mode[:1] in ("w", "a", "x")


def _note(found: set[str], path: object, suffix: str) -> None:
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str) or path.endswith(_NOT_SOURCES) or path.startswith(_INSTALLED):
        return
    path = os.path.realpath(path)
    if owns(path + suffix, _watching[-1].project):
        found.add(path + suffix)


# ------------------------------------------------------------------------------------------------------- hashes


def relative_to(root: str, path: str) -> str:
    """Return `path` relative to the bundle's root if it is below it, else as it is."""
    base = os.path.realpath(root) + os.sep
    return (path[len(base) :] or "./") if path.startswith(base) else path


def source_hash(path: str, bundle_root: str, modules: Iterable[str]) -> str:
    """Return the hash of a DAG file and of the project files it depends on; a missing one counts as such."""
    digest = hashlib.sha256(_content(path))
    for name in sorted(modules):
        digest.update(name.encode(errors="surrogateescape") + b"\0")
        if name != OUTSIDE:
            digest.update(_content(os.path.join(bundle_root, name)))
    return digest.hexdigest()


def changed_since(moment_ns: int, path: str, bundle_root: str, modules: Iterable[str]) -> bool:
    """Return whether a DAG file or anything it depends on was saved between a moment of the wall clock and now."""
    now_ns = clock.now_us() * 1000
    for name in (path, *(os.path.join(bundle_root, name) for name in modules if name != OUTSIDE)):
        try:
            if moment_ns < os.stat(name).st_mtime_ns <= now_ns:
                return True
        except OSError:
            continue
    return False


def _content(path: str) -> bytes:
    try:
        if path.endswith(os.sep):
            names = sorted(name for name in os.listdir(path) if name != "__pycache__")
            return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).digest()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except OSError:
        return b"missing"
