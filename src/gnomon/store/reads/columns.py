"""Expressions that several listings share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, func, type_coerce

from gnomon.store import tables as t


def labelled(**columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Name each column as the response names it."""
    return [column.label(name) for name, column in columns.items()]


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """Return the time between two moments in seconds, NULL when one of them is."""
    micros = type_coerce(end, BigInteger) - type_coerce(start, BigInteger)
    return type_coerce(micros / 1_000_000.0, Float)


#: A DAG's name on screens; needs `dag` in the FROM clause.
dag_display_name = func.coalesce(t.dag.c.dag_display_name, t.dag.c.dag_id)
#: The same where the DAG may have been deleted since.
run_dag_display_name = func.coalesce(t.dag.c.dag_display_name, t.dag_run.c.dag_id)
run_duration = seconds_between(t.dag_run.c.start_date, t.dag_run.c.end_date)
ti_duration = seconds_between(t.task_instance.c.start_date, t.task_instance.c.end_date)
