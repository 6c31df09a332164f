"""Assets, as the API and tasks use them: events made by hand, queues, and what happened to whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from gnomon.model.assets import AssetKey
from gnomon.store import asset_tables as t
from gnomon.store import limits
from gnomon.store.asset_events import Source, Writer
from gnomon.store.database import Database
from gnomon.store.errors import AssetNotFound
from gnomon.store.leader import between_commits
from gnomon.store.notifier import notify_in
from gnomon.store.tables import dag, dag_run
from gnomon.store.types import to_micros

_a, _e, _q = t.asset.c, t.asset_event.c, t.asset_queue.c


class Assets:
    """Assets and their events. Whoever makes an event outside the scheduler rings `asset`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- events

    def emit(
        self, asset_id: int, now: datetime, *, extra: Mapping[str, Any] | None = None, partition_key: str | None = None
    ) -> int:
        """Make an event of an asset that no task made; return its number.

        Raises:
            AssetNotFound: there is no such asset.
            Invalid: the partition key cannot be stored.
        """
        limits.check(t.asset_event, {"partition_key": partition_key})
        with self._db.write() as conn:
            between_commits(conn)
            found = conn.execute(select(_a.name, _a.uri).where(_a.id == asset_id)).first()
            if found is None:
                raise AssetNotFound(str(asset_id))
            writer = Writer.open(conn, now)
            key = AssetKey(found.name, found.uri)
            event_id = writer.write(asset_id, key, dict(extra or {}), Source(partition_key=partition_key))
            ring(conn, writer)
        return event_id

    def events(
        self,
        *,
        name: str | None = None,
        uri: str | None = None,
        alias: str | None = None,
        after: int | None = None,
        before: int | None = None,
        ascending: bool = True,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return the events of an asset, or of an alias, in the order of time; times are microseconds."""
        where: list[ColumnElement[bool]]
        if alias is not None:
            of_alias = select(t.asset_event_alias.c.event_id).join(t.asset_alias).where(t.asset_alias.c.name == alias)
            where = [_e.id.in_(of_alias)]
        elif name and uri:
            where = [_a.name == name, _a.uri == uri]
        else:
            where = [_a.is_active, _a.name == name if name else _a.uri == uri]
        if after is not None:
            where.append(_e.timestamp >= after)
        if before is not None:
            where.append(_e.timestamp <= before)
        order = (_e.timestamp.asc(), _e.id.asc()) if ascending else (_e.timestamp.desc(), _e.id.desc())
        with self._db.read() as conn:
            return _events(conn, where, order, limit)

    def consumed(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the events that a run was created for, in the order of time."""
        consumed = t.dag_run_asset_event.c
        of_run = select(consumed.event_id).join(dag_run, dag_run.c.id == consumed.dag_run_id)
        of_run = of_run.where(dag_run.c.dag_id == dag_id, dag_run.c.run_id == run_id)
        with self._db.read() as conn:
            return _events(conn, [_e.id.in_(of_run)], (_e.timestamp.asc(), _e.id.asc()), None)

    # ------------------------------------------------------------------------------------------- assets

    def active(self, *, name: str | None = None, uri: str | None = None) -> dict[str, Any] | None:
        """Return the active asset of a name or a URI."""
        query = select(t.asset).where(_a.is_active, _a.name == name if name else _a.uri == uri)
        with self._db.read() as conn:
            row = conn.execute(query).first()
        return None if row is None else _shown(row)

    def inactive(self, keys: Iterable[tuple[str, str]]) -> list[AssetKey]:
        """Return those of some assets that are not active, or not known."""
        wanted = [AssetKey(*key) for key in keys]
        same = [and_(_a.name == key.name, _a.uri == key.uri) for key in wanted]
        with self._db.read() as conn:
            query = select(_a.name, _a.uri).where(_a.is_active, or_(*same))
            active = {AssetKey(*row) for row in conn.execute(query)} if same else set()
        return [key for key in wanted if key not in active]

    def find(self, *, name: str | None = None, uri: str | None = None) -> list[dict[str, Any]]:
        """Return the assets of a name, a URI or both, active or not."""
        where = [column == value for column, value in ((_a.name, name), (_a.uri, uri)) if value is not None]
        with self._db.read() as conn:
            return [
                {"id": row.id, **_shown(row)} for row in conn.execute(select(t.asset).where(*where).order_by(_a.id))
            ]

    def of_alias(self, name: str) -> list[AssetKey]:
        """Return the assets that an alias stands for by now."""
        alias, link = t.asset_alias.c, t.asset_alias_asset.c
        query = select(_a.name, _a.uri).join(t.asset_alias_asset, link.asset_id == _a.id)
        query = query.join(t.asset_alias, alias.id == link.alias_id).where(alias.name == name)
        with self._db.read() as conn:
            return [AssetKey(*row) for row in conn.execute(query.order_by(_a.id))]

    def producers(self, asset_ids: Collection[int]) -> list[str]:
        """Return the DAGs that have a task with one of these assets as outlet."""
        place = t.task_asset.c
        query = select(place.dag_id).where(place.asset_id.in_(asset_ids), place.direction == "out")
        with self._db.read() as conn:
            return list(conn.execute(query.distinct().order_by(place.dag_id)).scalars())

    # ------------------------------------------------------------------------------------------- queues

    def queue(
        self, *, dag_id: str | None = None, asset_id: int | None = None, before: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Return what DAGs wait with, the oldest first."""
        query = select(_q.dag_id, _q.asset_id, _q.created_at, dag.c.dag_display_name).join(
            dag, dag.c.dag_id == _q.dag_id
        )
        query = query.where(*_in_queue(dag_id, asset_id, before)).order_by(_q.created_at, _q.dag_id, _q.asset_id)
        with self._db.read() as conn:
            return [
                {**row, "dag_display_name": row["dag_display_name"] or row["dag_id"]}
                for row in conn.execute(query).mappings()
            ]

    def empty_queue(
        self, *, dag_id: str | None = None, asset_id: int | None = None, before: datetime | None = None
    ) -> int:
        """Take something out of queues; return how much it was."""
        with self._db.write() as conn:
            between_commits(conn)
            return conn.execute(delete(t.asset_queue).where(*_in_queue(dag_id, asset_id, before))).rowcount


def ring(conn: Connection, writer: Writer) -> None:
    """Let the scheduler know with the commit which DAGs got something into their queues."""
    for dag_id in writer.woken:
        notify_in(conn, "asset", dag_id)


def _in_queue(dag_id: str | None, asset_id: int | None, before: datetime | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if dag_id is not None:
        where.append(_q.dag_id == dag_id)
    if asset_id is not None:
        where.append(_q.asset_id == asset_id)
    if before is not None:
        where.append(_q.created_at < before)
    return where


def _shown(row: Any) -> dict[str, Any]:
    return {"name": row.name, "uri": row.uri, "group": row.group, "extra": msgspec.json.decode(row.extra)}


def _events(conn: Connection, where: list[Any], order: tuple[Any, ...], limit: int | None) -> list[dict[str, Any]]:
    columns = [column for column in t.asset_event.c if column.name not in ("asset_id", "extra")]
    query = (
        select(*columns, _e.extra.label("event_extra"), _a.name, _a.uri, _a.group, _a.extra)
        .join(t.asset, _a.id == _e.asset_id)
        .where(*where)
        .order_by(*order)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    aliases = _aliases_of(conn, [row.id for row in rows])
    return [
        {
            "id": row.id,
            "timestamp": to_micros(row.timestamp),
            "extra": msgspec.json.decode(row.event_extra),
            "asset": _shown(row),
            "source_dag_id": row.source_dag_id,
            "source_task_id": row.source_task_id,
            "source_run_id": row.source_run_id,
            "source_map_index": row.source_map_index,
            "source_aliases": aliases.get(row.id, []),
            "partition_key": row.partition_key,
        }
        for row in rows
    ]


#: Both databases take this many values in one IN.
_AT_ONCE = 500


def _aliases_of(conn: Connection, event_ids: list[int]) -> dict[int, list[dict[str, str]]]:
    link, alias = t.asset_event_alias.c, t.asset_alias.c
    found: dict[int, list[dict[str, str]]] = {}
    for start in range(0, len(event_ids), _AT_ONCE):
        query = select(link.event_id, alias.name).join(t.asset_alias, alias.id == link.alias_id).order_by(alias.name)
        for event_id, name in conn.execute(query.where(link.event_id.in_(event_ids[start : start + _AT_ONCE]))):
            found.setdefault(event_id, []).append({"name": name})
    return found
