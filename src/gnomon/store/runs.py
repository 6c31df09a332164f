"""DAG runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, delete, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from gnomon.model.states import FINISHED, RUN_FINISHED, DagRunState, DagRunType
from gnomon.model.states import TaskInstanceState as S
from gnomon.store import limits, tables
from gnomon.store.announcements import announce_in, announce_marks
from gnomon.store.database import Database
from gnomon.store.errors import DagNotFound, Invalid, RunExists, RunNotFound
from gnomon.store.leader import between_commits
from gnomon.store.notifier import notify_in
from gnomon.store.records import RUN, Run
from gnomon.store.types import Instant
from gnomon.wire.dag import decode

_run = tables.dag_run
_dag = tables.dag
_ti = tables.task_instance
#: The time by which the runs of a DAG are in order.
ORDER = func.coalesce(_run.c.logical_date, _run.c.run_after)
#: States that hold a process, a trigger or a wait, rather than a place in a queue.
_UNDER_WAY = (S.RUNNING, S.DEFERRED, S.UP_FOR_RESCHEDULE, S.AWAITING_INPUT)


class Runs:
    """The runs of all DAGs. Whoever changes one outside the scheduler rings `run`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- creating

    def create(
        self,
        dag_id: str,
        run_id: str,
        *,
        now: datetime,
        run_after: datetime,
        run_type: str = DagRunType.MANUAL,
        logical_date: datetime | None = None,
        data_interval: tuple[datetime, datetime] | None = None,
        conf: Mapping[str, Any] | str | bytes | None = None,
        note: str | None = None,
        triggered_by: str | None = None,
        user: str | None = None,
        partition_key: str | None = None,
        partition_date: datetime | None = None,
        version_id: int | None = None,
    ) -> Run:
        """Create a queued run of the latest version (or a given one) of a DAG; the scheduler makes its tasks.

        Args:
            dag_id: the DAG.
            run_id: ready made by the caller, whose rules for it differ.
            now: this moment, when it was queued.
            run_after: it does not start before.
            run_type: a `DagRunType`.
            logical_date: None for a run that stands for no date.
            data_interval: start and end.
            conf: a mapping, or a JSON object as it came.
            note: text of the user.
            triggered_by: for example "cli", "rest_api", "operator".
            user: the name of who triggered it.
            partition_key: of the assets' partition it makes.
            partition_date: what that key stands for.
            version_id: the version to run, instead of the latest.

        Raises:
            DagNotFound: there is no such DAG, or it left its file.
            RunExists: the DAG has a run with this run id or logical date.
            Invalid: a value cannot be stored.
        """
        start, end = data_interval or (None, None)
        row: dict[str, Any] = {
            "dag_id": dag_id,
            "run_id": run_id,
            "run_type": str(run_type),
            "state": str(DagRunState.QUEUED),
            "logical_date": logical_date,
            "data_interval_start": start,
            "data_interval_end": end,
            "run_after": run_after,
            "queued_at": now,
            "conf": _object_text(conf),
            "note": note,
            "triggered_by": triggered_by,
            "triggering_user_name": user,
            "partition_key": partition_key,
            "partition_date": partition_date,
            "updated_at": now,
        }
        limits.check(_run, row)
        with self._db.write() as conn:
            dag = conn.execute(
                select(_dag.c.version_id, _dag.c.is_stale, _dag.c.bundle_version).where(_dag.c.dag_id == dag_id)
            ).first()
            if dag is None or dag.is_stale:
                raise DagNotFound(dag_id)
            row |= {"version_id": version_id or dag.version_id, "bundle_version": dag.bundle_version}
            run = self._insert(conn, row)
            notify_in(conn, "run", run.id)
        return run

    def _insert(self, conn: Connection, row: dict[str, Any]) -> Run:
        logical_date = row["logical_date"]
        try:
            with conn.begin_nested():
                return Run(*conn.execute(_run.insert().values(**row).returning(*RUN)).one())
        except IntegrityError:
            same_id = select(_run.c.id).where(_run.c.dag_id == row["dag_id"], _run.c.run_id == row["run_id"])
            if logical_date is None or conn.execute(same_id).first() is not None:
                raise RunExists(row["dag_id"], row["run_id"]) from None
            same_date = select(_run.c.run_id).where(_run.c.dag_id == row["dag_id"], _run.c.logical_date == logical_date)
            if conn.execute(same_date).first() is None:
                raise
            raise RunExists(row["dag_id"], row["run_id"], logical_date=logical_date.isoformat()) from None

    # ------------------------------------------------------------------------------------------- reading

    def get(self, dag_run_id: int) -> Run | None:
        """Return a run by its number."""
        return self._first(select(*RUN).where(_run.c.id == dag_run_id))

    def by_run_id(self, dag_id: str, run_id: str) -> Run | None:
        """Return a run by its run id."""
        return self._first(select(*RUN).where(_run.c.dag_id == dag_id, _run.c.run_id == run_id))

    def by_logical_date(self, dag_id: str, logical_date: datetime) -> Run | None:
        """Return the run of a logical date."""
        return self._first(select(*RUN).where(_run.c.dag_id == dag_id, _run.c.logical_date == logical_date))

    def previous(
        self,
        dag_id: str,
        before: datetime,
        *,
        state: str | None = None,
        run_types: Collection[str] | None = None,
    ) -> Run | None:
        """Return the run with the latest logical date before a time, of one state and some types if given."""
        query = select(*RUN).where(_run.c.dag_id == dag_id, _run.c.logical_date < before)
        if state is not None:
            query = query.where(_run.c.state == state)
        if run_types is not None:
            query = query.where(_run.c.run_type.in_(run_types))
        return self._first(query.order_by(_run.c.logical_date.desc()))

    def latest(self, dag_id: str) -> Run | None:
        """Return the run that comes last in the order of logical dates."""
        return self._first(select(*RUN).where(_run.c.dag_id == dag_id).order_by(ORDER.desc(), _run.c.id.desc()))

    def all(self, dag_id: str | None = None, *, state: str | None = None, limit: int | None = None) -> list[Run]:
        """Return runs, the latest first."""
        query = select(*RUN).order_by(ORDER.desc(), _run.c.id.desc()).limit(limit)
        if dag_id is not None:
            query = query.where(_run.c.dag_id == dag_id)
        if state is not None:
            query = query.where(_run.c.state == state)
        with self._db.read() as conn:
            return [Run(*row) for row in conn.execute(query)]

    def count(
        self,
        dag_id: str,
        *,
        logical_dates: Collection[datetime] | None = None,
        run_ids: Collection[str] | None = None,
        states: Collection[str] | None = None,
    ) -> int:
        """Count the runs of a DAG that match all that is given."""
        query = select(func.count()).select_from(_run).where(_run.c.dag_id == dag_id)
        given = ((_run.c.logical_date, logical_dates), (_run.c.run_id, run_ids), (_run.c.state, states))
        for column, wanted in given:
            if wanted is not None:
                query = query.where(column.in_(list(wanted)))
        with self._db.read() as conn:
            return int(conn.execute(query).scalar_one())

    def with_partition(
        self,
        dag_id: str,
        *,
        run_id: str | None = None,
        partition_key: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Run]:
        """Return the runs of a DAG by run id, partition key or partition date; both ends are included."""
        query = select(*RUN).where(_run.c.dag_id == dag_id).order_by(_run.c.id)
        if run_id is not None:
            query = query.where(_run.c.run_id == run_id)
        if partition_key is not None:
            query = query.where(_run.c.partition_key == partition_key)
        if start is not None:
            query = query.where(_run.c.partition_date >= start)
        if end is not None:
            query = query.where(_run.c.partition_date <= end)
        with self._db.read() as conn:
            return [Run(*row) for row in conn.execute(query)]

    def take_partition(self, dag_run_ids: Collection[int], now: datetime) -> None:
        """Let runs be about no partition any more."""
        with self._db.write() as conn:
            between_commits(conn)
            change = update(_run).where(_run.c.id.in_(dag_run_ids))
            conn.execute(change.values(partition_key=None, partition_date=None, updated_at=now))
            for dag_run_id in dag_run_ids:
                notify_in(conn, "run", dag_run_id)

    def _first(self, query: Select[Any]) -> Run | None:
        with self._db.read() as conn:
            row = conn.execute(query.limit(1)).first()
        return None if row is None else Run(*row)

    # ------------------------------------------------------------------------------------------ changing

    def set_state(self, dag_id: str, run_id: str, state: str, now: datetime) -> Run:
        """Mark a run as a user asks.

        `success` and `failed` end it: task instances under way get that state, those that wait are skipped, finished
        ones stay; teardown tasks are left to do their work, and as long as one is unfinished the run goes on.
        `queued` lets a finished run start anew with the task instances as they are.

        Raises:
            RunNotFound: there is no such run.
            Invalid: it is not one of these states.
        """
        if state not in (DagRunState.SUCCESS, DagRunState.FAILED, DagRunState.QUEUED):
            raise Invalid(f"a DAG run can be marked success, failed or queued, not {state!r}")
        with self._db.write() as conn:
            between_commits(conn)
            run = _found(conn, dag_id, run_id)
            if state == DagRunState.QUEUED:
                if run.state in RUN_FINISHED:
                    requeue(conn, [run.id], now)
            else:
                if _end_task_instances(conn, run, state, now) and run.state != state:
                    end = {"state": state, "end_date": now, "updated_at": now}
                    conn.execute(update(_run).where(_run.c.id == run.id).values(**end))
                told = {"dag_id": dag_id, "run_id": run_id, "state": str(state)}
                announce_in(conn, f"run_{state}", told, now, dag_id=dag_id)
            notify_in(conn, "run", run.id)
            return Run(*conn.execute(select(*RUN).where(_run.c.id == run.id)).one())

    def set_note(self, dag_id: str, run_id: str, note: str | None, now: datetime) -> None:
        """Put a note on a run, or take it away.

        Raises:
            RunNotFound: there is no such run.
        """
        limits.check(_run, {"note": note})
        one = and_(_run.c.dag_id == dag_id, _run.c.run_id == run_id)
        with self._db.write() as conn:
            if not conn.execute(update(_run).where(one).values(note=note, updated_at=now)).rowcount:
                raise RunNotFound(dag_id, run_id)

    def delete(self, dag_id: str, run_id: str) -> None:
        """Delete a run with its task instances, XComs and triggers.

        Raises:
            RunNotFound: there is no such run.
        """
        with self._db.write() as conn:
            between_commits(conn)
            run = _found(conn, dag_id, run_id)
            tis = select(_ti.c.id).where(_ti.c.dag_run_id == run.id)
            conn.execute(delete(tables.trigger).where(tables.trigger.c.ti_id.in_(tis)))
            conn.execute(delete(tables.trigger_event).where(tables.trigger_event.c.ti_id.in_(tis)))
            conn.execute(delete(_run).where(_run.c.id == run.id))
            notify_in(conn, "run", run.id)


