"""Task instances and their tries, as REST shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, String, case, cast, func, select

from gnomon.model.states import TaskInstanceState
from gnomon.store import tables as t
from gnomon.store.reads import versions
from gnomon.store.reads.columns import labelled, run_dag_display_name, seconds_between, ti_duration
from gnomon.store.reads.listing import Filter, Listing, Page, Query, equals, fetch, one_of, patterns, ranges

ti, run, past = t.task_instance.c, t.dag_run.c, t.task_instance_history.c
#: the name of a mapped instance: its own, or its number
_label = case((ti.map_index >= 0, func.coalesce(ti.rendered_map_index, cast(ti.map_index, String))))
_version_id = func.coalesce(ti.version_id, run.version_id)
#: how many numbers fit into one statement of every SQLite
_BATCH = 500
_STATES = (*TaskInstanceState, "none", "no_status")

_COLUMNS = labelled(
    id=ti.id,
    dag_run_pk=ti.dag_run_id,
    task_id=ti.task_id,
    dag_id=run.dag_id,
    dag_run_id=run.run_id,
    map_index=ti.map_index,
    logical_date=run.logical_date,
    run_after=run.run_after,
    start_date=ti.start_date,
    end_date=ti.end_date,
    duration=ti_duration,
    state=ti.state,
    try_number=ti.try_number,
    max_tries=ti.max_tries,
    dag_display_name=run_dag_display_name,
    hostname=ti.hostname,
    pool=ti.pool,
    pool_slots=ti.pool_slots,
    queue=ti.queue,
    priority_weight=ti.priority_weight,
    operator=ti.operator,
    queued_when=ti.queued_at,
    scheduled_when=ti.scheduled_at,
    pid=ti.pid,
    executor=ti.executor,
    note=ti.note,
    rendered_map_index=_label,
    rendered_fields=t.rendered_fields.c.fields,
    version_id=_version_id,
    trigger_id=t.trigger.c.id,
    trigger_classpath=t.trigger.c.classpath,
    trigger_queue=t.trigger.c.queue,
    trigger_created=t.trigger.c.created_at,
)
_source = (
    t.task_instance.join(t.dag_run, run.id == ti.dag_run_id)
    .outerjoin(t.dag, t.dag.c.dag_id == run.dag_id)
    .outerjoin(t.rendered_fields, t.rendered_fields.c.ti_id == ti.id)
    .outerjoin(t.trigger, t.trigger.c.id == ti.trigger_id)
)


def _of_versions(numbers: list[int]) -> ColumnElement[bool]:
    return _version_id.in_(select(t.dag_version.c.id).where(t.dag_version.c.version_number.in_(numbers)))


TASK_INSTANCES = Listing(
    name="task_instances",
    select=select(*_COLUMNS).select_from(_source),
    key=ti.id,
    filters=(
        equals("task_id", ti.task_id),
        *ranges("run_after", run.run_after),
        *ranges("logical_date", run.logical_date),
        *ranges("start_date", ti.start_date),
        *ranges("end_date", ti.end_date),
        *ranges("updated_at", ti.updated_at),
        *ranges("duration", ti_duration, "float"),
        *patterns("task_display_name", ti.task_id),
        *patterns("dag_id", run.dag_id),
        *patterns("run_id", run.run_id),
        one_of("state", ti.state, choices=_STATES),
        one_of("pool", ti.pool),
        *patterns("pool_name", ti.pool),
        one_of("queue", ti.queue),
        *patterns("queue_name", ti.queue),
        one_of("executor", ti.executor),
        Filter("version_number", _of_versions, "int", many=True),
        one_of("try_number", ti.try_number, "int"),
        one_of("operator", ti.operator),
        *patterns("operator_name", ti.operator),
        one_of("map_index", ti.map_index, "int"),
        *patterns("rendered_map_index", _label),
    ),
    orders={
        "id": ti.id,
        "state": ti.state,
        "duration": ti_duration,
        "start_date": ti.start_date,
        "end_date": ti.end_date,
        "map_index": ti.map_index,
        "try_number": ti.try_number,
        "logical_date": run.logical_date,
        "run_after": run.run_after,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "rendered_map_index": func.coalesce(ti.rendered_map_index, ""),
        "operator": ti.operator,
        "task_id": ti.task_id,
    },
    default_order=("map_index",),
    cursor=True,
)

#: Columns of a finished try; the others are those of the task instance.
_PAST = {
    "start_date": past.start_date,
    "end_date": past.end_date,
    "duration": seconds_between(past.start_date, past.end_date),
    "state": past.state,
    "try_number": past.try_number,
    "max_tries": past.max_tries,
    "hostname": past.hostname,
    "queued_when": past.queued_at,
    "scheduled_when": past.scheduled_at,
    "pid": past.pid,
    "version_id": func.coalesce(past.version_id, _version_id),
}
_HISTORY = select(
    *(_PAST[column.name].label(column.name) if column.name in _PAST else column for column in _COLUMNS)
).select_from(_source.join(t.task_instance_history, past.ti_id == ti.id))


def narrow(
    *,
    dag_ids: Sequence[str] | None = None,
    run_ids: Sequence[str] | None = None,
    task_ids: Sequence[str] | None = None,
    map_index: int | None = None,
    mapped: bool = False,
) -> list[ColumnElement[bool]]:
    """Return the conditions for what the path or the body of a request names."""
    where: list[ColumnElement[bool]] = []
    if dag_ids is not None:
        where.append(run.dag_id.in_(dag_ids))
    if run_ids is not None:
        where.append(run.run_id.in_(run_ids))
    if task_ids is not None:
        where.append(ti.task_id.in_(task_ids))
    if map_index is not None:
        where.append(ti.map_index == map_index)
    if mapped:
        where.append(ti.map_index >= 0)
    return where


def page(connection: Connection, cache: versions.VersionCache, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of task instances."""
    found = fetch(connection, TASK_INSTANCES, query, *where)
    complete(connection, cache, found.rows)
    return found


