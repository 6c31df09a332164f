"""`DagBag`: all DAGs of a folder, imported into this process. For tests of DAG files; nothing of Gnomon itself uses it."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from gnomon.parsing.bundles import ignore_syntax
from gnomon.parsing.discovery import find_dag_files
from gnomon.parsing.loader import load_file
from gnomon.service.config import conf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gnomon.sdk.dag import DAG


class FileLoadStat(NamedTuple):
    """What importing one file took and gave."""

    file: str
    duration: timedelta
    dag_num: int
    task_num: int
    dags: str
    warning_num: int
    bundle_path: str | None = None
    bundle_name: str | None = None


class DagBag:
    """The DAGs of a folder or a file, and what could not be imported.

    Args:
        dag_folder: a folder or one file; [core] dags_folder unless given.
        safe_mode: only import files that speak of Airflow and of a DAG; [core] dag_discovery_safe_mode unless given.
        collect_dags: import now.
        options: arguments of Airflow's DagBag that make no difference here.
    """

    def __init__(
        self,
        dag_folder: str | os.PathLike[str] | None = None,
        include_examples: bool | None = None,
        safe_mode: bool | None = None,
        *,
        collect_dags: bool = True,
        **options: Any,
    ) -> None:
        self.dag_folder = os.path.abspath(os.path.expanduser(dag_folder or conf.get("core", "dags_folder")))
        self.safe_mode = conf.getboolean("core", "dag_discovery_safe_mode") if safe_mode is None else safe_mode
        self.dags: dict[str, DAG] = {}
        #: path of a file → why it could not be imported
        self.import_errors: dict[str, str] = {}
        self.captured_warnings: dict[str, tuple[str, ...]] = {}
        self.dagbag_stats: list[FileLoadStat] = []
        if collect_dags:
            self.collect_dags(self.dag_folder)

    @property
    def dag_ids(self) -> list[str]:
        """The ids of all DAGs."""
        return list(self.dags)

    def size(self) -> int:
        """Return how many DAGs there are."""
        return len(self.dags)

    def get_dag(self, dag_id: str, session: Any = None) -> DAG | None:
        """Return a DAG; None if there is none of this id."""
        return self.dags.get(dag_id)

    def collect_dags(
        self, dag_folder: str | os.PathLike[str] | None = None, only_if_updated: bool = True, **options: Any
    ) -> None:
        """Import every DAG file of a folder, or one file."""
        folder = os.path.abspath(dag_folder or self.dag_folder)
        for path in _files(folder, self.safe_mode):
            self.process_file(path)

    def process_file(self, filepath: str, only_if_updated: bool = True, safe_mode: bool = True) -> list[DAG]:
        """Import one file, take its DAGs, and return them."""
        path = os.path.abspath(filepath)
        root = self.dag_folder if os.path.isdir(self.dag_folder) else os.path.dirname(self.dag_folder)
        before = dict(sys.modules)
        loaded = load_file(path, bundle_root=root, relative_path=os.path.relpath(path, root))
        # A parser forgets the project's modules so that they are imported anew; here the caller may be one of them.
        for name, module in before.items():
            sys.modules.setdefault(name, module)
        self.import_errors.pop(path, None)
        if loaded.error is not None:
            self.import_errors[path] = loaded.error
        elif loaded.refused:
            self.import_errors[path] = "\n".join(loaded.refused.values())
        for dag_id, dag in loaded.dags.items():
            other = self.dags.get(dag_id)
            if other is not None and other.fileloc != dag.fileloc:
                self.import_errors[path] = f"DAG {dag_id!r} is defined in {other.fileloc} too"
                continue
            self.dags[dag_id] = dag
        if loaded.warnings:
            self.captured_warnings[path] = tuple(message for _, message in loaded.warnings)
        self.dagbag_stats.append(
            FileLoadStat(
                path.replace(root, "", 1),
                timedelta(seconds=loaded.seconds),
                len(loaded.dags),
                sum(len(dag.task_dict) for dag in loaded.dags.values()),
                str(sorted(loaded.dags)),
                len(loaded.warnings),
            )
        )
        return list(loaded.dags.values())


def _files(folder: str, safe_mode: bool) -> Iterator[str]:
    if os.path.isfile(folder):
        yield folder
        return
    for relative in find_dag_files(folder, syntax=ignore_syntax(), safe_mode=safe_mode).files:
        yield os.path.join(folder, relative)
