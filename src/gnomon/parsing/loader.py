"""Imports one DAG file and collects its DAGs. Runs where user code may: in the parser's and the templates' processes."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import logging
import os
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from gnomon.parsing import failures, project, surroundings
from gnomon.parsing.discovery import may_define_dags
from gnomon.sdk import policies
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG

log = logging.getLogger(__name__)

#: Warnings about the author's own lines, by the names of their categories.
_FOR_THE_AUTHOR = re.compile(r"Deprecat|RemovedInAirflow|AirflowProvider")
#: A file that is saved while it is imported is imported again, this often at most.
_ATTEMPTS = 3
#: File systems stamp changes with a clock that moves every few milliseconds only.
_FILE_CLOCK_NS = 5_000_000


@dataclass
class LoadedFile:
    """What importing a DAG file gave: its DAGs, or why not."""

    dags: dict[str, DAG] = field(default_factory=dict)
    #: a text for the user
    error: str | None = None
    #: DAGs that a cluster policy refused, and why
    refused: dict[str, str] = field(default_factory=dict)
    #: (category, "file:line: message")
    warnings: list[tuple[str, str]] = field(default_factory=list)
    #: project files the import depends on, relative to the bundle's root where they are below it; a folder that was
    #: listed ends in a slash
    modules: list[str] = field(default_factory=list)
    source_hash: str = ""
    seconds: float = 0.0


class DuplicateDagIdError(Exception):
    """Two different DAGs of a file have the same id."""


class InvalidDagError(Exception):
    """A DAG as a whole does not make sense: a circle, a schedule that cannot be."""


def load_file(path: str, *, bundle_root: str, relative_path: str) -> LoadedFile:
    """Import a DAG file, plain or zipped, and return its DAGs; whatever goes wrong becomes `error`.

    Args:
        path: the file on this machine.
        bundle_root: the folder its imports are resolved from.
        relative_path: its name in the bundle, kept in each DAG's relative_fileloc.
    """
    owned = project.roots(bundle_root)
    project.prepare_sys_path(bundle_root, owned)
    around = surroundings.prepare(owned)
    for _ in range(_ATTEMPTS):
        since = clock.now_us() * 1000 - _FILE_CLOCK_NS
        loaded = _load_once(path, bundle_root, relative_path, owned, around)
        if not project.changed_since(since, path, bundle_root, loaded.modules):
            break  # else the hash may be that of newer content than what was imported
    return loaded


def import_timeout(path: str, bundle_root: str, default: float) -> float:
    """Return how many seconds the import of a DAG file may take, as a cluster policy says; else `default`."""
    owned = project.roots(bundle_root)
    project.prepare_sys_path(bundle_root, owned)
    surroundings.prepare(owned)
    try:
        return policies.import_timeout(path, default)
    except Exception:
        log.exception("get_dagbag_import_timeout failed for %s", path)
        return default


def _load_once(
    path: str, bundle_root: str, relative_path: str, owned: tuple[str, ...], around: surroundings.Surroundings
) -> LoadedFile:
    began = clock.monotonic()
    loaded = LoadedFile()
    real = os.path.realpath(path)

    def is_users(name: str) -> bool:
        return name == path or name.startswith(path + os.sep) or project.owns(os.path.realpath(name), owned)

    with project.touched(owned) as found, _warnings_for_the_author(loaded, is_users):
        try:
            loaded.dags = _collect(path, relative_path)
            if policies.rules is not None:
                loaded.refused = policies.judge(loaded.dags)
        except (DuplicateDagIdError, InvalidDagError) as error:
            loaded.error = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a DAG file must not end the process that reads it
            loaded.error = failures.describe(error, is_users)
    if around.error is not None:
        loaded.dags, loaded.error = {}, around.error
    # what a file that failed has looked for in vain may be there the next time
    files = (found.files | found.searched if loaded.error else found.files).union(around.files)
    outside = (name for name in files if not (name + os.sep).startswith(real + os.sep))
    loaded.modules = sorted(project.relative_to(bundle_root, name) for name in outside)
    loaded.source_hash = project.source_hash(path, bundle_root, loaded.modules)
    loaded.seconds = clock.monotonic() - began
    return loaded


def unique_module_name(path: str) -> str:
    """Return the name a DAG file is imported under; the same as Airflow's, because pickles of tasks refer to it."""
    digest = hashlib.sha1(path.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
    stem = os.path.splitext(os.path.basename(path))[0]
    return f"unusual_prefix_{digest}_{re.sub('[.-]', '_', stem)}"


def _collect(path: str, relative_path: str) -> dict[str, DAG]:
    """Import the file and return its DAGs by id.

    Raises:
        DuplicateDagIdError: two of them have one id.
        InvalidDagError: one of them does not make sense.
    """
    dags: dict[str, DAG] = {}
    for dag, module in _defined_by(_import_zip(path) if _is_zip(path) else [lambda: _import_plain(path)]):
        if dags.setdefault(dag.dag_id, dag) is not dag:
            raise DuplicateDagIdError(f"two DAGs in {relative_path} have the dag_id {dag.dag_id!r}")
        inner = getattr(module, "__file__", None) or path
        dag.fileloc = inner if inner.startswith(path) else path
        dag.relative_fileloc = relative_path + dag.fileloc[len(path) :]
        try:
            dag.validate()
        except Exception as error:
            raise InvalidDagError(f"DAG {dag.dag_id!r} in {relative_path}: {type(error).__name__}: {error}") from error
    return dags


def _defined_by(imports: Iterable[Callable[[], ModuleType]]) -> Iterator[tuple[DAG, ModuleType]]:
    """Yield the DAGs in the modules' globals, and those that register themselves, each once."""
    from gnomon.sdk.authoring import DagContext
    from gnomon.sdk.dag import DAG

    found: dict[int, tuple[DAG, ModuleType]] = {}
    for import_module in imports:
        DagContext.autoregistered_dags.clear()
        try:
            module = import_module()
            registered = [dag for dag, _ in DagContext.autoregistered_dags]
        finally:
            DagContext.current_autoregister_module_name = None
            DagContext.autoregistered_dags.clear()
        for value in [*vars(module).values(), *sorted(registered, key=lambda dag: dag.dag_id)]:
            if isinstance(value, DAG):
                found.setdefault(id(value), (value, module))
    return iter(found.values())


def _import_plain(path: str) -> ModuleType:
    from gnomon.sdk.authoring import DagContext

    name = unique_module_name(path)
    with open(path, "rb") as file:
        source = file.read()
    source_loader = importlib.machinery.SourceFileLoader(name, path)
    module = ModuleType(name)
    module.__file__ = path
    module.__loader__ = source_loader
    module.__spec__ = importlib.machinery.ModuleSpec(name, source_loader, origin=path)
    module.__spec__.has_location = True
    sys.modules[name] = module
    DagContext.current_autoregister_module_name = name
    # Compiled here and not by an import: a .pyc could be that of another save in the same second.
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the purpose of this module
    return module


def _is_zip(path: str) -> bool:
    return not path.endswith(".py") and zipfile.is_zipfile(path)


def _import_zip(path: str) -> Iterator[Callable[[], ModuleType]]:
    """Yield an import of each top-level module of an archive that may have DAGs."""
    from gnomon.sdk.authoring import DagContext

    with zipfile.ZipFile(path) as archive:
        names = [
            name.removesuffix(".py")
            for name in archive.namelist()
            if "/" not in name
            and name.endswith(".py")
            and name != "__init__.py"
            and may_define_dags(archive.read(name))
        ]
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)
    sys.path_importer_cache.pop(path, None)
    for name in names:

        def import_module(name: str = name) -> ModuleType:
            sys.modules.pop(name, None)
            DagContext.current_autoregister_module_name = name
            return importlib.import_module(name)

        yield import_module


@contextmanager
def _warnings_for_the_author(loaded: LoadedFile, is_users: Callable[[str], bool]) -> Iterator[None]:
    """Keep the deprecation warnings that the author of the file can act on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    seen: dict[tuple[str, str], None] = {}
    for warning in caught:
        category = warning.category.__name__
        if _FOR_THE_AUTHOR.search(category) and is_users(warning.filename):
            seen[category, f"{warning.filename}:{warning.lineno}: {warning.message}"] = None
    loaded.warnings = list(seen)