def requeue(conn: Connection, ids: Iterable[int], now: datetime) -> None:
    """Let finished runs start anew, in the caller's transaction."""
    conn.execute(
        update(_run)
        .where(_run.c.id.in_(list(ids)), _run.c.state.in_(list(RUN_FINISHED)))
        .values(state=DagRunState.QUEUED, queued_at=now, start_date=None, end_date=None, updated_at=now)
    )


def _found(conn: Connection, dag_id: str, run_id: str) -> Run:
    row = conn.execute(select(*RUN).where(_run.c.dag_id == dag_id, _run.c.run_id == run_id)).first()
    if row is None:
        raise RunNotFound(dag_id, run_id)
    return Run(*row)


def _end_task_instances(conn: Connection, run: Run, state: str, now: datetime) -> bool:
    """End what is unfinished but teardowns; return whether no teardown is left to run."""
    teardowns = _teardowns(conn, run)
    unfinished = and_(_ti.c.dag_run_id == run.id, or_(_ti.c.state.is_(None), _ti.c.state.not_in(list(FINISHED))))
    found = conn.execute(select(_ti.c.id, _ti.c.task_id, _ti.c.state).where(unfinished)).all()
    under_way = [row.id for row in found if row.state in _UNDER_WAY and row.task_id not in teardowns]
    waiting = [row.id for row in found if row.state not in _UNDER_WAY and row.task_id not in teardowns]
    for ids, end in ((under_way, state), (waiting, S.SKIPPED)):
        end_task_instances(conn, ids, str(end), now)
    announce_marks(conn, under_way, str(state), now)
    return not any(row.task_id in teardowns for row in found)


