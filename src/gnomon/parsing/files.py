"""The DAG files that the dag-processor knows, and which of them a changed path concerns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gnomon.parsing.project import OUTSIDE
from gnomon.parsing.records import FileKey


@dataclass
class DagFile:
    """A file in a bundle, as it was parsed last."""

    key: FileKey
    root: str
    #: (mtime_ns, size) when its last parse began
    stamp: tuple[int, int] = (0, 0)
    #: of its content and what it depends on; empty if it was never parsed
    source_hash: str = ""
    modules: tuple[str, ...] = ()
    #: hash of the outcome that was recorded last
    recorded: str = ""
    #: whether its last parse gave an error
    failed: bool = False
    #: when it was parsed last, on the monotonic clock
    parsed_at: float = 0.0
    #: how many parsers have died with it
    deaths: int = 0
    watched: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """Where it is on this machine."""
        return os.path.join(self.root, self.key.path)

    @property
    def looks_outside(self) -> bool:
        """Whether it depends on something that no watcher sees."""
        return OUTSIDE in self.modules

    def look(self) -> tuple[int, int] | None:
        """Return its (mtime_ns, size) now; None if it is gone."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


class DagFiles:
    """All files by key, and by what they depend on."""

    def __init__(self) -> None:
        self._files: dict[FileKey, DagFile] = {}
        self._dependents: dict[str, set[FileKey]] = {}

    def __iter__(self) -> Iterator[DagFile]:
        return iter(self._files.values())

    def __contains__(self, key: FileKey) -> bool:
        return key in self._files

    def get(self, key: FileKey) -> DagFile | None:
        """Return a file; None if it is not known."""
        return self._files.get(key)

    def of(self, bundle: str) -> list[DagFile]:
        """Return the files of a bundle."""
        return [file for file in self._files.values() if file.key.bundle == bundle]

    def add(self, file: DagFile) -> None:
        """Take up a file."""
        self._files[file.key] = file
        self._index(file)

    def remove(self, key: FileKey) -> None:
        """Drop a file."""
        file = self._files.pop(key, None)
        if file is not None:
            self._unindex(file)

    def depends(self, file: DagFile, modules: Iterable[str]) -> None:
        """Note what a file depends on now."""
        self._unindex(file)
        file.modules = tuple(modules)
        self._index(file)

    def concerned(self, path: str) -> set[FileKey]:
        """Return the files that a change of `path` may change; one that ends in a slash stands for all below it."""
        if path.endswith(os.sep):
            found = [keys for watched, keys in self._dependents.items() if watched.startswith(path)]
            return set().union(*found)
        return self._dependents.get(path, set()) | self._dependents.get(os.path.dirname(path) + os.sep, set())

    def _index(self, file: DagFile) -> None:
        paths = {file.path, os.path.realpath(file.path)}
        for module in file.modules:
            if module != OUTSIDE:
                path = os.path.join(file.root, module)
                suffix = os.sep if path.endswith(os.sep) else ""
                paths |= {os.path.normpath(path) + suffix, os.path.realpath(path) + suffix}
        file.watched = paths
        for path in paths:
            self._dependents.setdefault(path, set()).add(file.key)

    def _unindex(self, file: DagFile) -> None:
        for path in file.watched:
            keys = self._dependents.get(path, set())
            keys.discard(file.key)
            if not keys:
                self._dependents.pop(path, None)
