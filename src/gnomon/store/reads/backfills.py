"""Backfills, as REST shows them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from gnomon.store import tables as t
from gnomon.store.backfill_tables import backfill
from gnomon.store.reads.columns import labelled
from gnomon.store.reads.listing import Listing

b = backfill.c

BACKFILLS = Listing(
    name="backfills",
    select=select(backfill, *labelled(dag_display_name=func.coalesce(t.dag.c.dag_display_name, b.dag_id))).select_from(
        backfill.outerjoin(t.dag, t.dag.c.dag_id == b.dag_id)
    ),
    key=b.id,
    orders={"id": b.id},
    default_order=("id",),
)


def of_dag(dag_id: str) -> ColumnElement[bool]:
    """Return the condition for the backfills of a DAG."""
    return b.dag_id == dag_id


def one(connection: Connection, backfill_id: int) -> dict[str, Any] | None:
    """Return a backfill as the list shows it."""
    row = connection.execute(BACKFILLS.select.where(b.id == backfill_id)).mappings().first()
    return None if row is None else dict(row)
