"""Backfills: made with all their runs at once, looked at by users, driven by the scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, exists, select, update
from sqlalchemy.exc import IntegrityError

from gnomon.model.backfills import ReprocessBehavior, wanted
from gnomon.model.schedule import RunToCreate
from gnomon.model.states import DagRunState, DagRunType
from gnomon.store import limits, tables
from gnomon.store.backfill_tables import backfill as _backfill
from gnomon.store.clearing import batches, clear_runs_in
from gnomon.store.database import Database
from gnomon.store.errors import BackfillNotFound, BackfillUnderWay, Conflict, DagNotFound
from gnomon.store.leader import between_commits
from gnomon.store.notifier import notify_in
from gnomon.store.records import BACKFILL, RUN, Backfill, Run

_run = tables.dag_run
_dag = tables.dag
_UNFINISHED = (DagRunState.QUEUED, DagRunState.RUNNING)


class NewBackfill(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill is to be."""

    dag_id: str
    from_date: datetime
    to_date: datetime
    #: None: runs that are made again keep theirs
    conf: Mapping[str, Any] | None = None
    reprocess: ReprocessBehavior = ReprocessBehavior.NONE
    max_active_runs: int = 10
    user: str | None = None
    #: whether runs that are made again go on with the DAG as it is now
    latest_version: bool = True


class Made(msgspec.Struct, frozen=True):
    """A backfill, and what became of the runs that it asked for."""

    backfill: Backfill
    created: int
    cleared: int
    left: int


