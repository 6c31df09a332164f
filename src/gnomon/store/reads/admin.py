"""Pools, variables, connections, import errors, jobs and the audit log, as REST shows them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from gnomon.model.states import OCCUPYING, TaskInstanceState
from gnomon.store import tables as t
from gnomon.store.reads.columns import dag_display_name, labelled
from gnomon.store.reads.listing import Filter, Listing, Page, Query, equals, fetch, one_of, patterns, ranges

VARIABLES = Listing(
    name="variables",
    select=select(t.variable),
    key=t.variable.c.key,
    filters=patterns("variable_key", t.variable.c.key),
    orders={
        "key": t.variable.c.key,
        "id": t.variable.c.key,
        "description": t.variable.c.description,
        "is_encrypted": t.variable.c.is_encrypted,
    },
    default_order=("key",),
)

CONNECTIONS = Listing(
    name="connections",
    select=select(t.connection),
    key=t.connection.c.conn_id,
    filters=patterns("connection_id", t.connection.c.conn_id),
    orders={
        "conn_id": t.connection.c.conn_id,
        "connection_id": t.connection.c.conn_id,
        "id": t.connection.c.conn_id,
        "conn_type": t.connection.c.conn_type,
        "description": t.connection.c.description,
        "host": t.connection.c.host,
        "port": t.connection.c.port,
    },
    default_order=("conn_id",),
)

POOLS = Listing(
    name="pools",
    select=select(t.pool),
    key=t.pool.c.name,
    filters=patterns("pool_name", t.pool.c.name),
    orders={
        "name": t.pool.c.name,
        "pool": t.pool.c.name,
        "id": t.pool.c.name,
        "slots": t.pool.c.slots,
        "description": t.pool.c.description,
        "include_deferred": t.pool.c.include_deferred,
    },
    default_order=("name",),
)

IMPORT_ERRORS = Listing(
    name="import_errors",
    select=select(
        *labelled(
            import_error_id=t.import_error.c.id,
            timestamp=t.import_error.c.timestamp,
            filename=t.import_error.c.filename,
            bundle_name=t.import_error.c.bundle_name,
            stack_trace=t.import_error.c.stacktrace,
        )
    ),
    key=t.import_error.c.id,
    filters=(
        *patterns("filename", t.import_error.c.filename),
        equals("filename", t.import_error.c.filename),
        equals("bundle_name", t.import_error.c.bundle_name),
    ),
    orders={
        "id": t.import_error.c.id,
        "import_error_id": t.import_error.c.id,
        "timestamp": t.import_error.c.timestamp,
        "filename": t.import_error.c.filename,
        "bundle_name": t.import_error.c.bundle_name,
        "stacktrace": t.import_error.c.stacktrace,
    },
    default_order=("id",),
)

JOBS = Listing(
    name="jobs",
    select=select(
        *labelled(
            id=t.job.c.id,
            state=t.job.c.state,
            job_type=t.job.c.job_type,
            start_date=t.job.c.start_date,
            end_date=t.job.c.end_date,
            latest_heartbeat=t.job.c.latest_heartbeat,
            executor_class=t.job.c.executor_class,
            hostname=t.job.c.hostname,
            unixname=t.job.c.unixname,
        )
    ),
    key=t.job.c.id,
    filters=(
        *ranges("start_date", t.job.c.start_date),
        *ranges("end_date", t.job.c.end_date),
        equals("job_state", t.job.c.state),
        equals("job_type", t.job.c.job_type),
        equals("hostname", t.job.c.hostname),
        equals("executor_class", t.job.c.executor_class),
    ),
    orders={
        "id": t.job.c.id,
        "state": t.job.c.state,
        "job_type": t.job.c.job_type,
        "start_date": t.job.c.start_date,
        "end_date": t.job.c.end_date,
        "latest_heartbeat": t.job.c.latest_heartbeat,
        "executor_class": t.job.c.executor_class,
        "hostname": t.job.c.hostname,
        "unixname": t.job.c.unixname,
    },
    default_order=("id",),
)

log = t.event_log.c
EVENTS = Listing(
    name="event_logs",
    select=select(
        *labelled(
            event_log_id=log.id,
            when=log.dttm,
            dag_id=log.dag_id,
            task_id=log.task_id,
            run_id=log.run_id,
            map_index=log.map_index,
            try_number=log.try_number,
            event=log.event,
            logical_date=log.logical_date,
            owner=log.owner,
            extra=log.extra,
            dag_display_name=dag_display_name,
            task_display_name=log.task_id,
        )
    ).select_from(t.event_log.outerjoin(t.dag, t.dag.c.dag_id == log.dag_id)),
    key=log.id,
    filters=(
        equals("dag_id", log.dag_id),
        equals("task_id", log.task_id),
        equals("run_id", log.run_id),
        equals("map_index", log.map_index, "int"),
        equals("try_number", log.try_number, "int"),
        equals("owner", log.owner),
        equals("event", log.event),
        Filter("excluded_events", log.event.not_in, many=True),
        one_of("included_events", log.event),
        Filter("before", lambda moment: log.dttm <= moment, "datetime"),
        Filter("after", lambda moment: log.dttm >= moment, "datetime"),
        *patterns("dag_id", log.dag_id),
        *patterns("task_id", log.task_id),
        *patterns("run_id", log.run_id),
        *patterns("owner", log.owner),
        *patterns("event", log.event),
    ),
    orders={
        "id": log.id,
        "event_log_id": log.id,
        "dttm": log.dttm,
        "when": log.dttm,
        "dag_id": log.dag_id,
        "task_id": log.task_id,
        "run_id": log.run_id,
        "event": log.event,
        "logical_date": log.logical_date,
        "owner": log.owner,
        "extra": log.extra,
    },
    default_order=("id",),
)

_COUNTED = [*OCCUPYING, TaskInstanceState.SCHEDULED, TaskInstanceState.DEFERRED]


def pools(connection: Connection, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of pools with the slots that are in use."""
    found = fetch(connection, POOLS, query, *where)
    add_usage(connection, found.rows)
    return found


