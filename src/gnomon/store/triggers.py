"""Triggers: what deferred task instances wait for, and which triggerer waits on their behalf."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, or_, select, update

from gnomon.store import tables
from gnomon.store.crypto import Cipher
from gnomon.store.database import Database
from gnomon.store.errors import SecretError
from gnomon.store.notifier import notify_in
from gnomon.wire.triggering import TriggerTemplates

_t = tables.trigger
_i = tables.task_instance
_r = tables.dag_run
_e = tables.trigger_event
_decode_templates = msgspec.json.Decoder(TriggerTemplates).decode


class Trigger(msgspec.Struct, frozen=True):
    """A trigger as data: its import path and its arguments as JSON."""

    id: int
    classpath: str
    kwargs: bytes
    ti_id: int | None
    seq: int | None
    queue: str | None
    created_at: datetime
    #: the task instance that waits: dag_id, run_id, task_id, map_index, try_number; None if there is none
    owner: tuple[str, str, str, int, int] | None = None
    #: why the arguments cannot be read, in place of them
    unreadable: str | None = None
    #: what it takes to render arguments
    templates: TriggerTemplates | None = None


class Triggers:
    """The triggers of all deferred task instances. Arguments are encrypted when there is a Fernet key."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._db = database
        self._cipher = cipher

    def seal(self, kwargs: bytes) -> str:
        """Return arguments as the table holds them, for whoever writes a row in a transaction of its own."""
        return self._cipher.encrypt(kwargs.decode())

    def claim(
        self, triggerer: str, *, alive: Collection[str], limit: int, queues: Sequence[str] | None = None
    ) -> list[Trigger]:
        """Give a triggerer triggers that nobody holds, or whose holder is not alive; return them, the oldest first.

        Args:
            triggerer: who asks; the name of one incarnation.
            alive: the triggerers that live.
            limit: how many it can take.
            queues: only triggers of these queues; None for those without a queue.
        """
        if limit <= 0:
            return []
        free = select(_t.c.id).where(or_(_t.c.triggerer.is_(None), _t.c.triggerer.not_in({*alive, triggerer})))
        free = free.where(_t.c.queue.is_(None) if queues is None else _t.c.queue.in_(queues))
        # SKIP LOCKED: two triggerers that ask at once share what there is, and none waits (nothing to lock in SQLite).
        free = free.order_by(_t.c.id).limit(limit).with_for_update(skip_locked=True)
        with self._db.write() as conn:
            ids = list(conn.execute(free).scalars())
            if not ids:
                return []
            conn.execute(update(_t).where(_t.c.id.in_(ids)).values(triggerer=triggerer))
            return self._open(conn, ids)

    def live(self, triggerer: str) -> set[int]:
        """Return the triggers that a triggerer holds; one that is missing is no longer wanted."""
        with self._db.read() as conn:
            return set(conn.execute(select(_t.c.id).where(_t.c.triggerer == triggerer)).scalars())

    def fire(self, trigger_id: int, now: datetime, *, payload: bytes | None = None, failure: str | None = None) -> bool:
        """Store what a trigger fired, in exchange for the trigger; False if it was no longer wanted.

        Args:
            trigger_id: the trigger.
            now: this moment.
            payload: the event's payload as JSON; None when the trigger failed.
            failure: the traceback, when it failed.
        """
        with self._db.write() as conn:
            row = conn.execute(delete(_t).where(_t.c.id == trigger_id).returning(_t.c.ti_id, _t.c.seq)).first()
            if row is None:
                return False
            event = {
                "trigger_id": trigger_id,
                "ti_id": row.ti_id,
                "seq": row.seq,
                "payload": None if payload is None else payload.decode(),
                "failure": None if failure is None else failure.replace("\0", "\\x00"),
                "created_at": now,
            }
            event_id = conn.execute(_e.insert().values(**event).returning(_e.c.id)).scalar_one()
            notify_in(conn, "fired", event_id)
        return True

    def release(self, triggerer: str) -> int:
        """Give back all triggers of a triggerer that ends, so that others may claim them; return how many."""
        with self._db.write() as conn:
            released = list(
                conn.execute(
                    update(_t).where(_t.c.triggerer == triggerer).values(triggerer=None).returning(_t.c.id)
                ).scalars()
            )
            for trigger_id in released:
                notify_in(conn, "trigger", trigger_id)
        return len(released)

    def rotate_in(self, conn: Connection) -> int:
        """Encrypt the arguments of every trigger with the first Fernet key, in the caller's transaction."""
        rows = conn.execute(select(_t.c.id, _t.c.kwargs)).all()
        for trigger_id, kwargs in rows:
            token = (
                self._cipher.encrypt(kwargs)
                if _is_plain(kwargs)
                else self._cipher.rotate(kwargs, f"trigger {trigger_id}")
            )
            conn.execute(update(_t).where(_t.c.id == trigger_id).values(kwargs=token))
        return len(rows)

    def _open(self, conn: Connection, ids: Sequence[int]) -> list[Trigger]:
        columns = [*(_t.c.id, _t.c.classpath, _t.c.kwargs, _t.c.templates), *(_t.c.ti_id, _t.c.seq, _t.c.queue)]
        columns.append(_t.c.created_at)
        of_run = [_r.c.dag_id, _r.c.run_id]
        of_task = [_i.c.task_id, _i.c.map_index, _i.c.try_number]
        waiting = _t.outerjoin(_i, _i.c.id == _t.c.ti_id).outerjoin(_r, _r.c.id == _i.c.dag_run_id)
        query = select(*columns, *of_run, *of_task).select_from(waiting).where(_t.c.id.in_(ids)).order_by(_t.c.id)
        found = []
        for row in conn.execute(query):
            owner = None
            if row.run_id is not None:
                owner = (row.dag_id, row.run_id, row.task_id, row.map_index, row.try_number)
            text, unreadable = row.kwargs, None
            if not _is_plain(text):
                try:
                    text = self._cipher.decrypt(text, f"trigger {row.id}")
                except SecretError as error:  # one row of a lost key must not keep the others from being claimed
                    text, unreadable = "{}", str(error)
            kwargs = text.encode()
            place = (row.ti_id, row.seq, row.queue, row.created_at)
            templates = None if row.templates is None else _decode_templates(row.templates)
            found.append(
                Trigger(row.id, row.classpath, kwargs, *place, owner=owner, unreadable=unreadable, templates=templates)
            )
        return found


def _is_plain(kwargs: str) -> bool:
    """Arguments are a JSON object; a Fernet token begins with a letter."""
    return kwargs.startswith("{")
