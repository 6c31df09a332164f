"""DAG runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.clear_partitions import PartitionSelection, clear_partitions
from gnomon.api.context import Context, Ctx, CurrentUser, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.found import cleared_rows, latest_version_wanted
from gnomon.api.public.models import runs as models
from gnomon.api.public.models.base import (
    BulkActionResponse,
    BulkBody,
    BulkDelete,
    BulkResponse,
    BulkUpdate,
    OnNonExistence,
    changed,
)
from gnomon.api.public.models.task_instances import ClearedCollection, NewTask
from gnomon.api.public.routes.dag_facts import newest
from gnomon.api.triggering import TriggerRequest, trigger_run
from gnomon.model.states import RUN_FINISHED, DagRunState
from gnomon.model.timetables import DataInterval
from gnomon.service import clock
from gnomon.store.errors import Conflict, StoreError
from gnomon.store.reads import runs as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.records import Run
from gnomon.store.task_instances import Selection

runs = router("DagRun", ACCESS, "/dags/{dag_id}/dagRuns")
clears = router("DagRun", ACCESS, "/dags/{dag_id}")
_listing = params.Reader(reads.RUNS)
_NDJSON = "application/x-ndjson"
_BETWEEN_LOOKS = 0.1


@runs.get("", openapi_extra=_listing.openapi())
def get_dag_runs(ctx: Ctx, dag_id: str, query: Annotated[Asked, Depends(_listing)]) -> models.DagRunCollection:
    """Return a page of the runs of a DAG, or of all with "~"; by offset, or by cursor."""
    if dag_id != "~" and ctx.store.dags.get(dag_id) is None:
        raise not_found(f"The Dag with ID: `{dag_id}` was not found")
    where = [] if dag_id == "~" else [reads.of_dags([dag_id])]
    with ctx.snapshot() as conn:
        page = reads.page(conn, query, *where)
    return models.DagRunCollection(
        dag_runs=[models.DagRun.model_validate(row) for row in page.rows],
        total_entries=page.total,
        total_entries_limit=page.total_limit,
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


@runs.post("/list")
def get_list_dag_runs_batch(ctx: Ctx, dag_id: str, body: models.DagRunsBatch) -> models.DagRunCollection:
    """Return a page of the runs of many DAGs; the path must say "~"."""
    if dag_id != "~":
        raise params.invalid("path", "dag_id", "Input should be '~'", dag_id)
    query = params.from_body(body, rename={"states": "state"}, drop={"dag_ids"})
    where = [] if body.dag_ids is None else [reads.of_dags(body.dag_ids)]
    with ctx.snapshot() as conn:
        page = reads.page(conn, query, *where)
    rows = [models.DagRun.model_validate(row) for row in page.rows]
    return models.DagRunCollection(dag_runs=rows, total_entries=page.total)


@runs.post("")
def trigger_dag_run(
    ctx: Ctx, user: CurrentUser, request: Request, dag_id: str, body: models.DagRunTrigger
) -> models.DagRun:
    """Create a run; the scheduler starts it as soon as limits and pausing allow."""
    interval = None
    if body.data_interval_start is not None and body.data_interval_end is not None:
        interval = DataInterval(body.data_interval_start, body.data_interval_end)
    run = trigger_run(
        ctx.store,
        ctx.versions,
        TriggerRequest(
            dag_id=dag_id,
            now=clock.now(),
            run_id=body.dag_run_id,
            logical_date=body.logical_date,
            run_after=body.run_after,
            data_interval=interval,
            conf=body.conf,
            note=body.note or None,
            partition_key=body.partition_key,
            triggered_by="ui" if request.headers.get("referer") else "rest_api",
            user=user.name,
        ),
    )
    return _shown(ctx, dag_id, run.run_id)


@runs.get("/{dag_run_id}")
def get_dag_run(ctx: Ctx, dag_id: str, dag_run_id: str) -> models.DagRun:
    """Return one run."""
    return _shown(ctx, dag_id, dag_run_id)


@runs.patch("/{dag_run_id}")
def patch_dag_run(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    body: models.DagRunPatch,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> models.DagRun:
    """Mark a run, or change its note; an empty note takes it away."""
    _patch(ctx, dag_id, dag_run_id, changed(body, update_mask))
    return _shown(ctx, dag_id, dag_run_id)


@runs.delete("/{dag_run_id}", status_code=204)
def delete_dag_run(ctx: Ctx, dag_id: str, dag_run_id: str) -> None:
    """Delete a run that is not running, with all that belongs to it."""
    _delete(ctx, dag_id, dag_run_id)


@runs.patch("")
def bulk_dag_runs(ctx: Ctx, dag_id: str, body: BulkBody[models.BulkDagRun]) -> BulkResponse:
    """Mark or delete several runs."""
    answers: dict[str, BulkActionResponse] = {}
    for action in body.actions:
        answer = answers.setdefault(action.action, BulkActionResponse())
        if not isinstance(action, BulkUpdate | BulkDelete):
            answer.errors.append({"error": "DAG runs cannot be created in bulk", "status_code": 405})
            continue
        for entity in action.entities:
            _one_of_many(ctx, dag_id, entity, action, answer)
    return BulkResponse(**answers)


@runs.post("/{dag_run_id}/clear", response_model=ClearedCollection | models.DagRun)
def clear_dag_run(ctx: Ctx, dag_id: str, dag_run_id: str, body: models.DagRunClear) -> Any:
    """Let the tasks of a run go again, or say which ones would."""
    if body.dry_run:
        rows = _would_clear(ctx, dag_id, dag_run_id, body)
        return ClearedCollection(task_instances=rows, total_entries=len(rows))
    _clear(ctx, dag_id, dag_run_id, body)
    return _shown(ctx, dag_id, dag_run_id)


@clears.post("/clearDagRuns", response_model=ClearedCollection | models.DagRunCollection)
def clear_dag_runs(ctx: Ctx, dag_id: str, body: models.DagRunClearMany) -> Any:
    """Let the tasks of several runs go again, or say which ones would."""
    named = dict.fromkeys((_dag_of(dag_id, run), run.dag_run_id) for run in body.dag_runs)
    for one in named:
        _require(ctx, *one)
    if body.dry_run:
        rows = [row for one in named for row in _would_clear(ctx, *one, body)]
        return ClearedCollection(task_instances=rows, total_entries=len(rows))
    for one in named:
        _clear(ctx, *one, body)
    found = [_shown(ctx, *one) for one in named]
    return models.DagRunCollection(dag_runs=found, total_entries=len(found))


@clears.post("/clearPartitions")
def clear_dag_run_partitions(ctx: Ctx, dag_id: str, body: models.ClearPartitions) -> models.ClearedPartitions:
    """Take key and date of their partition away from runs."""
    chosen = PartitionSelection(
        dag_id=dag_id,
        run_id=body.run_id,
        partition_key=body.partition_key,
        start=body.partition_date_start,
        end=body.partition_date_end,
    )
    found, count = clear_partitions(
        ctx.store, ctx.versions, chosen, task_instances=body.clear_task_instances, dry_run=body.dry_run
    )
    cleared = [run for run in found if run.partition_key is not None or run.partition_date is not None]
    return models.ClearedPartitions(dag_runs_cleared=len(cleared), task_instances_cleared=count, dry_run=body.dry_run)


@runs.get("/{dag_run_id}/wait", response_class=StreamingResponse)
def wait_dag_run_until_finished(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    interval: Annotated[float, Query(gt=0.0)],
    result: Annotated[list[str] | None, Query()] = None,
) -> StreamingResponse:
    """Stream the state of a run, one JSON object a line, until it is over; then with the results of the named tasks.

    There is a line each `interval` seconds, and the last one as soon as the run is over.
    """
    run = ctx.store.runs.by_run_id(dag_id, dag_run_id)
    if run is None:
        raise _missing(dag_id, dag_run_id)
    return StreamingResponse(_states(ctx, run, interval, result or []), media_type=_NDJSON)


async def _states(ctx: Context, run: Run, interval: float, result: list[str]) -> AsyncIterator[bytes]:
    with ctx.run_watch.of(run.id) as moved:
        while True:
            state = await _state(ctx, run)
            if state is None or state in RUN_FINISHED:
                break
            yield msgspec.json.encode({"state": state}) + b"\n"
            await _over_or_passed(ctx, run, moved, interval)
    line: dict[str, Any] = {"state": state}
    if result:
        line["results"] = await run_in_threadpool(_results, ctx, run.dag_id, run.run_id, result)
    yield msgspec.json.encode(line) + b"\n"


async def _state(ctx: Context, run: Run) -> str | None:
    found = await run_in_threadpool(ctx.store.runs.get, run.id)
    return None if found is None else found.state


async def _over_or_passed(ctx: Context, run: Run, moved: asyncio.Event, interval: float) -> None:
    """Return when the run is over, or the interval has passed."""
    try:
        async with asyncio.timeout(interval):
            while True:
                await moved.wait()
                moved.clear()
                if await _state(ctx, run) in (None, *RUN_FINISHED):
                    return
                await asyncio.sleep(_BETWEEN_LOOKS)  # a busy run moves many times a second
    except TimeoutError:
        pass


def _results(ctx: Context, dag_id: str, run_id: str, task_ids: list[str]) -> dict[str, Any]:
    """The return values by task; those of a mapped task are a list."""
    found: dict[str, Any] = {}
    for one in ctx.store.xcoms.get_many(dag_id, run_id, task_ids=task_ids):
        value = msgspec.json.decode(one.value)
        if one.map_index < 0:
            found[one.task_id] = value
        else:
            found.setdefault(one.task_id, []).append(value)
    return found


# ------------------------------------------------------------------------------------------------ the steps


def _shown(ctx: Context, dag_id: str, run_id: str) -> models.DagRun:
    with ctx.snapshot() as conn:
        row = reads.one(conn, dag_id, run_id)
    if row is None:
        raise _missing(dag_id, run_id)
    return models.DagRun.model_validate(row)


def _missing(dag_id: str, run_id: str) -> HTTPException:
    return not_found(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")


def _require(ctx: Context, dag_id: str, run_id: str) -> None:
    with ctx.read() as conn:
        if reads.state(conn, dag_id, run_id) is None:
            raise _missing(dag_id, run_id)


def _patch(ctx: Context, dag_id: str, run_id: str, changes: dict[str, Any]) -> None:
    _require(ctx, dag_id, run_id)
    now = clock.now()
    if "note" in changes:
        ctx.store.runs.set_note(dag_id, run_id, changes["note"] or None, now)
    if changes.get("state") is not None:
        ctx.store.runs.set_state(dag_id, run_id, changes["state"], now)


def _delete(ctx: Context, dag_id: str, run_id: str) -> None:
    with ctx.read() as conn:
        state = reads.state(conn, dag_id, run_id)
    if state is None:
        raise _missing(dag_id, run_id)
    if state == DagRunState.RUNNING:
        raise Conflict(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` cannot be deleted in {state} state")
    ctx.store.runs.delete(dag_id, run_id)


def _dag_of(dag_id: str, run: models.BulkDagRun) -> str:
    """The DAG of a run in a body: the path's, unless that is "~"."""
    if dag_id == "~":
        if not run.dag_id or run.dag_id == "~":
            raise HTTPException(400, f"dag_id is missing for dag_run_id {run.dag_run_id!r}; the path says '~'")
        return run.dag_id
    if run.dag_id not in (None, dag_id):
        raise HTTPException(400, f"dag_id {run.dag_id!r} is not that of the path, {dag_id!r}")
    return dag_id


