"""Watchers: triggers that make events of assets, again and again. Each runs once, however many DAGs share it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from gnomon.model.assets import AssetKey
from gnomon.store import asset_tables as t
from gnomon.store.asset_events import Source, Writer
from gnomon.store.assets import ring
from gnomon.store.crypto import Cipher
from gnomon.store.database import Database
from gnomon.store.errors import SecretError
from gnomon.store.leader import between_commits
from gnomon.store.tables import dag

_w, _l = t.watcher.c, t.asset_watcher.c


class Watcher(msgspec.Struct, frozen=True):
    """A trigger that watches, as data."""

    id: int
    classpath: str
    kwargs: bytes
    #: [name, URI] of what it watches
    assets: list[tuple[str, str]]
    #: why the arguments cannot be read, in place of them
    unreadable: str | None = None


class Watchers:
    """The watchers of all assets. One is wanted as long as a DAG that is neither paused nor gone has it."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._db = database
        self._cipher = cipher

    def claim(self, triggerer: str, *, alive: Collection[str], limit: int) -> list[Watcher]:
        """Give a triggerer wanted watchers that nobody holds, or whose holder is not alive.

        Args:
            triggerer: who asks; the name of one incarnation.
            alive: the triggerers that live.
            limit: how many it can take.
        """
        if limit <= 0:
            return []
        free = or_(_w.triggerer.is_(None), _w.triggerer.not_in({*alive, triggerer}))
        with self._db.read() as conn:  # mostly there are none, and a look must not cost a write
            if conn.execute(select(_w.id).where(free, _wanted()).limit(1)).first() is None:
                return []
        query = select(_w.id).where(free, _wanted()).order_by(_w.id).limit(limit)
        with self._db.write() as conn:
            ids = list(conn.execute(query.with_for_update(skip_locked=True)).scalars())
            conn.execute(update(t.watcher).where(_w.id.in_(ids)).values(triggerer=triggerer))
            rows = conn.execute(select(_w.id, _w.classpath, _w.kwargs).where(_w.id.in_(ids)).order_by(_w.id)).all()
            watched = select(_l.watcher_id, t.asset.c.name, t.asset.c.uri).distinct().order_by(t.asset.c.name)
            watched = watched.join(t.asset, t.asset.c.id == _l.asset_id).where(_l.watcher_id.in_(ids))
            assets: dict[int, list[tuple[str, str]]] = {}
            for number, name, uri in conn.execute(watched):
                assets.setdefault(number, []).append((name, uri))
        return [self._open(row.id, row.classpath, row.kwargs, assets.get(row.id, [])) for row in rows]

    def live(self, triggerer: str) -> set[int]:
        """Return the watchers that a triggerer holds and that are still wanted."""
        with self._db.read() as conn:
            return set(conn.execute(select(_w.id).where(_w.triggerer == triggerer, _wanted())).scalars())

    def release(self, triggerer: str, ids: Collection[int] | None = None) -> None:
        """Give back watchers of a triggerer, all of them unless some are named."""
        which = _w.triggerer == triggerer
        if ids is not None:
            which = and_(which, _w.id.in_(ids))
        with self._db.write() as conn:
            conn.execute(update(t.watcher).where(which).values(triggerer=None))

    def emit(self, watcher_id: int, triggerer: str, payload: bytes, now: datetime) -> bool:
        """Make an event of each asset that a watcher is for; False if it is no longer wanted of this triggerer."""
        query = select(t.asset.c.id, t.asset.c.name, t.asset.c.uri).where(
            t.asset.c.is_active, t.asset.c.id.in_(select(_l.asset_id).where(_l.watcher_id == watcher_id))
        )
        mine = select(_w.id).where(_w.id == watcher_id, _w.triggerer == triggerer)
        extra = f'{{"from_trigger":true,"payload":{payload.decode()}}}'
        with self._db.write() as conn:
            between_commits(conn)
            if conn.execute(mine).first() is None:
                return False
            writer = Writer.open(conn, now)
            for asset_id, name, uri in conn.execute(query.order_by(t.asset.c.id)).all():
                writer.write(asset_id, AssetKey(name, uri), extra, Source())
            ring(conn, writer)
        return True

    def rotate_in(self, conn: Connection) -> int:
        """Encrypt the arguments of every watcher with the first Fernet key, in the caller's transaction."""
        rows = conn.execute(select(_w.id, _w.kwargs)).all()
        for number, kwargs in rows:
            token = self._cipher.encrypt(kwargs)
            if not kwargs.startswith("{"):
                token = self._cipher.rotate(kwargs, f"watcher {number}")
            conn.execute(update(t.watcher).where(_w.id == number).values(kwargs=token))
        return len(rows)

    def _open(self, number: int, classpath: str, kwargs: str, assets: list[tuple[str, str]]) -> Watcher:
        if not kwargs.startswith("{"):
            try:
                kwargs = self._cipher.decrypt(kwargs, f"watcher {number}")
            except SecretError as error:
                return Watcher(number, classpath, b"{}", assets, str(error))
        return Watcher(number, classpath, kwargs.encode(), assets)


def _wanted() -> ColumnElement[bool]:
    return (
        exists()
        .where(_l.watcher_id == t.watcher.c.id)
        .where(dag.c.dag_id == _l.dag_id, ~dag.c.is_paused, ~dag.c.is_stale)
        .where(t.asset.c.id == _l.asset_id, t.asset.c.is_active)
    )
