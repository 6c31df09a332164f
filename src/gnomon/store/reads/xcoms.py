"""XCom entries, as REST shows them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from gnomon.store import tables as t
from gnomon.store.reads.columns import labelled, run_dag_display_name
from gnomon.store.reads.listing import Listing, equals, patterns, ranges

xcom, run = t.xcom.c, t.dag_run.c

XCOMS = Listing(
    name="xcom_entries",
    select=select(
        *labelled(
            key=xcom.key,
            timestamp=xcom.timestamp,
            logical_date=run.logical_date,
            map_index=xcom.map_index,
            task_id=xcom.task_id,
            dag_id=run.dag_id,
            run_id=run.run_id,
            dag_display_name=run_dag_display_name,
            task_display_name=xcom.task_id,
            run_after=run.run_after,
        )
    ).select_from(t.xcom.join(t.dag_run, run.id == xcom.dag_run_id).outerjoin(t.dag, t.dag.c.dag_id == run.dag_id)),
    key=xcom.dag_run_id,
    filters=(
        equals("xcom_key", xcom.key),
        equals("map_index", xcom.map_index, "int"),
        equals("map_index_filter", xcom.map_index, "int"),
        *patterns("xcom_key", xcom.key),
        *patterns("dag_display_name", run_dag_display_name),
        *patterns("run_id", run.run_id),
        *patterns("task_id", xcom.task_id),
        *ranges("logical_date", run.logical_date),
        *ranges("run_after", run.run_after),
    ),
    orders={
        "key": xcom.key,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": xcom.task_id,
        "map_index": xcom.map_index,
        "timestamp": xcom.timestamp,
        "run_after": run.run_after,
    },
    default_order=("dag_id", "task_id", "run_id", "map_index", "key"),
)


def narrow(dag_id: str, run_id: str, task_id: str) -> list[ColumnElement[bool]]:
    """Return the conditions for what the path names; "~" names all."""
    pairs = ((run.dag_id, dag_id), (run.run_id, run_id), (xcom.task_id, task_id))
    return [column == value for column, value in pairs if value != "~"]


def one(
    connection: Connection, dag_id: str, run_id: str, task_id: str, map_index: int, key: str
) -> dict[str, Any] | None:
    """Return one entry with its value, which is JSON text."""
    statement = XCOMS.select.add_columns(xcom.value.label("value")).where(
        run.dag_id == dag_id,
        run.run_id == run_id,
        xcom.task_id == task_id,
        xcom.map_index == map_index,
        xcom.key == key,
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)


def decoded(text: str) -> Any:
    """Return a stored value in terms of JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # half a surrogate pair, which JSON can name and no answer can hold
        return msgspec.json.decode(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))
