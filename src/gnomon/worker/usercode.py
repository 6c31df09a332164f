"""What the worker's processes do with user code: the one seam between them and SDK, parsing and runner.

A worker is started with the name of a module that has these functions; tests and benchmarks of the processes alone
pass a smaller one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gnomon.wire.execution import CallbackWorkload, FileRef, Workload

if TYPE_CHECKING:
    from gnomon.parsing.loader import LoadedFile
    from gnomon.sdk.runtime.channel import TaskChannel


def preload() -> None:
    """Import, once in the base process, what every task needs."""
    from gnomon.parsing import loader  # noqa: F401
    from gnomon.service.entry_points import entry_points
    from gnomon.worker import runner

    entry_points("airflow.plugins")  # which templates look at, each for itself
    runner.preload()


@cache
def rehearsal_dag() -> Any:
    """Return a DAG with one task, `nothing`, that does nothing."""
    from gnomon.worker import rehearsal

    return rehearsal.make_dag()


def load_file(file: FileRef) -> LoadedFile:
    """Import a DAG file in this process."""
    from gnomon.parsing import loader
    from gnomon.sdk.runtime import xcom

    loaded = loader.load_file(file.path, bundle_root=file.bundle_root, relative_path=file.relative_path)
    xcom.preload(with_project=True)
    return loaded


def run_try(workload: Workload, dag: Any, channel: TaskChannel) -> None:
    """Run one piece of a try, up to its report."""
    from gnomon.worker import runner

    runner.run_try(workload, dag, channel)


def run_callback(workload: CallbackWorkload, dags: dict[str, Any], channel: TaskChannel) -> None:
    """Run callbacks that no task process can run any more."""
    from gnomon.worker import runner

    runner.run_callback(workload, dags, channel)