def _one_of_many(
    ctx: Context,
    dag_id: str,
    entity: models.BulkDagRun | str,
    action: BulkUpdate[models.BulkDagRun] | BulkDelete[models.BulkDagRun],
    answer: BulkActionResponse,
) -> None:
    run = models.BulkDagRun(dag_run_id=entity) if isinstance(entity, str) else entity
    try:
        of = _dag_of(dag_id, run)
        if isinstance(action, BulkUpdate):
            fields = changed(run, action.update_mask)
            _patch(ctx, of, run.dag_run_id, {name: fields[name] for name in ("note", "state") if name in fields})
        else:
            _delete(ctx, of, run.dag_run_id)
        answer.success.append(f"{of}.{run.dag_run_id}")
    except HTTPException as error:
        skipped = error.status_code == 404 and action.action_on_non_existence is OnNonExistence.SKIP
        if not skipped:
            answer.errors.append({"error": error.detail, "status_code": error.status_code})
    except Conflict as error:
        answer.errors.append({"error": str(error), "status_code": 409})
    except (StoreError, ValueError) as error:
        answer.errors.append({"error": str(error), "status_code": 400})


def _would_clear(ctx: Context, dag_id: str, run_id: str, body: models.DagRunClear) -> list[Any]:
    _require(ctx, dag_id, run_id)
    if body.only_new:
        have = {ti.task_id for ti in ctx.store.task_instances.select(Selection(dag_id=dag_id, run_ids=[run_id]))}
        return [
            NewTask(task_id=task.task_id, task_display_name=task.task_display_name or task.task_id)
            for task in newest(ctx, dag_id).tasks
            if task.task_id not in have
        ]
    chosen = Selection(dag_id=dag_id, run_ids=[run_id], only_failed=body.only_failed)
    return cleared_rows(ctx, [ti.id for ti in ctx.store.task_instances.select(chosen)])


def _clear(ctx: Context, dag_id: str, run_id: str, body: models.DagRunClear) -> None:
    if body.only_new:
        raise HTTPException(400, "only_new can only be asked with dry_run; clear with run_on_latest_version instead")
    now = clock.now()
    chosen = Selection(dag_id=dag_id, run_ids=[run_id], only_failed=body.only_failed)
    latest = latest_version_wanted(ctx, dag_id, body.run_on_latest_version)
    _require(ctx, dag_id, run_id)
    cleared = ctx.store.task_instances.clear(chosen, now, run_on_latest_version=latest)
    if not cleared.runs and not body.only_failed:  # ended before it had begun, as runs of a cancelled backfill are
        ctx.store.runs.set_state(dag_id, run_id, DagRunState.QUEUED, now)
    if body.note is not None:
        ctx.store.runs.set_note(dag_id, run_id, body.note or None, now)