class Backfills:
    """The backfills. Whoever changes one outside the scheduler rings `backfill`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- reading

    def get(self, backfill_id: int) -> Backfill | None:
        """Return a backfill."""
        with self._db.read() as conn:
            row = conn.execute(select(*BACKFILL).where(_backfill.c.id == backfill_id)).first()
        return None if row is None else Backfill(*row)

    def active(self) -> list[Backfill]:
        """Return the backfills that are not completed."""
        with self._db.read() as conn:
            rows = conn.execute(select(*BACKFILL).where(_backfill.c.completed_at.is_(None)).order_by(_backfill.c.id))
            return [Backfill(*row) for row in rows]

    def is_active(self, dag_id: str) -> bool:
        """Say whether a DAG has a backfill that is not completed."""
        query = select(_backfill.c.id).where(_backfill.c.dag_id == dag_id, _backfill.c.completed_at.is_(None))
        with self._db.read() as conn:
            return conn.execute(query).first() is not None

    def unfinished_runs(self, backfill: Backfill) -> Sequence[Row[Any]]:
        """Return its runs that are queued or running, in its order."""
        mine = (_run.c.dag_id == backfill.dag_id, _run.c.backfill_id == backfill.id)
        query = select(_run).where(_run.c.state.in_(_UNFINISHED), *mine).order_by(_run.c.backfill_sort_ordinal)
        with self._db.read() as conn:
            return conn.execute(query).all()

    def missing(self, dag_id: str, runs: Sequence[RunToCreate], reprocess: ReprocessBehavior) -> list[RunToCreate]:
        """Return those of the runs that a backfill would make, or make again."""
        with self._db.read() as conn:
            there = _existing(conn, dag_id, runs)
        return [run for run in runs if wanted(_state(there.get(_about(run))), reprocess)]

    # ------------------------------------------------------------------------------------------ changing

    def create(self, new: NewBackfill, runs: Sequence[RunToCreate], now: datetime) -> Made:
        """Make a backfill and all its runs, queued, in one transaction.

        A date whose run is under way, or over and not to be made again, is left as it is. A run of a partition is made
        anew beside the earlier ones; any other is cleared, and belongs to this backfill from then on. A backfill that
        has nothing to do is complete.

        Args:
            new: what it is to be.
            runs: what it asks for, in its order.
            now: this moment.

        Raises:
            DagNotFound: there is no such DAG.
            BackfillUnderWay: the DAG has a backfill that is not completed.
            Invalid: a value cannot be stored.
        """
        row = _row(new, now)
        limits.check(_backfill, row)
        with self._db.write() as conn:
            between_commits(conn)
            dag = conn.execute(
                select(_dag.c.version_id, _dag.c.bundle_version).where(_dag.c.dag_id == new.dag_id, ~_dag.c.is_stale)
            ).first()
            if dag is None:
                raise DagNotFound(new.dag_id)
            number = self._insert(conn, row)
            there = _existing(conn, new.dag_id, runs)
            fresh: list[dict[str, Any]] = []
            again: dict[int, Run] = {}
            for ordinal, run in enumerate(runs, 1):
                found = there.get(_about(run))
                if not wanted(_state(found), new.reprocess):
                    continue
                if found is None or run.partition is not None:
                    common = {"backfill_id": number, "backfill_sort_ordinal": ordinal, "version_id": dag.version_id}
                    fresh.append({**_run_row(new, run, now), **common, "bundle_version": dag.bundle_version})
                else:
                    again[ordinal] = found
            created = self._insert_runs(conn, fresh)
            self._make_again(conn, new, number, again, now)
            if not created and not again:
                done = update(_backfill).where(_backfill.c.id == number).values(completed_at=now)
                conn.execute(done)
            made = Backfill(*conn.execute(select(*BACKFILL).where(_backfill.c.id == number)).one())
            notify_in(conn, "backfill", number)
        return Made(made, created, len(again), len(runs) - created - len(again))

    def _insert(self, conn: Connection, row: dict[str, Any]) -> int:
        try:
            with conn.begin_nested():
                return int(conn.execute(_backfill.insert().values(**row).returning(_backfill.c.id)).scalar_one())
        except IntegrityError:
            raise BackfillUnderWay(row["dag_id"]) from None

    def _insert_runs(self, conn: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Insert runs; one whose id another run has, which only a changed schedule brings about, is left out."""
        taken: set[str] = set()
        for batch in batches([row["run_id"] for row in rows]):
            query = select(_run.c.run_id).where(_run.c.dag_id == rows[0]["dag_id"], _run.c.run_id.in_(batch))
            taken |= set(conn.execute(query).scalars())
        free = [row for row in rows if row["run_id"] not in taken]
        for batch in batches(free):
            conn.execute(_run.insert(), list(batch))
        return len(free)

    def _make_again(
        self, conn: Connection, new: NewBackfill, number: int, again: Mapping[int, Run], now: datetime
    ) -> None:
        if not again:
            return
        clear_runs_in(self._db, conn, list(again.values()), now, latest=new.latest_version)
        shared: dict[str, Any] = {
            "backfill_id": number,
            "run_type": str(DagRunType.BACKFILL),
            "triggered_by": "backfill",
            "updated_at": now,
        }
        if new.conf is not None:
            shared["conf"] = msgspec.json.encode(new.conf).decode()
        for ordinal, run in again.items():
            conn.execute(update(_run).where(_run.c.id == run.id).values(**shared, backfill_sort_ordinal=ordinal))

    def set_paused(self, backfill_id: int, paused: bool, now: datetime) -> Backfill:
        """Let no further run of a backfill begin, or let them begin again; those that run go on.

        Raises:
            BackfillNotFound: there is no such backfill.
            Conflict: it is completed.
        """
        with self._db.write() as conn:
            found = _uncompleted(conn, backfill_id)
            if found.is_paused == paused:
                return found
            return _changed(conn, backfill_id, is_paused=paused, updated_at=now)

    def cancel(self, backfill_id: int, now: datetime) -> Backfill:
        """End a backfill: its queued runs fail, those that run go on.

        Raises:
            BackfillNotFound: there is no such backfill.
            Conflict: it is completed.
        """
        with self._db.write() as conn:
            between_commits(conn)
            found = _uncompleted(conn, backfill_id)
            conn.execute(
                update(_run)
                .where(_run.c.dag_id == found.dag_id, _run.c.backfill_id == found.id)
                .where(_run.c.state == DagRunState.QUEUED)
                .values(state=DagRunState.FAILED, end_date=now, updated_at=now)
            )
            return _changed(conn, backfill_id, is_paused=True, completed_at=now, updated_at=now)

    def complete_in(self, conn: Connection, backfill_id: int, now: datetime | int) -> None:
        """Note in the caller's transaction that a backfill is completed, unless one of its runs is unfinished."""
        unfinished = exists().where(_run.c.backfill_id == backfill_id, _run.c.state.in_(_UNFINISHED))
        mine = update(_backfill).where(_backfill.c.id == backfill_id, _backfill.c.completed_at.is_(None), ~unfinished)
        conn.execute(mine.values(completed_at=now, updated_at=now))


