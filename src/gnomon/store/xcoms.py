"""XComs: JSON text, stored and handed out as it came."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, select

from gnomon.store import limits, tables
from gnomon.store.database import Database, Statement
from gnomon.store.errors import Invalid, RunNotFound
from gnomon.store.runs import ORDER
from gnomon.store.types import to_micros
from gnomon.wire.execution import XComEntry, XComValue

_x = tables.xcom
_run = tables.dag_run

_GET = Statement(
    "SELECT x.value FROM dag_run r JOIN xcom x ON x.dag_run_id = r.id WHERE r.dag_id = :dag_id AND r.run_id = :run_id"
    " AND x.task_id = :task_id AND x.map_index = :map_index AND x.key = :key"
)
_PUT = Statement(
    "INSERT INTO xcom (dag_run_id, task_id, map_index, key, value, length, timestamp)"
    " SELECT r.id, :task_id, :map_index, :key, :value, :length, :now"
    " FROM dag_run r WHERE r.dag_id = :dag_id AND r.run_id = :run_id"
    " ON CONFLICT (dag_run_id, task_id, map_index, key)"
    " DO UPDATE SET value = excluded.value, length = excluded.length, timestamp = excluded.timestamp"
)


class XComs:
    """What task instances push and pull."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str = "return_value",
        map_index: int = -1,
        *,
        include_prior_dates: bool = False,
    ) -> bytes | None:
        """Return one value as JSON; None if there is none.

        With `include_prior_dates` the value comes from the latest run that has one, this run or one before it in the
        order of logical dates (or run_after, for runs without one).
        """
        if include_prior_dates:
            found = self.get_many(
                dag_id, run_id, task_ids=[task_id], key=key, map_indexes=[map_index], include_prior_dates=True
            )
            return found[0].value if found else None
        with self._db.read() as conn:
            value = _GET.run(conn, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, key=key).scalar()
        return None if value is None else value.encode()

    def get_many(
        self,
        dag_id: str,
        run_id: str,
        *,
        task_ids: Sequence[str] | None = None,
        key: str | None = "return_value",
        map_indexes: Collection[int] | None = None,
        include_prior_dates: bool = False,
        start: int | None = None,
        stop: int | None = None,
    ) -> list[XComValue]:
        """Return the values that match, in the order of `task_ids`, then by map index and key, or a slice of them.

        Without `task_ids` the newest come first, as Airflow 2 has it.
        """
        query: Any = self._matching(dag_id, run_id, task_ids, key, map_indexes, include_prior_dates)
        query = query.with_only_columns(_x.c.task_id, _x.c.map_index, _x.c.key, _x.c.value)
        query = query.order_by(*_in_order(task_ids))
        backwards = (start or 0) < 0 or (stop is not None and stop < 0)
        if not backwards:
            query = query.offset(start).limit(None if stop is None else max(stop - (start or 0), 0))
        with self._db.read() as conn:
            rows = conn.execute(query).all()
        if backwards:
            rows = rows[start:stop]
        return [XComValue(row.task_id, row.map_index, row.key, row.value.encode()) for row in rows]

    def count(
        self,
        dag_id: str,
        run_id: str,
        *,
        task_ids: Sequence[str] | None = None,
        key: str | None = "return_value",
        map_indexes: Collection[int] | None = None,
        include_prior_dates: bool = False,
    ) -> int:
        """Count what `get_many` would return."""
        query = self._matching(dag_id, run_id, task_ids, key, map_indexes, include_prior_dates)
        with self._db.read() as conn:
            return int(conn.execute(query.with_only_columns(func.count())).scalar_one())

    def put(self, dag_id: str, run_id: str, task_id: str, entry: XComEntry, now: datetime, map_index: int = -1) -> None:
        """Write a value, over the one that is there.

        Raises:
            RunNotFound: there is no such run.
            Invalid: the key or the value cannot be stored.
        """
        value = _text(entry)
        with self._db.write() as conn:
            done = _PUT.run(
                conn,
                dag_id=dag_id,
                run_id=run_id,
                task_id=task_id,
                map_index=map_index,
                key=entry.key,
                value=value,
                length=entry.length,
                now=to_micros(now),
            )
            if not done.rowcount:
                raise RunNotFound(dag_id, run_id)

    def delete(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, key: str | None = None) -> int:
        """Delete the value of one key, or all, of a task instance; return how many there were."""
        run = select(_run.c.id).where(_run.c.dag_id == dag_id, _run.c.run_id == run_id).scalar_subquery()
        query = delete(_x).where(_x.c.dag_run_id == run, _x.c.task_id == task_id, _x.c.map_index == map_index)
        if key is not None:
            query = query.where(_x.c.key == key)
        with self._db.write() as conn:
            return conn.execute(query).rowcount

    def list(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> list[XComEntry]:
        """Return everything that one task instance pushed, by key."""
        query = (
            select(_x.c.key, _x.c.value, _x.c.length)
            .join(_run, _run.c.id == _x.c.dag_run_id)
            .where(_run.c.dag_id == dag_id, _run.c.run_id == run_id)
            .where(_x.c.task_id == task_id, _x.c.map_index == map_index)
            .order_by(_x.c.key)
        )
        with self._db.read() as conn:
            return [XComEntry(row.key, row.value.encode(), row.length) for row in conn.execute(query)]

    def _matching(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str] | None,
        key: str | None,
        map_indexes: Collection[int] | None,
        include_prior_dates: bool,
    ) -> Select[Any]:
        mine = and_(_run.c.dag_id == dag_id, _run.c.run_id == run_id)
        wanted: list[ColumnElement[bool]] = []
        if key is not None:
            wanted.append(_x.c.key == key)
        if task_ids is not None:
            wanted.append(_x.c.task_id.in_(list(task_ids)))
        if map_indexes is not None:
            wanted.append(_x.c.map_index.in_(list(map_indexes)))
        joined: Select[Any] = select(_x).join(_run, _run.c.id == _x.c.dag_run_id)
        if not include_prior_dates:
            return joined.where(mine, *wanted)
        return joined.where(_is_latest_of(dag_id, mine, wanted))