def matching(connection: Connection, cache: versions.VersionCache, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Return all task instances under the conditions, in the order of their ids."""
    rows = [dict(row) for row in connection.execute(TASK_INSTANCES.select.where(*where).order_by(ti.id)).mappings()]
    complete(connection, cache, rows)
    return rows


def matching_ids(connection: Connection, cache: versions.VersionCache, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the task instances with these numbers, in the order of their numbers."""
    rows: list[dict[str, Any]] = []
    ordered = sorted(ids)
    for start in range(0, len(ordered), _BATCH):
        rows += matching(connection, cache, ti.id.in_(ordered[start : start + _BATCH]))
    return rows


def tries(connection: Connection, cache: versions.VersionCache, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Return the finished tries of one task instance and its present one, by try_number."""
    history = [dict(row) for row in connection.execute(_HISTORY.where(*where)).mappings()]
    present = [dict(row) for row in connection.execute(TASK_INSTANCES.select.where(*where)).mappings()]
    numbers = {row["try_number"] for row in history}
    # A try that has ended may be in both; one that never began is none.
    rows = history + [row for row in present if row["try_number"] not in numbers and row["try_number"] > 0]
    complete(connection, cache, rows)
    return sorted(rows, key=lambda row: row["try_number"])


def complete(connection: Connection, cache: versions.VersionCache, rows: list[dict[str, Any]]) -> None:
    """Add what is not a column: the version, the trigger, and what only the serialized DAG knows."""
    ids = {row["version_id"] for row in rows}
    known, summaries = versions.by_ids(connection, ids), cache.summaries(connection, ids)
    for row in rows:
        summary = summaries.get(row["version_id"])
        traits = summary.tasks.get(row["task_id"]) if summary else None
        row["task_display_name"] = (traits and traits.task_display_name) or row["task_id"]
        row["operator_name"] = (traits and traits.operator_name) or row["operator"]
        row["executor_config"] = str(traits.executor_config) if traits else "{}"
        row["unixname"] = None
        row["dag_version"] = known.get(row["version_id"])
        row["rendered_fields"] = msgspec.json.decode(row["rendered_fields"] or "{}")
        row["trigger"] = _trigger(row)
        row["triggerer_job"] = None


def _trigger(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["trigger_id"] is None:
        return None
    return {
        "id": row["trigger_id"],
        "classpath": row["trigger_classpath"],
        "kwargs": "{}",  # may hold secrets, so it is never shown
        "created_date": row["trigger_created"],
        "queue": row["trigger_queue"],
        "triggerer_id": None,
    }
