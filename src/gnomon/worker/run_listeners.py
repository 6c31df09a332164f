"""Tells listeners what becomes of tasks and runs, where user code runs. Imported only when somebody listens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gnomon.model.states import TaskInstanceState
from gnomon.sdk import listeners
from gnomon.sdk.runtime.stored import ToldRun
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from gnomon.sdk.runtime.dag_run import DagRun
    from gnomon.worker.runner import Try

_OF_RUNS = {
    "dag_running": ("on_dag_run_running", "running"),
    "dag_success": ("on_dag_run_success", "success"),
    "dag_failure": ("on_dag_run_failed", "failed"),
}


def starting() -> None:
    """Say that the process of a task begins."""
    listeners.tell("on_starting", component=listeners.TaskRunnerMarker())


def running(piece: Try) -> None:
    """Say that a task is about to execute."""
    listeners.tell("on_task_instance_running", previous_state=TaskInstanceState.QUEUED, task_instance=piece.ti)


def ended(piece: Try, state: str, outcome: wire.Outcome) -> None:
    """Say how a try ended, and that its process is about to end."""
    about: dict[str, Any] = {"previous_state": TaskInstanceState.RUNNING, "task_instance": piece.ti}
    if state == "success":
        listeners.tell("on_task_instance_success", **about)
        for event in outcome.asset_events:
            _asset_changed(piece, event)
    elif state == "skipped":
        listeners.tell("on_task_instance_skipped", **about)
    elif state in ("failed", "up_for_retry"):
        listeners.tell("on_task_instance_failed", **about, error=piece.error)
    listeners.tell("before_stopping", component=listeners.TaskRunnerMarker())


def _asset_changed(piece: Try, event: dict[str, Any]) -> None:
    """Say that a task has updated an asset, as the control side is about to note it."""
    from gnomon.sdk.assets import AssetAlias
    from gnomon.sdk.listener_specs import AssetEvent

    asset = _asset_of(piece, event)
    if asset is None:
        return  # a reference to none that is active
    extra = event.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    ti, run, alias = piece.ti, piece.ti.dag_run, event.get("source_alias_name")
    listeners.tell("on_asset_changed", asset=asset)
    listeners.tell("on_dataset_changed", dataset=asset)
    key = event.get("partition_key")
    key = run.partition_key if key is None else key
    told = AssetEvent(
        asset, extra, ti.dag_id, ti.task_id, ti.run_id, ti.map_index,
        source_aliases=[] if alias is None else [AssetAlias(alias)],
        partition_key=key,
        partition_date=run.partition_date if key == run.partition_key else None,
    )  # fmt: skip
    listeners.tell("on_asset_event_emitted", asset_event=told)


def _asset_of(piece: Try, event: dict[str, Any]) -> Any:
    from gnomon.sdk.assets import Asset, AssetNameRef, AssetUriRef
    from gnomon.sdk.runtime.asset_events import resolved

    key = event.get("dest_asset_key")
    if key is None:
        ref = event["ref"]
        try:
            return resolved(AssetNameRef(ref["name"]) if ref.get("name") else AssetUriRef(ref["uri"]))
        except RuntimeError:
            return None
    known = [one for one in piece.task.outlets if isinstance(one, Asset) and one.name == key["name"]]
    return known[0] if known else Asset(name=key["name"], uri=key["uri"])


def of_callback(workload: wire.CallbackWorkload, run: DagRun, dag: Any, ti: Any, error: str) -> None:
    """Say what the scheduler has decided on a run, or on a task whose process is gone."""
    if workload.kind in _OF_RUNS:
        name, state = _OF_RUNS[workload.kind]
        listeners.tell(name, dag_run=ToldRun(run, dag, state), msg=workload.reason)
        # Some leave the work to other processes, and wait for these only then.
        listeners.tell("before_stopping", component=listeners.TaskRunnerMarker())
    elif ti is not None:
        listeners.tell(
            "on_task_instance_failed", previous_state=TaskInstanceState.RUNNING, task_instance=ti, error=error
        )