def pool(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return one pool with the slots that are in use."""
    row = connection.execute(POOLS.select.where(t.pool.c.name == name)).mappings().first()
    if row is None:
        return None
    rows = [dict(row)]
    add_usage(connection, rows)
    return rows[0]


def add_usage(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add to each pool what its task instances hold; deferred ones count only where the pool says so."""
    ti = t.task_instance.c
    used = (
        select(ti.pool, ti.state, func.sum(ti.pool_slots))
        .where(ti.state.in_(_COUNTED), ti.pool.in_([row["name"] for row in rows]))
        .group_by(ti.pool, ti.state)
    )
    slots: dict[str, dict[str, int]] = defaultdict(dict)
    for name, state, number in connection.execute(used):
        slots[name][state] = int(number)
    for row in rows:
        by_state = slots[row["name"]]
        running, queued = by_state.get("running", 0), by_state.get("queued", 0)
        deferred = by_state.get("deferred", 0)
        occupied = running + queued + (deferred if row["include_deferred"] else 0)
        row.update(
            running_slots=running,
            queued_slots=queued,
            scheduled_slots=by_state.get("scheduled", 0),
            deferred_slots=deferred,
            occupied_slots=occupied,
            open_slots=-1 if row["slots"] < 0 else row["slots"] - occupied,
            team_name=None,
        )


def alive_since(moment: Any, alive: bool) -> ColumnElement[bool]:
    """Return the condition for jobs that are running and have (or have not) beaten since `moment`."""
    living = and_(t.job.c.state == "running", t.job.c.latest_heartbeat >= moment)
    return living if alive else or_(t.job.c.state != "running", t.job.c.latest_heartbeat < moment)


def newest_heartbeats(connection: Connection) -> dict[str, Any]:
    """Return for each kind of process the newest heartbeat of one that runs."""
    found = select(t.job.c.job_type, func.max(t.job.c.latest_heartbeat)).where(t.job.c.state == "running")
    return {kind: moment for kind, moment in connection.execute(found.group_by(t.job.c.job_type))}  # noqa: C416


def first(connection: Connection, listing: Listing, *where: ColumnElement[bool]) -> dict[str, Any] | None:
    """Return the first row of a listing under the conditions."""
    row = connection.execute(listing.select.where(*where).limit(1)).mappings().first()
    return None if row is None else dict(row)


def by_key(connection: Connection, listing: Listing, key: Any) -> dict[str, Any] | None:
    """Return the row of a listing with this key."""
    return first(connection, listing, listing.key == key)
