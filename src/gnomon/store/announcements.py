"""What listeners of plugins are to be told of by nobody else: marks made by hand, new assets, processes that begin.

They are written in the transaction of what they tell of, so each is told at least once; where nobody listens, nothing
is written. The dag-processor has them told, see `parsing.listening`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from gnomon.store import tables
from gnomon.store.database import Database, Statement
from gnomon.store.deadline_tables import announcement as _a
from gnomon.store.deadline_tables import listened
from gnomon.store.notifier import notify_in
from gnomon.store.types import to_micros
from gnomon.wire.execution import FileRef
from gnomon.wire.listening import HOOKS, Announcement

_dag, _run, _ti = tables.dag, tables.dag_run, tables.task_instance
_PUT = Statement("INSERT INTO announcement (kind, dag_id, data, created_at) VALUES (:kind, :dag_id, :data, :now)")
_HEARD = Statement("SELECT hook FROM listened")
#: Taken at a time.
_AT_ONCE = 100
_decode = msgspec.json.Decoder(dict[str, Any]).decode
#: Columns of a task instance that listeners see.
_SEEN = (
    "id", "task_id", "map_index", "try_number", "max_tries", "state", "operator", "queue", "pool", "pool_slots",
    "priority_weight", "hostname", "pid", "note",
)  # fmt: skip


def is_heard(conn: Connection, kind: str) -> bool:
    """Return whether an announcement of a kind is to be made: somebody listens, or it is not known yet."""
    heard = set(_HEARD.run(conn).scalars())
    # Before the first file is parsed, only what happens once in a process's life waits for it.
    return bool(heard.intersection(HOOKS[kind])) or (not heard and kind in ("starting", "stopping"))


def announce_in(
    conn: Connection, kind: str, data: Mapping[str, Any], now: datetime | int, *, dag_id: str | None = None
) -> None:
    """Have listeners told of something, if there are any, with the caller's transaction."""
    if not is_heard(conn, kind):
        return
    moment = now if isinstance(now, int) else to_micros(now)
    _PUT.run(conn, kind=kind, dag_id=dag_id, data=msgspec.json.encode(data).decode(), now=moment)
    notify_in(conn, "announce", kind)


def announce_marks(conn: Connection, ids: Sequence[int], state: str, now: datetime) -> None:
    """Have listeners told that somebody has given these task instances a state, with the caller's transaction."""
    kind = f"task_{state}"
    if not ids or kind not in HOOKS or not is_heard(conn, kind):
        return
    columns = [_ti.c[name] for name in _SEEN]
    query = select(*columns, _ti.c.start_date, _ti.c.end_date, _run.c.dag_id, _run.c.run_id)
    query = query.join(_run, _run.c.id == _ti.c.dag_run_id).order_by(_ti.c.id)
    for start in range(0, len(ids), 500):
        for row in conn.execute(query.where(_ti.c.id.in_(ids[start : start + 500]))).mappings().all():
            times = {name: to_micros(row[name]) for name in ("start_date", "end_date") if row[name] is not None}
            announce_in(conn, kind, {**row, **times}, now, dag_id=row["dag_id"])


class Announcements:
    """What is still to be told."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def heard(self) -> frozenset[str] | None:
        """Return the names of the functions that listeners have; None if that is not known yet."""
        with self._db.read() as conn:
            found = frozenset(_HEARD.run(conn).scalars())
        return found - {""} if found else None

    def set_heard(self, hooks: Collection[str]) -> None:
        """Note what listeners hear."""
        with self._db.write() as conn:
            conn.execute(delete(listened))
            conn.execute(listened.insert(), [{"hook": hook} for hook in sorted({"", *hooks})])

    def waiting(self) -> list[Announcement]:
        """Return the oldest announcements."""
        of_dag = (_dag.c.bundle_name, _dag.c.fileloc, _dag.c.relative_fileloc, _dag.c.source_hash)
        query = select(_a.c.id, _a.c.kind, _a.c.data, *of_dag, _dag.c.bundle_version, _dag.c.bundle_root)
        query = query.outerjoin(_dag, _dag.c.dag_id == _a.c.dag_id).order_by(_a.c.id).limit(_AT_ONCE)
        with self._db.read() as conn:
            rows = conn.execute(query).all()
        files = [None if row[3] is None else FileRef(*row[3:]) for row in rows]
        return [Announcement(row[0], row[1], _decode(row[2]), file) for row, file in zip(rows, files, strict=True)]

    def done(self, ids: Collection[int]) -> None:
        """Forget announcements that were made, or that nobody wants to hear."""
        with self._db.write() as conn:
            conn.execute(delete(_a).where(_a.c.id.in_(list(ids))))
