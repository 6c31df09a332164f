"""Where a piece of execution belongs, for the answers to `gnomon.wire.execution`."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from gnomon.store.database import Statement

_PLACE = Statement(
    "SELECT i.id, i.seq, i.task_id, i.map_index, r.dag_id, r.run_id, COALESCE(r.logical_date, r.run_after)"
    " FROM task_instance i JOIN dag_run r ON r.id = i.dag_run_id WHERE i.id = :ti"
)
_RUN_AT = Statement(
    "SELECT run_id FROM dag_run WHERE dag_id = :dag_id AND COALESCE(logical_date, run_after) <= :moment"
    " ORDER BY COALESCE(logical_date, run_after) DESC, id DESC LIMIT 1"
)

_VERSION = Statement("SELECT version_number FROM dag_version WHERE id = :id")


class Place(msgspec.Struct, frozen=True):
    """Where a piece of execution belongs; `moment` orders its run among others."""

    ti: int
    seq: int
    task_id: str
    map_index: int
    dag_id: str
    run_id: str
    moment: int


def place_of(conn: Connection, ti: int) -> Place | None:
    """Return the place of a task instance, None if it is gone."""
    row = _PLACE.run(conn, ti=ti).first()
    return None if row is None else Place(*row)


def run_at(conn: Connection, dag_id: str, moment: int) -> str | None:
    """Return the run of a DAG that was the newest one at a moment, None if there was none."""
    return _RUN_AT.run(conn, dag_id=dag_id, moment=moment).scalar()


def version_number(conn: Connection, version_id: int) -> int | None:
    """Return the number that a version has among those of its DAG."""
    found = _VERSION.run(conn, id=version_id).scalar()
    return None if found is None else int(found)
