"""Task instances: marking, clearing, deleting."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import HTTPException
from fastapi import Query as QueryParam

from gnomon.api import targets
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public.errors import not_found
from gnomon.api.public.found import collection, dag_of, latest_version_wanted, members_of, require_run
from gnomon.api.public.models import task_instances as models
from gnomon.api.public.models.base import (
    BulkActionResponse,
    BulkBody,
    BulkDelete,
    BulkResponse,
    BulkUpdate,
    OnNonExistence,
    changed,
)
from gnomon.api.public.routes.dag_facts import newest
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.errors import StoreError
from gnomon.wire.dag import SerializedDag

_RUN = "/dags/{dag_id}/dagRuns/{dag_run_id}"
marks = router("Task Instance", ACCESS, f"{_RUN}/taskInstances")
clears = router("Task Instance", ACCESS, "/dags/{dag_id}")
groups = router("Task Instance", ACCESS, f"{_RUN}/taskGroupInstances")
Mask = Annotated[list[str] | None, QueryParam()]
MapIndex = Annotated[int, QueryParam(ge=-1)]


@marks.patch("/{task_id}")
def patch_task_instance(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: models.TaskInstancePatch,
    map_index: Annotated[int | None, QueryParam(ge=-1)] = None,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Mark a task instance (all instances of a mapped task without map_index), or change its note."""
    fields = changed(body, update_mask)
    ids = _mark(ctx, dag_id, dag_run_id, _marker(task_id, map_index), body, fields)
    return collection(ctx, ids)


