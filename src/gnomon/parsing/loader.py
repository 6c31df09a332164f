"""Imports one DAG file and collects its DAGs. Runs where user code may: in the parser's and the templates' processes."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from gnomon.parsing import failures, project

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG

_AUTHOR_WARNINGS = re.compile(r"Deprecat|RemovedInAirflow|AirflowProvider")


@dataclass
class LoadedFile:
    """What importing a DAG file gave: its DAGs, or why not."""

    dags: dict[str, DAG] = field(default_factory=dict)
    #: a text for the user; DAGs that were complete before the failure are not kept
    error: str | None = None
    #: (category, "file:line: message")
    warnings: list[tuple[str, str]] = field(default_factory=list)
    #: project files the import depends on, relative to the bundle's root where they are below it; a folder that was
    #: listed ends in a slash
    modules: list[str] = field(default_factory=list)
    source_hash: str = ""
    seconds: float = 0.0


class DuplicateDagId(Exception):
    """Two different DAGs of a file have the same id."""


def load_file(path: str, *, bundle_root: str, relative_path: str) -> LoadedFile:
    """Import a DAG file, plain or zipped, and return its DAGs; whatever goes wrong becomes `error`.

    Args:
        path: the file on this machine.
        bundle_root: the folder its imports are resolved from.
        relative_path: its name in the bundle, kept in each DAG's relative_fileloc.
    """
    began = time.monotonic()
    owned = project.roots(bundle_root)
    project.prepare_sys_path(bundle_root, owned)
    loaded = LoadedFile()
    real = os.path.realpath(path)

    def is_users(name: str) -> bool:
        return name == path or name.startswith(path + os.sep) or project.owns(os.path.realpath(name), owned)

    with project.touched(owned) as files, _author_warnings(loaded, is_users):
        try:
            loaded.dags = _collect(path, relative_path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a DAG file must not end the process that reads it
            loaded.error = failures.describe(error, is_users)
    loaded.modules = sorted(project.relative_to(bundle_root, name) for name in files if name != real)
    loaded.source_hash = project.source_hash(path, bundle_root, loaded.modules)
    loaded.seconds = time.monotonic() - began
    return loaded


def unique_module_name(path: str) -> str:
    """Return the name a DAG file is imported under; the same as Airflow's, because pickles of tasks refer to it."""
    digest = hashlib.sha1(path.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
    stem = os.path.splitext(os.path.basename(path))[0]
    return f"unusual_prefix_{digest}_{re.sub('[.-]', '_', stem)}"


def _collect(path: str, relative_path: str) -> dict[str, DAG]:
    from gnomon.sdk import dag as authoring

    with authoring.collecting() as registered:
        modules = list(_import_zip(path) if zipfile.is_zipfile(path) else [_import_plain(path)])
        found: dict[int, tuple[DAG, ModuleType]] = {}
        for module in modules:
            for value in list(vars(module).values()):
                if isinstance(value, authoring.DAG):
                    found.setdefault(id(value), (value, module))
        for dag in registered:
            found.setdefault(id(dag), (dag, modules[-1]))
    dags: dict[str, DAG] = {}
    for dag, module in found.values():
        if dag.dag_id in dags:
            raise DuplicateDagId(f"two DAGs in {relative_path} have the dag_id {dag.dag_id!r}")
        inner = getattr(module, "__file__", None) or path
        dag.fileloc = inner if inner.startswith(path) else path
        dag.relative_fileloc = relative_path + dag.fileloc[len(path) :]
        dag.validate()
        dags[dag.dag_id] = dag
    return dags


def _import_plain(path: str) -> ModuleType:
    name = unique_module_name(path)
    with open(path, "rb") as file:
        source = file.read()
    module = ModuleType(name)
    module.__file__ = path
    module.__spec__ = importlib.util.spec_from_file_location(name, path)
    module.__loader__ = module.__spec__.loader if module.__spec__ else None
    sys.modules[name] = module
    code = compile(source, path, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module


def _import_zip(path: str) -> Iterator[ModuleType]:
    """Import the top-level modules of an archive that may have DAGs."""
    from gnomon.parsing.bundles import may_define_dags

    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if "/" not in name and name.endswith(".py") and name != "__init__.py" and may_define_dags(archive.read(name))
        ]
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)
    sys.path_importer_cache.pop(path, None)
    importlib.invalidate_caches()
    for name in names:
        sys.modules.pop(name[:-3], None)
        yield importlib.import_module(name[:-3])


@contextmanager
def _author_warnings(loaded: LoadedFile, is_users: object) -> Iterator[None]:
    """Keep the warnings that the author of the file can act on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    seen: dict[tuple[str, str], None] = {}
    for warning in caught:
        category = warning.category.__name__
        if _AUTHOR_WARNINGS.search(category) and callable(is_users) and is_users(warning.filename):
            seen[category, f"{warning.filename}:{warning.lineno}: {warning.message}"] = None
    loaded.warnings = list(seen)
