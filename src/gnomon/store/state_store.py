"""What task instances and assets keep: JSON values by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select

from gnomon.store import limits
from gnomon.store.asset_tables import asset
from gnomon.store.database import Database
from gnomon.store.errors import NotFound, RunNotFound
from gnomon.store.records import TaskInstance
from gnomon.store.state_tables import asset_state, task_state
from gnomon.store.tables import dag_run

_t, _a, _run = task_state.c, asset_state.c, dag_run.c


class TaskPlace(msgspec.Struct, frozen=True):
    """A task instance by its names; `map_index` None stands for every instance of the task."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None = -1


class StateNotFound(NotFound):
    """There is no such key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no state under the key {key!r}")


class TaskStates:
    """What task instances keep."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, place: TaskPlace, key: str) -> Row[Any]:
        """Return the row of a key.

        Raises:
            StateNotFound: there is none.
        """
        with self._db.read() as conn:
            row = conn.execute(select(task_state).where(*_of(place), _t.key == key)).first()
        if row is None:
            raise StateNotFound(key)
        return row

    def page(self, place: TaskPlace, *, limit: int, offset: int) -> tuple[Sequence[Row[Any]], int]:
        """Return the rows of a task instance by key, and how many there are."""
        where = _of(place)
        with self._db.snapshot() as conn:
            total = conn.execute(select(func.count()).select_from(task_state).where(*where)).scalar_one()
            query = select(task_state).where(*where).order_by(_t.key).limit(limit).offset(offset)
            return conn.execute(query).all(), total

    def set(self, place: TaskPlace, key: str, value: str, *, expires_at: datetime | None, now: datetime) -> None:
        """Keep a value.

        Raises:
            RunNotFound: there is no such run.
        """
        changing = {"value": value, "updated_at": now, "expires_at": expires_at}
        with self._db.write() as conn:
            of_run = select(_run.id).where(_run.dag_id == place.dag_id, _run.run_id == place.run_id)
            run = conn.execute(of_run).scalar()
            if run is None:
                raise RunNotFound(place.dag_id, place.run_id)
            row = {"dag_run_id": run, "task_id": place.task_id, "map_index": place.map_index, "key": key, **changing}
            limits.check(task_state, row)
            statement: Any = self._db.insert(task_state).values(row)
            keys = [column.name for column in task_state.primary_key]
            conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=changing))

    def delete(self, place: TaskPlace, key: str | None) -> None:
        """Forget one key, or all of them."""
        where = _of(place) if key is None else [*_of(place), _t.key == key]
        with self._db.write() as conn:
            conn.execute(delete(task_state).where(*where))

    def expired(self, now: datetime) -> list[tuple[str, str, str, int, str]]:
        """Return what may be deleted: (dag_id, run_id, task_id, map_index, key)."""
        query = select(_run.dag_id, _run.run_id, _t.task_id, _t.map_index, _t.key)
        query = query.select_from(task_state.join(dag_run, _run.id == _t.dag_run_id)).where(_t.expires_at < now)
        with self._db.read() as conn:
            return [tuple(row) for row in conn.execute(query.order_by(*task_state.primary_key))]

    def clean(self, now: datetime, *, batch: int = 0) -> int:
        """Delete what has expired, `batch` rows in each transaction (0 for all in one); return how many."""
        due = select(*task_state.primary_key).where(_t.expires_at < now)
        if not batch:
            with self._db.write() as conn:
                return conn.execute(delete(task_state).where(_t.expires_at < now)).rowcount
        total = 0
        while True:
            with self._db.write() as conn:
                rows = conn.execute(due.limit(batch)).all()
                for row in rows:
                    same = [column == value for column, value in zip(task_state.primary_key, row, strict=True)]
                    conn.execute(delete(task_state).where(*same))
            total += len(rows)
            if len(rows) < batch:
                return total


def forget_state(conn: Connection, task_instances: Iterable[TaskInstance]) -> None:
    """Delete what task instances keep, in the caller's transaction."""
    for ti in task_instances:
        mine = and_(_t.dag_run_id == ti.dag_run_id, _t.task_id == ti.task_id, _t.map_index == ti.map_index)
        conn.execute(delete(task_state).where(mine))


def _of(place: TaskPlace) -> list[ColumnElement[bool]]:
    run = select(_run.id).where(_run.dag_id == place.dag_id, _run.run_id == place.run_id).scalar_subquery()
    where: list[ColumnElement[bool]] = [_t.dag_run_id == run, _t.task_id == place.task_id]
    return where if place.map_index is None else [*where, _t.map_index == place.map_index]


class AssetStates:
    """What assets keep."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def asset_id(self, *, name: str | None = None, uri: str | None = None, number: int | None = None) -> int:
        """Return the number of an asset.

        Raises:
            NotFound: there is no such asset.
        """
        given = [(asset.c.id, number), (asset.c.name, name), (asset.c.uri, uri)]
        wanted = [column == value for column, value in given if value is not None]
        with self._db.read() as conn:
            found = conn.execute(
                select(asset.c.id).where(and_(*wanted)).order_by(asset.c.is_active.desc(), asset.c.id)
            ).scalar()
        if found is None:
            raise NotFound(f"there is no asset {name or uri or number!r}")
        return int(found)

    def get(self, asset_id: int, key: str) -> Row[Any]:
        """Return the row of a key.

        Raises:
            StateNotFound: there is none.
        """
        with self._db.read() as conn:
            row = conn.execute(select(asset_state).where(_a.asset_id == asset_id, _a.key == key)).first()
        if row is None:
            raise StateNotFound(key)
        return row

    def page(self, asset_id: int, *, limit: int, offset: int) -> tuple[Sequence[Row[Any]], int]:
        """Return the rows of an asset by key, and how many there are."""
        mine = _a.asset_id == asset_id
        with self._db.snapshot() as conn:
            total = conn.execute(select(func.count()).select_from(asset_state).where(mine)).scalar_one()
            query = select(asset_state).where(mine).order_by(_a.key).limit(limit).offset(offset)
            return conn.execute(query).all(), total

    def set(
        self, asset_id: int, key: str, value: str, *, kind: str, now: datetime, writer: TaskPlace | None = None
    ) -> None:
        """Keep a value.

        Args:
            kind: who writes: "task", "watcher" or "api".
            writer: the task instance, if it is one.
        """
        changing = {
            "value": value,
            "updated_at": now,
            "writer_kind": kind,
            "writer_dag_id": writer and writer.dag_id,
            "writer_run_id": writer and writer.run_id,
            "writer_task_id": writer and writer.task_id,
            "writer_map_index": None if writer is None else writer.map_index,
        }
        limits.check(asset_state, {"key": key, "value": value})
        with self._db.write() as conn:
            statement: Any = self._db.insert(asset_state).values(asset_id=asset_id, key=key, **changing)
            conn.execute(statement.on_conflict_do_update(index_elements=["asset_id", "key"], set_=changing))

    def delete(self, asset_id: int, key: str | None) -> None:
        """Forget one key, or all of them."""
        where = [_a.asset_id == asset_id] if key is None else [_a.asset_id == asset_id, _a.key == key]
        with self._db.write() as conn:
            conn.execute(delete(asset_state).where(*where))
