"""Deadlines of runs, as the web UI asks for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from gnomon.store import tables as t
from gnomon.store.deadline_tables import deadline
from gnomon.store.reads.columns import labelled
from gnomon.store.reads.listing import Listing, equals, ranges

run, d = t.dag_run.c, deadline.c

DEADLINES = Listing(
    name="deadlines",
    select=select(
        *labelled(
            id=d.id,
            deadline_time=d.deadline_time,
            missed=d.missed,
            created_at=d.created_at,
            dag_id=run.dag_id,
            dag_run_id=run.run_id,
            alert_name=d.name,
            alert_index=d.alert_index,
            version_id=run.version_id,
        )
    )
    .select_from(deadline.join(t.dag_run, run.id == d.dag_run_id))
    .where(d.deadline_time.is_not(None)),
    key=d.id,
    filters=(
        equals("missed", d.missed, "bool"),
        *ranges("deadline_time", d.deadline_time),
        *ranges("last_updated_at", d.updated_at),
    ),
    orders={
        "id": d.id,
        "deadline_time": d.deadline_time,
        "created_at": d.created_at,
        "last_updated_at": d.updated_at,
        "missed": d.missed,
        "dag_id": run.dag_id,
        "dag_run_id": run.run_id,
        "alert_name": d.name,
    },
    default_order=("deadline_time",),
)


def of_runs(dag_id: str, run_id: str) -> list[ColumnElement[bool]]:
    """Return the conditions for the runs that a path names; "~" stands for all."""
    wanted = ((run.dag_id, dag_id), (run.run_id, run_id))
    return [column == value for column, value in wanted if value != "~"]


def version_of(conn: Connection, dag_id: str, number: int | None) -> Any:
    """Return the id of a DAG's version of this number, or its newest, with the time at which it was made."""
    v = t.dag_version.c
    query = select(v.id, v.created_at).where(v.dag_id == dag_id).order_by(v.version_number.desc())
    if number is not None:
        query = query.where(v.version_number == number)
    return conn.execute(query.limit(1)).first()