# ------------------------------------------------------------------------------------------------------ rows


def _row(new: NewBackfill, now: datetime) -> dict[str, Any]:
    return {
        "dag_id": new.dag_id,
        "from_date": new.from_date,
        "to_date": new.to_date,
        "dag_run_conf": None if new.conf is None else msgspec.json.encode(new.conf).decode(),
        "is_paused": False,
        "reprocess_behavior": str(new.reprocess),
        "max_active_runs": new.max_active_runs,
        "triggering_user_name": new.user,
        "created_at": now,
        "updated_at": now,
    }


def _run_row(new: NewBackfill, run: RunToCreate, now: datetime) -> dict[str, Any]:
    interval = run.data_interval
    return {
        "dag_id": new.dag_id,
        "run_id": run.run_id,
        "run_type": str(run.run_type),
        "state": str(DagRunState.QUEUED),
        "logical_date": run.logical_date,
        "data_interval_start": interval.start if interval else None,
        "data_interval_end": interval.end if interval else None,
        "run_after": run.run_after,
        "queued_at": now,
        "conf": msgspec.json.encode(new.conf or {}).decode(),
        "triggered_by": "backfill",
        "triggering_user_name": new.user,
        "partition_key": run.partition.key if run.partition else None,
        "partition_date": run.partition.date if run.partition else None,
        "updated_at": now,
    }


def _about(run: RunToCreate) -> datetime | None:
    return run.partition.date if run.partition else run.logical_date


def _existing(conn: Connection, dag_id: str, runs: Sequence[RunToCreate]) -> dict[datetime | None, Run]:
    """Return the runs that are there by what they are about; of several about one partition the newest."""
    if not runs:
        return {}
    by_partition = runs[0].partition is not None
    column = _run.c.partition_date if by_partition else _run.c.logical_date
    dates = sorted(date for run in runs if (date := _about(run)) is not None)
    query = select(*RUN).where(_run.c.dag_id == dag_id, column.between(dates[0], dates[-1]))
    # The last one of a date counts: of those that have begun the latest, or else any.
    query = query.order_by(_run.c.start_date.is_not(None), _run.c.start_date, _run.c.id)
    found = _rows(conn, query)
    return {run.partition_date if by_partition else run.logical_date: run for run in found}


def _rows(conn: Connection, query: Any) -> Iterator[Run]:
    return (Run(*row) for row in conn.execute(query))


def _state(run: Run | None) -> str | None:
    return None if run is None else run.state


def _uncompleted(conn: Connection, backfill_id: int) -> Backfill:
    row = conn.execute(select(*BACKFILL).where(_backfill.c.id == backfill_id).with_for_update()).first()
    if row is None:
        raise BackfillNotFound(backfill_id)
    found = Backfill(*row)
    if found.completed_at is not None:
        raise Conflict("Backfill is already completed.")
    return found


def _changed(conn: Connection, backfill_id: int, **values: Any) -> Backfill:
    change = update(_backfill).where(_backfill.c.id == backfill_id).values(**values).returning(*BACKFILL)
    row = conn.execute(change).one()
    notify_in(conn, "backfill", backfill_id)
    return Backfill(*row)
