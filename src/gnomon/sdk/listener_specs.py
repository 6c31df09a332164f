"""What listeners can hear of; a listener takes as many of the arguments as it likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pluggy import HookspecMarker

hookspec = HookspecMarker("airflow")


@dataclass
class AssetEvent:
    """What `on_asset_event_emitted` is told."""

    asset: Any
    extra: dict[str, Any]
    source_dag_id: str | None
    source_task_id: str | None
    source_run_id: str | None
    source_map_index: int | None
    source_aliases: list[Any] = field(default_factory=list)
    partition_key: str | None = None
    partition_date: Any = None


@hookspec
def on_starting(component: Any) -> None:
    """A task's process begins, before anything else of it; a scheduler, triggerer or dag-processor has begun."""


@hookspec
def before_stopping(component: Any) -> None:
    """A task's process ends, after everything else of it; a scheduler, triggerer or dag-processor has ended."""


@hookspec
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """A task is about to execute."""


@hookspec
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """A task succeeded, or somebody says so."""


@hookspec
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """A try of a task failed, whether another one follows or not, or somebody says so."""


@hookspec
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """A task skipped itself, or somebody says so."""


@hookspec
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """A run began."""


@hookspec
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """A run succeeded, or somebody says so."""


@hookspec
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """A run failed, or somebody says so."""


@hookspec
def on_asset_created(asset: Any) -> None:
    """An asset is new."""


@hookspec
def on_asset_alias_created(asset_alias: Any) -> None:
    """An asset alias is new."""


@hookspec
def on_asset_changed(asset: Any) -> None:
    """A task, a request or a watcher has updated an asset."""


@hookspec
def on_asset_event_emitted(asset_event: Any) -> None:
    """The same as `on_asset_changed`, with the event."""


@hookspec
def on_new_dag_import_error(filename: Any, stacktrace: Any) -> None:
    """A DAG file that could be imported, or is new, cannot be any more."""


@hookspec
def on_existing_dag_import_error(filename: Any, stacktrace: Any) -> None:
    """A DAG file still cannot be imported."""


@hookspec
def on_dataset_created(dataset: Any) -> None:
    """`on_asset_created`, by its name of Airflow 2."""


@hookspec
def on_dataset_changed(dataset: Any) -> None:
    """`on_asset_changed`, by its name of Airflow 2."""
