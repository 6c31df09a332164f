"""What belongs to the user's project: where its modules live, which of them an import touched, and what they hash to.

Loaded by the parser's and the template's processes, so it imports the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from types import CodeType

#: A .pyc knows its source by whole seconds and size; within this time of a save it cannot be told from an older one.
_RACY_SECONDS = 2.0

_INSTALLED = tuple(
    {os.path.realpath(path) + os.sep for name, path in sysconfig.get_paths().items() if name != "data"}
    | {os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))) + os.sep + "gnomon" + os.sep}
    | {os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))) + os.sep + "airflow" + os.sep}
)


def roots(bundle_root: str) -> tuple[str, ...]:
    """Return the folders whose files are the project's: the bundle, PYTHONPATH, plugins and config."""
    home = os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")
    candidates = [
        bundle_root,
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
        os.environ.get("AIRFLOW__CORE__PLUGINS_FOLDER") or os.path.join(home, "plugins"),
        os.path.join(home, "config"),
    ]
    return tuple(dict.fromkeys(os.path.realpath(path) + os.sep for path in candidates if path))


def owns(path: str, project: tuple[str, ...]) -> bool:
    """Return whether `path` is the project's own file and not an installed library's below one of its folders."""
    return path.startswith(project) and not path.startswith(_INSTALLED) and f"{os.sep}site-packages{os.sep}" not in path


class _ProjectLoader(SourceFileLoader):
    """Imports the project's modules from what was saved, never from a .pyc of the same second."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        if time.time() - os.stat(path).st_mtime < _RACY_SECONDS:
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


@contextmanager
def touched(project: tuple[str, ...]) -> Iterator[set[str]]:
    """Collect the project files that are imported, or opened for reading where reads are watched, in the block.

    Modules of the project that an earlier file in this process has imported are forgotten first, so that each DAG
    file sees them as a process of its own would, and all that it needs is seen.
    """
    forget(project)
    files: set[str] = set()
    _reads.append((project, files))
    try:
        yield files
    finally:
        _reads.pop()
        files.update(_module_files(project))


def forget(project: tuple[str, ...]) -> None:
    """Remove the project's modules from `sys.modules`."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name != "__main__" and owns(os.path.realpath(path), project):
            del sys.modules[name]


def _module_files(project: tuple[str, ...]) -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(os.sep) and name != "__main__":
            path = os.path.realpath(path)
            if owns(path, project):
                yield path


#: where reads are collected at the moment, innermost last
_reads: list[tuple[tuple[str, ...], set[str]]] = []
#: set when the file that is loaded looks at something that no file watcher sees
_looked_outside = [False]
_OUTSIDE = frozenset({"socket.connect", "subprocess.Popen", "os.system", "os.posix_spawn", "sqlite3.connect"})


def watch_reads() -> None:
    """Note, from now on in this process, the data files, folders and outside sources that a DAG file reads.

    An audit hook cannot be taken away again: only for processes that do nothing but parse.
    """

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not _reads:
            return
        if event == "open" or event == "os.listdir" or event == "os.scandir":
            path = args[0]
            mode = args[1] if event == "open" else None
            if isinstance(path, os.PathLike):
                path = os.fspath(path)
            if not isinstance(path, str) or (isinstance(mode, str) and mode[:1] in "wax"):
                return
            project, files = _reads[-1]
            path = os.path.realpath(path)
            if owns(path, project) and not path.endswith(".pyc") and "__pycache__" not in path:
                files.add(path + os.sep if event != "open" else path)
        elif event in _OUTSIDE:
            _looked_outside[0] = True

    sys.addaudithook(hook)


def looked_outside(reset: bool = False) -> bool:
    """Return whether a network connection, a database or a subprocess was used since the last reset."""
    seen = _looked_outside[0]
    if reset:
        _looked_outside[0] = False
    return seen


def relative_to(root: str, path: str) -> str:
    """Return `path` relative to the bundle's root if it is below it, else absolute."""
    base = os.path.realpath(root) + os.sep
    return path[len(base) :] if path.startswith(base) else path


def source_hash(path: str, bundle_root: str, modules: Iterable[str]) -> str:
    """Return the hash of a DAG file and of the project files it depends on; a missing one counts as such."""
    digest = hashlib.sha256()
    for name in ("", *sorted(modules)):
        digest.update(name.encode(errors="surrogateescape") + b"\0")
        digest.update(_content(path if not name else os.path.join(bundle_root, name)))
    return digest.hexdigest()


def _content(path: str) -> bytes:
    try:
        if path.endswith(os.sep):
            names = sorted(name for name in os.listdir(path) if name != "__pycache__")
            return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).digest()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except OSError:
        return b"missing"
