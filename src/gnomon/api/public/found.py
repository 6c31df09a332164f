"""Looking up what several routes need of runs and task instances."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import HTTPException

from gnomon.api import targets
from gnomon.api.context import Context
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import task_instances as models
from gnomon.api.public.routes.dag_facts import newest
from gnomon.service.config import conf
from gnomon.store.reads import task_instances as reads
from gnomon.store.records import Run
from gnomon.wire.dag import SerializedDag


def cleared_rows(ctx: Context, ids: Sequence[int]) -> list[models.TaskInstance]:
    """Return the task instances with these numbers as responses show them."""
    with ctx.snapshot() as conn:
        rows = reads.matching_ids(conn, ctx.versions, ids)
    return [models.TaskInstance.model_validate(row) for row in rows]


def latest_version_wanted(ctx: Context, dag_id: str, asked: bool | None) -> bool:
    """Say whether a clear goes on with the newest version: as asked, else as the DAG or the setting says."""
    if asked is not None:
        return asked
    said = newest(ctx, dag_id).rerun_with_latest_version
    return conf.getboolean("core", "rerun_with_latest_version", fallback=False) if said is None else said


def collection(ctx: Context, ids: Sequence[int]) -> models.TaskInstanceCollection:
    """Return the task instances with these numbers as one page."""
    rows = cleared_rows(ctx, ids)
    return models.TaskInstanceCollection(task_instances=rows, total_entries=len(rows))


def missing(
    dag_id: str, run_id: str, task_id: str, map_index: int | None = None, try_number: int | None = None
) -> HTTPException:
    """Return the answer for a task instance that is not there."""
    parts = [f"dag_id: `{dag_id}`", f"run_id: `{run_id}`", f"task_id: `{task_id}`"]
    if try_number is not None:
        parts.append(f"try_number: `{try_number}`")
    if map_index is not None:
        parts.append(f"map_index: `{map_index}`")
    return not_found(f"The Task Instance with {', '.join(parts)} was not found")


def require_run(ctx: Context, dag_id: str, run_id: str) -> Run:
    """Return a run.

    Raises:
        HTTPException: 404, there is none.
    """
    run = ctx.store.runs.by_run_id(dag_id, run_id)
    if run is None:
        raise not_found(f"DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return run


def dag_of(ctx: Context, run: Run) -> SerializedDag:
    """Return the DAG version that a run goes by; the newest, if that is gone."""
    with ctx.read() as conn:
        dag = ctx.versions.dag(conn, run.version_id)
    return dag if dag is not None else newest(ctx, run.dag_id)


def members_of(dag: SerializedDag, group_id: str) -> list[str]:
    """Return the tasks of a task group.

    Raises:
        HTTPException: 404, there is no such group.
    """
    members = targets.members(dag, group_id)
    if members is None:
        raise not_found(f"Task group '{group_id}' not found in DAG '{dag.dag_id}'")
    return members
