"""DAG runs, as REST shows them."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from gnomon.model.states import DagRunState, DagRunType
from gnomon.store import tables as t
from gnomon.store.reads import versions
from gnomon.store.reads.assets import consumed_by
from gnomon.store.reads.columns import labelled, run_dag_display_name, run_duration
from gnomon.store.reads.listing import Filter, Listing, Page, Query, contains, equals, fetch, one_of, patterns, ranges

run = t.dag_run.c
_COLUMNS = labelled(
    id=run.id,
    dag_run_id=run.run_id,
    dag_id=run.dag_id,
    logical_date=run.logical_date,
    queued_at=run.queued_at,
    start_date=run.start_date,
    end_date=run.end_date,
    duration=run_duration,
    data_interval_start=run.data_interval_start,
    data_interval_end=run.data_interval_end,
    run_after=run.run_after,
    last_scheduling_decision=run.last_scheduling_decision,
    run_type=run.run_type,
    state=run.state,
    triggered_by=run.triggered_by,
    triggering_user_name=run.triggering_user_name,
    conf=run.conf,
    note=run.note,
    bundle_version=run.bundle_version,
    dag_display_name=run_dag_display_name,
    partition_key=run.partition_key,
    partition_date=run.partition_date,
    version_id=run.version_id,
)


def _of_versions(numbers: list[int]) -> ColumnElement[bool]:
    return run.version_id.in_(select(t.dag_version.c.id).where(t.dag_version.c.version_number.in_(numbers)))


RUNS = Listing(
    name="dag_runs",
    select=select(*_COLUMNS).select_from(t.dag_run.outerjoin(t.dag, t.dag.c.dag_id == run.dag_id)),
    key=run.id,
    filters=(
        *ranges("run_after", run.run_after),
        *ranges("logical_date", run.logical_date),
        *ranges("start_date", run.start_date),
        *ranges("end_date", run.end_date),
        *ranges("updated_at", run.updated_at),
        *ranges("duration", run_duration, "float"),
        Filter("conf_contains", lambda text: contains(run.conf, text)),
        one_of("run_type", run.run_type, choices=tuple(DagRunType)),
        one_of("state", run.state, choices=tuple(DagRunState)),
        Filter("dag_version", _of_versions, "int", many=True),
        equals("bundle_version", run.bundle_version),
        *patterns("run_id", run.run_id),
        *patterns("triggering_user_name", run.triggering_user_name),
        *patterns("dag_id", run.dag_id),
        *patterns("partition_key", run.partition_key),
        *ranges("partition_date", run.partition_date),
        Filter("consuming_asset_pattern", consumed_by),
    ),
    orders={
        "id": run.id,
        "state": run.state,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "dag_run_id": run.run_id,
        "logical_date": run.logical_date,
        "partition_date": run.partition_date,
        "run_after": run.run_after,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "updated_at": run.updated_at,
        "conf": run.conf,
        "duration": run_duration,
    },
    default_order=("id",),
    cursor=True,
)


def page(connection: Connection, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of runs."""
    found = fetch(connection, RUNS, query, *where)
    complete(connection, found.rows)
    return found


def of_dags(dag_ids: list[str]) -> ColumnElement[bool]:
    """Return the condition for runs of these DAGs."""
    return run.dag_id.in_(dag_ids)


def one(connection: Connection, dag_id: str, run_id: str) -> dict[str, Any] | None:
    """Return one run as the list shows it."""
    row = connection.execute(RUNS.select.where(run.dag_id == dag_id, run.run_id == run_id)).mappings().first()
    if row is None:
        return None
    rows = [dict(row)]
    complete(connection, rows)
    return rows[0]


def state(connection: Connection, dag_id: str, run_id: str) -> str | None:
    """Return the state of a run, None if there is no such run."""
    return connection.execute(select(run.state).where(run.dag_id == dag_id, run.run_id == run_id)).scalar()


def complete(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add the DAG version and turn the stored conf into an object."""
    known = versions.by_ids(connection, (row["version_id"] for row in rows))
    for row in rows:
        row["conf"] = msgspec.json.decode(row["conf"])
        version = known.get(row["version_id"])
        row["dag_versions"] = [version] if version else []
