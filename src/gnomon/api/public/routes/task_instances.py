"""Task instances: lists, tries, marking, clearing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi import Query as QueryParam
from sqlalchemy import ColumnElement

from gnomon.api import targets
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
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
from gnomon.model.states import TaskInstanceState
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.errors import StoreError
from gnomon.store.reads import task_instances as reads
from gnomon.store.reads.listing import Query
from gnomon.store.records import Run
from gnomon.wire.dag import SerializedDag

RUN = "/dags/{dag_id}/dagRuns/{dag_run_id}"
listed = router("Task Instance", ACCESS, f"{RUN}/taskInstances")
clears = router("Task Instance", ACCESS, "/dags/{dag_id}")
groups = router("Task Instance", ACCESS, f"{RUN}/taskGroupInstances")
_listing = params.Reader(reads.TASK_INSTANCES)
Mask = Annotated[list[str] | None, QueryParam()]
MapIndex = Annotated[int, QueryParam(ge=-1)]


# --------------------------------------------------------------------------------------------------- reading


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
        _require_run(ctx, dag_id, dag_run_id)
    elif dag_id != "~":
        newest(ctx, dag_id)
    members = None if task_group_id is None or dag_id == "~" else _members(newest(ctx, dag_id), task_group_id)
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
        raise _missing(dag_id, dag_run_id, task_id)
    if rows[0]["map_index"] != -1:
        raise not_found("Task instance is mapped, add the map_index value to the URL")
    return models.TaskInstance.model_validate(rows[0])


@listed.get("/{task_id}/listMapped", openapi_extra=_listing.openapi())
def get_mapped_task_instances(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, query: Annotated[Query, Depends(_listing)]
) -> models.TaskInstanceCollection:
    """Return a page of the instances of a mapped task."""
    _require_run(ctx, dag_id, dag_run_id)
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
    run = _require_run(ctx, dag_id, dag_run_id)
    dag = _dag_of(ctx, run)
    found = _waits_for(ctx, run, dag, task_id)
    return models.DependencyCollection(dependencies=found)


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
    raise _missing(dag_id, dag_run_id, task_id, map_index, task_try_number)


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


# -------------------------------------------------------------------------------------------------- marking


@listed.patch("/{task_id}")
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
    return _collection(ctx, ids)


@listed.patch("/{task_id}/dry_run")
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
    return _collection(ctx, _mark(ctx, dag_id, dag_run_id, _marker(task_id, map_index), body, fields, dry_run=True))


@listed.patch("/{task_id}/{map_index}")
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


@listed.patch("/{task_id}/{map_index}/dry_run")
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
    return _collection(ctx, _mark(ctx, dag_id, dag_run_id, _group(ctx, dag_id, group_id), body, fields))


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
    return _collection(ctx, _mark(ctx, dag_id, dag_run_id, markers, body, fields, dry_run=True))


@listed.delete("/{task_id}", status_code=200)
def delete_task_instance(ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: MapIndex = -1) -> None:
    """Delete a task instance that is not running."""
    ctx.store.task_instances.delete(dag_id, dag_run_id, task_id, map_index)


@listed.patch("")
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
        run = _require_run(ctx, dag_id, body.dag_run_id)
        dag = _dag_of(ctx, run)
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
    return _collection(ctx, [ti.id for ti in done.task_instances])


# ------------------------------------------------------------------------------------- shared with the runs


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


# ------------------------------------------------------------------------------------------------ the steps


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


def _collection(ctx: Context, ids: Sequence[int]) -> models.TaskInstanceCollection:
    rows = cleared_rows(ctx, ids)
    return models.TaskInstanceCollection(task_instances=rows, total_entries=len(rows))


def _row(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
    with ctx.snapshot() as conn:
        where = [*_of(dag_id, run_id, task_id), *reads.narrow(map_index=map_index)]
        rows = reads.matching(conn, ctx.versions, *where)
    if not rows:
        raise _missing(dag_id, run_id, task_id, map_index)
    return rows[0]


def _tries(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[dict[str, Any]]:
    with ctx.snapshot() as conn:
        where = [*_of(dag_id, run_id, task_id), *reads.narrow(map_index=map_index)]
        rows = reads.tries(conn, ctx.versions, *where)
        if not rows and not reads.matching(conn, ctx.versions, *where):
            raise _missing(dag_id, run_id, task_id, map_index)
    return rows


def _missing(
    dag_id: str, run_id: str, task_id: str, map_index: int | None = None, try_number: int | None = None
) -> HTTPException:
    parts = [f"dag_id: `{dag_id}`", f"run_id: `{run_id}`", f"task_id: `{task_id}`"]
    if try_number is not None:
        parts.append(f"try_number: `{try_number}`")
    if map_index is not None:
        parts.append(f"map_index: `{map_index}`")
    return not_found(f"The Task Instance with {', '.join(parts)} was not found")


def _require_run(ctx: Context, dag_id: str, run_id: str) -> Run:
    run = ctx.store.runs.by_run_id(dag_id, run_id)
    if run is None:
        raise not_found(f"DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return run


def _dag_of(ctx: Context, run: Run) -> SerializedDag:
    with ctx.read() as conn:
        dag = ctx.versions.dag(conn, run.version_id)
    return dag if dag is not None else newest(ctx, run.dag_id)


def _members(dag: SerializedDag, group_id: str) -> list[str]:
    members = targets.members(dag, group_id)
    if members is None:
        raise not_found(f"Task group '{group_id}' not found in DAG '{dag.dag_id}'")
    return members


def _group(ctx: Context, dag_id: str, group_id: str) -> list[targets.Marker]:
    return list(_members(newest(ctx, dag_id), group_id))


def _in_mapped_group(dag: SerializedDag, group_id: str | None) -> bool:
    by_id = {group.group_id: group for group in dag.groups}
    while group_id is not None and (group := by_id.get(group_id)) is not None:
        if group.expand is not None:
            return True
        group_id = group.parent
    return False


def _waits_for(ctx: Context, run: Run, dag: SerializedDag, task_id: str) -> list[models.Dependency]:
    found = []
    if ctx.store.dags.get(run.dag_id).is_paused:  # type: ignore[union-attr]
        found.append(models.Dependency(name="Dag Not Paused", reason=f"Dag '{run.dag_id}' is paused."))
    if run.state != "running":
        found.append(models.Dependency(name="Dagrun Running", reason=f"The run is {run.state}, not running."))
    task = next((task for task in dag.tasks if task.task_id == task_id), None)
    if task is None:
        return found
    states = ctx.store.task_instances.states(run.dag_id, task_ids=task.upstream, run_ids=[run.run_id])
    waiting = sorted({name for _, name, _, state in states if state not in targets.DONE})
    if waiting and task.trigger_rule != "always":
        reason = f"Task's trigger rule '{task.trigger_rule}' waits for {', '.join(waiting)}."
        found.append(models.Dependency(name="Trigger Rule", reason=reason))
    return found


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
    run = _require_run(ctx, dag_id, run_id)
    dag, store = _dag_of(ctx, run), ctx.store.task_instances
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
        changed_ones = store.set_state(chosen, state, now, dry_run=dry_run)
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
    run = _require_run(ctx, dag_id, run_id)
    scope = targets.Scope(dag_id=dag_id, run_id=run_id)
    found = ctx.store.task_instances.select(targets.selection(_dag_of(ctx, run), scope, markers, targets.Spread()))
    if not found:
        raise not_found(f"No task instance of {markers} was found in DAG run `{run_id}` of `{dag_id}`")
    for ti in found:
        ctx.store.task_instances.delete(dag_id, run_id, ti.task_id, ti.map_index)