def end_task_instances(conn: Connection, ids: list[int], state: str, now: datetime) -> None:
    """Give task instances a final state in the caller's transaction, and take their triggers away."""
    for start in range(0, len(ids), 500):
        batch = ids[start : start + 500]
        conn.execute(
            update(_ti)
            .where(_ti.c.id.in_(batch))
            .values(
                state=state,
                start_date=func.coalesce(_ti.c.start_date, literal(now, Instant)),
                end_date=now,
                wake_at=None,
                trigger_id=None,
                next_method=None,
                next_kwargs=None,
                updated_at=now,
            )
        )
        conn.execute(delete(tables.trigger).where(tables.trigger.c.ti_id.in_(batch)))
        conn.execute(delete(tables.trigger_event).where(tables.trigger_event.c.ti_id.in_(batch)))


def _teardowns(conn: Connection, run: Run) -> set[str]:
    version = tables.dag_version
    data = conn.execute(select(version.c.data).where(version.c.id == run.version_id)).scalar()
    return set() if data is None else {task.task_id for task in decode(data).tasks if task.is_teardown}


def _object_text(conf: Mapping[str, Any] | str | bytes | None) -> str:
    if conf is None:
        return "{}"
    try:
        data = (
            conf.encode() if isinstance(conf, str) else conf if isinstance(conf, bytes) else msgspec.json.encode(conf)
        )
        if not isinstance(msgspec.json.decode(data), dict):
            raise Invalid("the conf of a DAG run must be a JSON object")
    except (msgspec.DecodeError, msgspec.EncodeError, TypeError, UnicodeError) as error:
        raise Invalid(f"the conf of a DAG run must be a JSON object: {error}") from None
    return data.decode()