@marks.patch("/{task_id}/dry_run")
def patch_task_instance_dry_run(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    body: models.TaskInstancePatch,
    map_index: Annotated[int | None, QueryParam(ge=-1)] = None,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Say which task instances a PATCH would mark."""
    fields = changed(body, update_mask)
    return collection(ctx, _mark(ctx, dag_id, dag_run_id, _marker(task_id, map_index), body, fields, dry_run=True))


@marks.patch("/{task_id}/{map_index}")
def patch_task_instance_by_map_index(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: int,
    body: models.TaskInstancePatch,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Mark one instance of a mapped task, or change its note."""
    return patch_task_instance(ctx, dag_id, dag_run_id, task_id, body, map_index, update_mask)


@marks.patch("/{task_id}/{map_index}/dry_run")
def patch_task_instance_dry_run_by_map_index(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: int,
    body: models.TaskInstancePatch,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Say which task instances a PATCH of one mapped instance would mark."""
    return patch_task_instance_dry_run(ctx, dag_id, dag_run_id, task_id, body, map_index, update_mask)


@groups.patch("/{group_id}")
def patch_task_group_instances(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    group_id: str,
    body: models.TaskInstancePatch,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Mark all task instances of a task group."""
    fields = changed(body, update_mask)
    return collection(ctx, _mark(ctx, dag_id, dag_run_id, _group(ctx, dag_id, group_id), body, fields))


@groups.patch("/{group_id}/dry_run")
def patch_task_group_instances_dry_run(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    group_id: str,
    body: models.TaskInstancePatch,
    update_mask: Mask = None,
) -> models.TaskInstanceCollection:
    """Say which task instances of a task group a PATCH would mark."""
    fields = changed(body, update_mask)
    markers = _group(ctx, dag_id, group_id)
    return collection(ctx, _mark(ctx, dag_id, dag_run_id, markers, body, fields, dry_run=True))


@marks.delete("/{task_id}", status_code=200)
def delete_task_instance(ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: MapIndex = -1) -> None:
    """Delete a task instance that is not running."""
    ctx.store.task_instances.delete(dag_id, dag_run_id, task_id, map_index)


@marks.patch("")
def bulk_task_instances(
    ctx: Ctx, dag_id: str, dag_run_id: str, body: BulkBody[models.BulkTaskInstance]
) -> BulkResponse:
    """Mark or delete several task instances."""
    answers: dict[str, BulkActionResponse] = {}
    for action in body.actions:
        answer = answers.setdefault(action.action, BulkActionResponse())
        if not isinstance(action, BulkUpdate | BulkDelete):
            answer.errors.append({"error": "Task instances bulk create is not supported", "status_code": 405})
            continue
        for entity in action.entities:
            _one_of_many(ctx, dag_id, dag_run_id, entity, action, answer)
    return BulkResponse(**answers)


@clears.post("/clearTaskInstances")
def post_clear_task_instances(ctx: Ctx, dag_id: str, body: models.ClearTaskInstances) -> models.TaskInstanceCollection:
    """Let task instances run again, or say which ones would."""
    dag, scope = newest(ctx, dag_id), targets.Scope(dag_id=dag_id, start=body.start_date, end=body.end_date)
    if body.dag_run_id is not None:
        run = require_run(ctx, dag_id, body.dag_run_id)
        dag = dag_of(ctx, run)
        scope = targets.Scope(dag_id=dag_id, run_id=run.run_id, logical_date=run.logical_date)
    try:
        chosen = targets.selection(
            dag,
            scope,
            body.task_ids,
            _spread(body),
            # only_failed is the default; asking for the running ones alone takes its place
            only_failed=body.only_failed and not body.only_running,
            only_running=body.only_running,
            to_run_again=True,
        )
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    now = clock.now()
    done = ctx.store.task_instances.clear(
        chosen,
        now,
        reset_runs=body.reset_dag_runs,
        run_on_latest_version=latest_version_wanted(ctx, dag_id, body.run_on_latest_version),
        prevent_running=body.prevent_running_task,
        dry_run=body.dry_run,
    )
    if body.note is not None and not body.dry_run:
        runs = {run.id: run.run_id for run in done.runs}
        for ti in done.task_instances:
            ctx.store.task_instances.set_note(
                dag_id, runs[ti.dag_run_id], ti.task_id, ti.map_index, body.note or None, now
            )
    return collection(ctx, [ti.id for ti in done.task_instances])


def _group(ctx: Context, dag_id: str, group_id: str) -> list[targets.Marker]:
    return list(members_of(newest(ctx, dag_id), group_id))


def _marker(task_id: str, map_index: int | None) -> list[targets.Marker]:
    return [task_id if map_index is None else (task_id, map_index)]


def _spread(body: models.TaskInstancePatch | models.ClearTaskInstances) -> targets.Spread:
    return targets.Spread(
        upstream=body.include_upstream,
        downstream=body.include_downstream,
        past=body.include_past,
        future=body.include_future,
    )


def _mark(
    ctx: Context,
    dag_id: str,
    run_id: str,
    markers: list[targets.Marker],
    body: models.TaskInstancePatch,
    fields: dict[str, Any],
    *,
    dry_run: bool = False,
) -> list[int]:
    """Mark and note; return the numbers of the task instances concerned."""
    run = require_run(ctx, dag_id, run_id)
    dag, store = dag_of(ctx, run), ctx.store.task_instances
    scope = targets.Scope(dag_id=dag_id, run_id=run_id, logical_date=run.logical_date)
    named = store.select(targets.selection(dag, scope, markers, targets.Spread()))
    if not named:
        raise not_found(f"No task instance of {markers} was found in DAG run `{run_id}` of `{dag_id}`")
    now, concerned = clock.now(), [ti.id for ti in named]
    if (state := fields.get("new_state")) is not None:
        try:
            chosen = targets.selection(dag, scope, markers, _spread(body))
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        forgets = conf.getboolean("state_store", "clear_on_success", fallback=False)
        changed_ones = store.set_state(chosen, state, now, dry_run=dry_run, forgets=forgets)
        if not changed_ones and not dry_run:
            raise HTTPException(409, f"The task instances are already in {state} state")
        concerned = [ti.id for ti in changed_ones]
        if not dry_run:
            _resume_below(ctx, dag, scope, markers, body)
    if "note" in fields and not dry_run:
        for ti in named:
            store.set_note(dag_id, run_id, ti.task_id, ti.map_index, fields["note"] or None, now)
    return concerned


def _resume_below(
    ctx: Context,
    dag: SerializedDag,
    scope: targets.Scope,
    markers: list[targets.Marker],
    body: models.TaskInstancePatch,
) -> None:
    """What failed below a task that was marked gets another chance, as in Airflow."""
    names = {marker if isinstance(marker, str) else marker[0] for marker in markers}
    below = sorted(targets.reachable(names, targets.downstream_of(dag)) - names)
    if below and not body.include_downstream:
        spread = targets.Spread(past=body.include_past, future=body.include_future)
        chosen = targets.selection(dag, scope, list(below), spread, only_failed=True)
        if ctx.store.task_instances.select(chosen):
            ctx.store.task_instances.clear(chosen, clock.now())


def _one_of_many(
    ctx: Context,
    dag_id: str,
    run_id: str,
    entity: models.BulkTaskInstance | str,
    action: BulkUpdate[models.BulkTaskInstance] | BulkDelete[models.BulkTaskInstance],
    answer: BulkActionResponse,
) -> None:
    one = models.BulkTaskInstance(task_id=entity) if isinstance(entity, str) else entity
    of_dag = one.dag_id or dag_id
    of_run = one.dag_run_id or run_id
    try:
        if "~" in (of_dag, of_run):
            raise HTTPException(400, f"dag_id and dag_run_id must be given for task {one.task_id!r}")
        markers = _marker(one.task_id, one.map_index)
        if isinstance(action, BulkUpdate):
            fields = changed(one, action.update_mask)
            _mark(ctx, of_dag, of_run, markers, one, fields)
        else:
            _delete_all(ctx, of_dag, of_run, markers)
        index = -1 if one.map_index is None else one.map_index
        answer.success.append(f"{of_dag}.{of_run}.{one.task_id}[{index}]")
    except HTTPException as error:
        skipped = error.status_code == 404 and action.action_on_non_existence is OnNonExistence.SKIP
        if not skipped:
            answer.errors.append({"error": error.detail, "status_code": error.status_code})
    except (StoreError, ValueError) as error:
        answer.errors.append({"error": str(error), "status_code": 400})


def _delete_all(ctx: Context, dag_id: str, run_id: str, markers: list[targets.Marker]) -> None:
    run = require_run(ctx, dag_id, run_id)
    scope = targets.Scope(dag_id=dag_id, run_id=run_id)
    found = ctx.store.task_instances.select(targets.selection(dag_of(ctx, run), scope, markers, targets.Spread()))
    if not found:
        raise not_found(f"No task instance of {markers} was found in DAG run `{run_id}` of `{dag_id}`")
    for ti in found:
        ctx.store.task_instances.delete(dag_id, run_id, ti.task_id, ti.map_index)