def _is_latest_of(dag_id: str, mine: ColumnElement[bool], wanted: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Of each (task, index, key), the value in the latest run up to one's own."""
    own = select(ORDER).where(mine).scalar_subquery()
    nth = func.row_number().over(
        partition_by=(_x.c.task_id, _x.c.map_index, _x.c.key), order_by=(ORDER.desc(), _run.c.id.desc())
    )
    names = (_x.c.dag_run_id, _x.c.task_id, _x.c.map_index, _x.c.key)
    ranked = (
        select(*names, nth.label("nth"))
        .join(_run, _run.c.id == _x.c.dag_run_id)
        .where(_run.c.dag_id == dag_id, own >= ORDER, *wanted)
        .subquery()
    )
    same = and_(*(ranked.c[column.name] == column for column in names))
    return select(ranked.c.nth).where(same, ranked.c.nth == 1).correlate(_x).exists()


def _in_order(task_ids: Sequence[str] | None) -> list[ColumnElement[Any]]:
    order: list[ColumnElement[Any]] = [_x.c.map_index, _x.c.key]
    if task_ids is None:
        return [_x.c.timestamp.desc(), _x.c.task_id, *order]
    if len(task_ids) < 2:
        return order
    place = {task_id: number for number, task_id in enumerate(dict.fromkeys(task_ids))}
    return [case(place, value=_x.c.task_id), *order]


def _text(entry: XComEntry) -> str:
    limits.check(_x, {"key": entry.key})
    try:
        return entry.value.decode()
    except UnicodeDecodeError:
        raise Invalid(f"the value of XCom {entry.key!r} is not JSON text") from None
