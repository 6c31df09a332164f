"""Task instances: lists, one of them, its tries, what it waits for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi import Query as QueryParam
from sqlalchemy import ColumnElement

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.found import dag_of, members_of, missing, require_run
from gnomon.api.public.models import task_instances as models
from gnomon.api.public.routes.dag_facts import newest
from gnomon.api.unmet import unmet
from gnomon.model.states import TaskInstanceState
from gnomon.service import clock
from gnomon.store.reads import task_instances as reads
from gnomon.store.reads.listing import Query
from gnomon.wire.dag import SerializedDag

listed = router("Task Instance", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances")
_listing = params.Reader(reads.TASK_INSTANCES)
MapIndex = Annotated[int, QueryParam(ge=-1)]


@listed.get("", openapi_extra=_listing.openapi())
def get_task_instances(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    query: Annotated[Query, Depends(_listing)],
    task_group_id: str | None = None,
) -> models.TaskInstanceCollection:
    """Return a page of task instances; "~" stands for any DAG or run; by offset, or by cursor."""
    if dag_id == "~" and dag_run_id != "~":
        raise HTTPException(400, "dag_id is required when dag_run_id is specified")
    if dag_run_id != "~":
        require_run(ctx, dag_id, dag_run_id)
    elif dag_id != "~":
        newest(ctx, dag_id)
    members = None if task_group_id is None or dag_id == "~" else members_of(newest(ctx, dag_id), task_group_id)
    where = reads.narrow(
        dag_ids=None if dag_id == "~" else [dag_id],
        run_ids=None if dag_run_id == "~" else [dag_run_id],
        task_ids=members,
    )
    return _page(ctx, query, where)


@listed.post("/list")
def get_task_instances_batch(
    ctx: Ctx, dag_id: str, dag_run_id: str, body: models.TaskInstancesBatch
) -> models.TaskInstanceCollection:
    """Return a page of the task instances of many runs; the path must say "~" twice."""
    for name, value in (("dag_id", dag_id), ("dag_run_id", dag_run_id)):
        if value != "~":
            raise params.invalid("path", name, "Input should be '~'", value)
    query = params.from_body(body, drop={"dag_ids", "dag_run_ids", "task_ids"})
    where = reads.narrow(dag_ids=body.dag_ids, run_ids=body.dag_run_ids, task_ids=body.task_ids)
    return _page(ctx, query, where)


@listed.get("/{task_id}")
def get_task_instance(ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str) -> models.TaskInstance:
    """Return the one task instance of a task that is not mapped."""
    with ctx.snapshot() as conn:
        rows = reads.matching(conn, ctx.versions, *_of(dag_id, dag_run_id, task_id))
    if not rows:
        raise missing(dag_id, dag_run_id, task_id)
    if rows[0]["map_index"] != -1:
        raise not_found("Task instance is mapped, add the map_index value to the URL")
    return models.TaskInstance.model_validate(rows[0])


@listed.get("/{task_id}/listMapped", openapi_extra=_listing.openapi())
def get_mapped_task_instances(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, query: Annotated[Query, Depends(_listing)]
) -> models.TaskInstanceCollection:
    """Return a page of the instances of a mapped task."""
    require_run(ctx, dag_id, dag_run_id)
    page = _page(ctx, query, [*_of(dag_id, dag_run_id, task_id), *reads.narrow(mapped=True)])
    if not page.total_entries and not query.values:
        dag = newest(ctx, dag_id)
        task = next((task for task in dag.tasks if task.task_id == task_id), None)
        if task is None:
            raise not_found(f"Task id {task_id} not found")
        if task.expand is None and not _in_mapped_group(dag, task.group):
            raise not_found(f"Task id {task_id} is not mapped")
    return page


@listed.get("/{task_id}/dependencies")
def get_task_instance_dependencies(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: MapIndex = -1
) -> models.DependencyCollection:
    """Say why a task instance that has not been queued does not run yet."""
    row = _row(ctx, dag_id, dag_run_id, task_id, map_index)
    if row["state"] not in (None, TaskInstanceState.SCHEDULED):
        return models.DependencyCollection(dependencies=[])
    run = require_run(ctx, dag_id, dag_run_id)
    dag = dag_of(ctx, run)
    ti = ctx.store.task_instances.get(dag_id, dag_run_id, task_id, map_index)
    found = unmet(ctx.store, dag, run, ti, clock.now())
    return models.DependencyCollection(
        dependencies=[models.Dependency(name=one.name, reason=one.reason) for one in found]
    )


@listed.get("/{task_id}/{map_index}/dependencies")
def get_task_instance_dependencies_by_map_index(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> models.DependencyCollection:
    """Say why a mapped task instance does not run yet."""
    return get_task_instance_dependencies(ctx, dag_id, dag_run_id, task_id, map_index)


@listed.get("/{task_id}/tries")
def get_task_instance_tries(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: MapIndex = -1
) -> models.TaskInstanceTryCollection:
    """Return the tries of a task instance, the first one first."""
    rows = _tries(ctx, dag_id, dag_run_id, task_id, map_index)
    found = [models.TaskInstanceTry.model_validate(row) for row in rows]
    return models.TaskInstanceTryCollection(task_instances=found, total_entries=len(found))


@listed.get("/{task_id}/{map_index}/tries")
def get_mapped_task_instance_tries(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> models.TaskInstanceTryCollection:
    """Return the tries of a mapped task instance."""
    return get_task_instance_tries(ctx, dag_id, dag_run_id, task_id, map_index)


@listed.get("/{task_id}/tries/{task_try_number}")
def get_task_instance_try_details(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, task_try_number: int, map_index: MapIndex = -1
) -> models.TaskInstanceTry:
    """Return one try of a task instance."""
    for row in _tries(ctx, dag_id, dag_run_id, task_id, map_index):
        if row["try_number"] == task_try_number:
            return models.TaskInstanceTry.model_validate(row)
    raise missing(dag_id, dag_run_id, task_id, map_index, task_try_number)


@listed.get("/{task_id}/{map_index}/tries/{task_try_number}")
def get_mapped_task_instance_try_details(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int, task_try_number: int
) -> models.TaskInstanceTry:
    """Return one try of a mapped task instance."""
    return get_task_instance_try_details(ctx, dag_id, dag_run_id, task_id, task_try_number, map_index)


@listed.get("/{task_id}/{map_index}")
def get_mapped_task_instance(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int
) -> models.TaskInstance:
    """Return one instance of a mapped task."""
    return models.TaskInstance.model_validate(_row(ctx, dag_id, dag_run_id, task_id, map_index))


def _of(dag_id: str, run_id: str, task_id: str) -> list[ColumnElement[bool]]:
    return reads.narrow(dag_ids=[dag_id], run_ids=[run_id], task_ids=[task_id])


def _page(ctx: Context, query: Query, where: list[ColumnElement[bool]]) -> models.TaskInstanceCollection:
    with ctx.snapshot() as conn:
        page = reads.page(conn, ctx.versions, query, *where)
    return models.TaskInstanceCollection(
        task_instances=[models.TaskInstance.model_validate(row) for row in page.rows],
        total_entries=page.total,
        total_entries_limit=page.total_limit,
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def _row(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
    with ctx.snapshot() as conn:
        where = [*_of(dag_id, run_id, task_id), *reads.narrow(map_index=map_index)]
        rows = reads.matching(conn, ctx.versions, *where)
    if not rows:
        raise missing(dag_id, run_id, task_id, map_index)
    return rows[0]


def _tries(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[dict[str, Any]]:
    with ctx.snapshot() as conn:
        where = [*_of(dag_id, run_id, task_id), *reads.narrow(map_index=map_index)]
        rows = reads.tries(conn, ctx.versions, *where)
        if not rows and not reads.matching(conn, ctx.versions, *where):
            raise missing(dag_id, run_id, task_id, map_index)
    return rows


def _in_mapped_group(dag: SerializedDag, group_id: str | None) -> bool:
    by_id = {group.group_id: group for group in dag.groups}
    while group_id is not None and (group := by_id.get(group_id)) is not None:
        if group.expand is not None:
            return True
        group_id = group.parent
    return False
