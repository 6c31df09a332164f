"""The base class of DAG bundles, as providers subclass it: a source of DAG files, and the folder they are kept in."""

from __future__ import annotations

import fcntl
import logging
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gnomon.sdk.configuration import conf

log = logging.getLogger(__name__)


def get_bundle_storage_root_path() -> Path:
    """Return the folder for all bundles' files."""
    configured = conf.get("dag_processor", "dag_bundle_storage_path", fallback=None)
    return Path(configured) if configured else Path(tempfile.gettempdir(), "airflow", "dag_bundles")


def get_bundle_base_folder(bundle_name: str) -> Path:
    """Return the folder of one bundle."""
    return get_bundle_storage_root_path() / bundle_name


def get_bundle_versions_base_folder(bundle_name: str) -> Path:
    """Return the folder of one bundle's versions."""
    return get_bundle_base_folder(bundle_name) / "versions"


def get_bundle_version_path(bundle_name: str, version: str) -> Path:
    """Return the folder of one version."""
    return get_bundle_versions_base_folder(bundle_name) / version


def get_bundle_tracking_dir(bundle_name: str) -> Path:
    """Return the folder that tells which versions are in use."""
    return get_bundle_storage_root_path() / "_tracking" / bundle_name


def get_bundle_tracking_file(bundle_name: str, version: str) -> Path:
    """Return the file that tells that a version is in use."""
    return get_bundle_tracking_dir(bundle_name) / version


@dataclass(frozen=True)
class BundleVersion:
    """A version of a bundle, and what the bundle wants to know about it."""

    version: str
    data: dict[str, Any] | None = None


class BaseDagBundle(ABC):
    """A source of DAG files.

    Args:
        name: what it is called.
        refresh_interval: seconds between two looks for changes.
        version: the version to show; the newest without one.
        view_url_template: where a version can be looked at, with the placeholders {version} and {subdir}.
    """

    supports_versioning: bool = False

    def __init__(
        self,
        *,
        name: str,
        refresh_interval: int | None = None,
        version: str | None = None,
        view_url_template: str | None = None,
    ) -> None:
        if refresh_interval is None:
            refresh_interval = conf.getint("dag_processor", "refresh_interval")
        self.name, self.version, self.refresh_interval = name, version, refresh_interval
        self.is_initialized = False
        self.base_dir = get_bundle_base_folder(name)
        self.versions_dir = get_bundle_versions_base_folder(name)
        self._view_url_template = view_url_template
        self._locked = False

    def initialize(self) -> None:
        """Make the files available; subclasses do their part first."""
        self.is_initialized = True
        if not self.path.exists():
            log.warning("The folder of the bundle %r does not exist: %s", self.name, self.path)

    @property
    @abstractmethod
    def path(self) -> Path:
        """Where the files are, once it is initialized."""

    @abstractmethod
    def get_current_version(self) -> str | BundleVersion | None:
        """Return the version of the files, or None without versions."""

    @abstractmethod
    def refresh(self) -> None:
        """Fetch the newest files."""

    def view_url(self, version: str | None = None) -> str | None:
        """Return where a version can be looked at."""
        return None

    def view_url_template(self) -> str | None:
        """Return where versions can be looked at, with placeholders."""
        return self._view_url_template

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time work on this bundle's files; may be nested."""
        if self._locked:
            yield
            return
        folder = get_bundle_storage_root_path() / "_locks"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{self.name}.lock", "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name})"


class LocalDagBundle(BaseDagBundle):
    """A folder on this machine; the DAGs folder unless `path` says otherwise."""

    def __init__(self, *, path: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._path = Path(path or conf.get_mandatory_value("core", "dags_folder"))

    @property
    def path(self) -> Path:
        return self._path

    def get_current_version(self) -> None:
        return None

    def refresh(self) -> None:
        """Do nothing: the files are where they are."""


class BundleVersionLock:
    """Holds a version of a bundle in use for the duration of a block."""

    def __init__(self, bundle_name: str, bundle_version: str | None, **_: Any) -> None:
        self._file = get_bundle_tracking_file(bundle_name, bundle_version) if bundle_version else None
        self._held: Any = None

    def __enter__(self) -> Self:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._held = self._file.open("a")
            fcntl.flock(self._held, fcntl.LOCK_SH)
        return self

    def __exit__(self, *_: object) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
