"""What the dag-processor knows and hands on, and where it hands it to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from gnomon.wire.execution import FileRef, Json


class FileKey(NamedTuple):
    """A DAG file: its bundle and its path in there."""

    bundle: str
    path: str


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of parsing one file."""

    file: FileRef
    dags: Sequence[Json] = ()
    error: str | None = None
    warnings: Sequence[tuple[str, str]] = ()
    modules: Sequence[str] = ()
    #: the text of the file, for the code view
    source: str | None = None
    mtime: float = 0.0
    size: int = 0
    seconds: float = 0.0


class KnownFile(Protocol):
    """A file as it was recorded last; `modules` is a JSON list."""

    @property
    def bundle_name(self) -> str: ...
    @property
    def relative_path(self) -> str: ...
    @property
    def source_hash(self) -> str: ...
    @property
    def modules(self) -> str: ...


class Sink(Protocol):
    """Keeps the outcomes; `store.dags` is one. Its methods block, and are called from one thread at a time."""

    def files(self, bundle: str | None = None) -> Iterable[Any]:
        """Return a `KnownFile` for each file that was recorded and is not gone."""

    def import_errors(self) -> Iterable[tuple[str, str, str]]:
        """Return (bundle, file, text) of every import error."""

    def record_parses(self, batch: Iterable[Any], now: datetime) -> Sequence[Any]:
        """Keep some `Parsed`; return for each an object with `rivals`: (bundle, path) of files to parse again."""

    def mark_files_gone(self, bundle: str, paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
        """Forget files; return their DAGs, and files to parse again."""

    def set_bundle(self, name: str, now: datetime, *, version: str | None = None, active: bool = True) -> None:
        """Note that a bundle was looked through, or is no longer configured."""
