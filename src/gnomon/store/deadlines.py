"""Deadlines of runs: made and missed by the scheduler, in the transactions that it commits anyway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update

from gnomon.store import tables
from gnomon.store.database import Database
from gnomon.store.deadline_tables import deadline as _d

_run = tables.dag_run
_SECOND = 1_000_000


class NewDeadline(NamedTuple):
    """A row to be made; times in microseconds."""

    id: int
    dag_run_id: int
    alert_index: int
    name: str | None
    deadline_time: int | None
    callback: str


class Deadlines:
    """The deadlines of all runs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- reading

    def next_due(self) -> int | None:
        """Return the earliest deadline that no run has missed yet, in microseconds."""
        query = select(func.min(_d.c.deadline_time)).where(~_d.c.missed)
        with self._db.read() as conn:
            found = conn.execute(query).scalar()
        return None if found is None else _micros(found)

    def due(self, now: int, limit: int) -> Sequence[Row[Any]]:
        """Return deadlines that have passed with what is known of their runs, the longest overdue first."""
        run = [_run.c[name].label(f"run_{name}") for name in ("state", "end_date")]
        query = (
            select(_d, *run)
            .join(_run, _run.c.id == _d.c.dag_run_id)
            .where(_d.c.deadline_time <= now, ~_d.c.missed)
            .order_by(_d.c.deadline_time)
            .limit(limit)
        )
        with self._db.read() as conn:
            return conn.execute(query).all()

    def runs_with_some(self, run_ids: Iterable[int]) -> set[int]:
        """Return those of these runs whose deadlines have been made."""
        with self._db.read() as conn:
            return set(conn.execute(select(_d.c.dag_run_id).where(_d.c.dag_run_id.in_(list(run_ids)))).scalars())

    def of_callback(self, callback_id: int) -> Row[Any] | None:
        """Return the deadline whose callback is run under this number."""
        with self._db.read() as conn:
            return conn.execute(select(_d).where(_d.c.callback_id == callback_id)).first()

    def get(self, deadline_id: int) -> Row[Any] | None:
        """Return a deadline with the number of its run."""
        with self._db.read() as conn:
            return conn.execute(select(_d).where(_d.c.id == deadline_id)).first()

    def of_run(self, dag_run_id: int) -> Sequence[Row[Any]]:
        """Return the deadlines of a run, in the order of the DAG's alerts."""
        query = select(_d).where(_d.c.dag_run_id == dag_run_id).order_by(_d.c.alert_index)
        with self._db.read() as conn:
            return conn.execute(query).all()

    def run(self, dag_run_id: int) -> Row[Any] | None:
        """Return the run as it is now."""
        with self._db.read() as conn:
            return conn.execute(select(_run).where(_run.c.id == dag_run_id)).first()

    def durations(self, dag_id: str, limit: int) -> list[float]:
        """Return how many seconds the latest successful runs of a DAG took, the newest first."""
        r = _run.c
        done = and_(r.dag_id == dag_id, r.state == "success", r.start_date.is_not(None), r.end_date.is_not(None))
        query = select(r.start_date, r.end_date).where(done).order_by(r.logical_date.desc(), r.id.desc()).limit(limit)
        with self._db.read() as conn:
            return [(end - start).total_seconds() for start, end in conn.execute(query)]

    # --------------------------------------------------------------------------- writing, in a transaction

    def make_in(self, conn: Connection, rows: Sequence[NewDeadline], now: int) -> None:
        """Make deadlines; those that exist stay as they are."""
        if not rows:
            return
        values = [{**row._asdict(), "missed": False, "created_at": now, "updated_at": now} for row in rows]
        conn.execute(self._db.insert(_d).on_conflict_do_nothing(), values)

    def time_in(self, conn: Connection, deadline_id: int, moment: int | None, now: int) -> None:
        """Set the moment of a deadline that user code had to work out."""
        conn.execute(update(_d).where(_d.c.id == deadline_id).values(deadline_time=moment, updated_at=now))

    def miss_in(self, conn: Connection, deadline_id: int, callback_id: int, now: int) -> None:
        """Note that a deadline was missed, and under which number its callback is run."""
        values = {"missed": True, "callback_id": callback_id, "callback_state": "queued", "updated_at": now}
        conn.execute(update(_d).where(_d.c.id == deadline_id).values(values))

    def called_in(self, conn: Connection, callback_id: int, state: str, output: str | None, now: int) -> None:
        """Note how a callback ended."""
        clean = None if output is None else output.replace("\0", "\\x00")
        values = {"callback_state": state, "callback_output": clean, "updated_at": now}
        conn.execute(update(_d).where(_d.c.callback_id == callback_id).values(values))

    def drop_in(self, conn: Connection, deadline_id: int) -> None:
        """Delete a deadline that was kept."""
        conn.execute(delete(_d).where(_d.c.id == deadline_id))

    def keep_in(self, conn: Connection, dag_run_id: int, end_date: int) -> None:
        """Delete the deadlines that a run which has just succeeded has kept, and those that do not apply."""
        kept = or_(_d.c.deadline_time >= end_date, _d.c.deadline_time.is_(None))
        conn.execute(delete(_d).where(_d.c.dag_run_id == dag_run_id, ~_d.c.missed, kept))


def _micros(moment: datetime | int) -> int:
    from gnomon.store.types import to_micros

    return moment if isinstance(moment, int) else to_micros(moment)
