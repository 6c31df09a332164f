"""Task instances, as users and user code touch them; what the scheduler does to them is in `scheduling`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, tuple_, update

from gnomon.model.states import FAILURES
from gnomon.model.states import TaskInstanceState as S
from gnomon.store import limits, tables
from gnomon.store.announcements import announce_marks
from gnomon.store.clearing import as_try, batches, clear_in
from gnomon.store.database import Database
from gnomon.store.errors import Conflict, Invalid, TaskInstanceNotFound
from gnomon.store.leader import between_commits
from gnomon.store.notifier import notify_in
from gnomon.store.records import RUN, TASK_INSTANCE, TRY, Run, TaskInstance, Try
from gnomon.store.runs import ORDER, end_task_instances
from gnomon.store.state_store import forget_state

_run = tables.dag_run
_ti = tables.task_instance
_history = tables.task_instance_history
_version = tables.dag_version
#: States that a user can give to a task instance.
MARKS = frozenset({S.SUCCESS, S.FAILED, S.SKIPPED})


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Task instances of one DAG: those that match everything that is given.

    `task_ids` may hold a task's id (all its instances) or (task_id, map_index).
    """

    dag_id: str
    run_ids: Collection[str] | None = None
    task_ids: Collection[str | tuple[str, int]] | None = None
    logical_date_from: datetime | None = None
    logical_date_to: datetime | None = None
    states: Collection[str | None] | None = None
    only_failed: bool = False
    only_running: bool = False

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on task_instance joined with dag_run."""
        parts: list[ColumnElement[bool]] = [_run.c.dag_id == self.dag_id]
        if self.run_ids is not None:
            parts.append(_run.c.run_id.in_(list(self.run_ids)))
        if self.logical_date_from is not None:
            parts.append(ORDER >= self.logical_date_from)
        if self.logical_date_to is not None:
            parts.append(ORDER <= self.logical_date_to)
        if self.task_ids is not None:
            parts.append(_named(self.task_ids))
        if self.states is not None:
            parts.append(_in_states(self.states))
        if self.only_failed:
            parts.append(_ti.c.state.in_(list(FAILURES)))
        if self.only_running:
            parts.append(_ti.c.state == S.RUNNING)
        return and_(*parts)


class Cleared(msgspec.Struct, frozen=True):
    """What a clear touched, as it was before."""

    task_instances: list[TaskInstance]
    runs: list[Run]


class TaskInstances:
    """The task instances of all runs. Whoever changes some outside the scheduler rings `run`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------- reading

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> TaskInstance | None:
        """Return a task instance."""
        found = self.select(Selection(dag_id=dag_id, run_ids=[run_id], task_ids=[(task_id, map_index)]))
        return found[0] if found else None

    def by_id(self, ti_id: int) -> TaskInstance | None:
        """Return a task instance by its number."""
        with self._db.read() as conn:
            row = conn.execute(select(*TASK_INSTANCE).where(_ti.c.id == ti_id)).first()
        return None if row is None else TaskInstance(*row)

    def select(self, selection: Selection) -> list[TaskInstance]:
        """Return the task instances of a selection, by run and number."""
        with self._db.read() as conn:
            return _selected(conn, selection.condition())

    def of_run(self, dag_run_id: int) -> list[TaskInstance]:
        """Return the task instances of a run by number."""
        with self._db.read() as conn:
            return _selected(conn, _run.c.id == dag_run_id)

    def history(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> list[Try]:
        """Return the tries of a task instance, the first one first; the last one may be under way."""
        with self._db.snapshot() as conn:
            found = _selected(
                conn, Selection(dag_id=dag_id, run_ids=[run_id], task_ids=[(task_id, map_index)]).condition()
            )
            if not found:
                return []
            ti = found[0]
            rows = conn.execute(select(*TRY).where(_history.c.ti_id == ti.id).order_by(_history.c.try_number))
            tries = {row.try_number: Try(*row) for row in rows}
        if ti.try_number > 0 and ti.state is not None:
            tries[ti.try_number] = as_try(ti)
        return [tries[number] for number in sorted(tries)]

    def previous(
        self, dag_id: str, task_id: str, map_index: int, before: datetime, state: str | None = None
    ) -> tuple[Run, TaskInstance] | None:
        """Return the same task in the latest run before a logical date, of one state if given, with its run."""
        query = (
            select(*RUN, *TASK_INSTANCE)
            .join(_ti, _ti.c.dag_run_id == _run.c.id)
            .where(_run.c.dag_id == dag_id, _run.c.logical_date < before)
            .where(_ti.c.task_id == task_id, _ti.c.map_index == map_index)
            .order_by(_run.c.logical_date.desc())
            .limit(1)
        )
        if state is not None:
            query = query.where(_ti.c.state == state)
        with self._db.read() as conn:
            row = conn.execute(query).first()
        return None if row is None else (Run(*row[: len(RUN)]), TaskInstance(*row[len(RUN) :]))

    def states(
        self,
        dag_id: str,
        *,
        task_ids: Collection[str] | None = None,
        map_index: int | None = None,
        logical_dates: Collection[datetime] | None = None,
        run_ids: Collection[str] | None = None,
        states: Collection[str | None] | None = None,
    ) -> list[tuple[str, str, int, str | None]]:
        """Return (run_id, task_id, map_index, state) of the task instances of a DAG that match all that is given."""
        query = self._matching(dag_id, task_ids, map_index, logical_dates, run_ids, states)
        query = query.with_only_columns(_run.c.run_id, _ti.c.task_id, _ti.c.map_index, _ti.c.state)
        with self._db.read() as conn:
            rows = conn.execute(query.order_by(_ti.c.dag_run_id, _ti.c.id))
            return [(run_id, task_id, index, state) for run_id, task_id, index, state in rows]

    def count(
        self,
        dag_id: str,
        *,
        task_ids: Collection[str] | None = None,
        map_index: int | None = None,
        logical_dates: Collection[datetime] | None = None,
        run_ids: Collection[str] | None = None,
        states: Collection[str | None] | None = None,
    ) -> int:
        """Count what `states` would return."""
        query = self._matching(dag_id, task_ids, map_index, logical_dates, run_ids, states)
        with self._db.read() as conn:
            return int(conn.execute(query.with_only_columns(func.count())).scalar_one())

    def rendered_fields(self, ti_id: int) -> bytes | None:
        """Return the rendered template fields of a task instance as JSON; None if it never ran."""
        table = tables.rendered_fields
        with self._db.read() as conn:
            text = conn.execute(select(table.c.fields).where(table.c.ti_id == ti_id)).scalar()
        return None if text is None else text.encode()

    def _matching(
        self,
        dag_id: str,
        task_ids: Collection[str] | None,
        map_index: int | None,
        logical_dates: Collection[datetime] | None,
        run_ids: Collection[str] | None,
        states: Collection[str | None] | None,
    ) -> Any:
        query = select(_ti.c.id).join(_run, _run.c.id == _ti.c.dag_run_id).where(_run.c.dag_id == dag_id)
        given = ((_ti.c.task_id, task_ids), (_run.c.logical_date, logical_dates), (_run.c.run_id, run_ids))
        for column, wanted in given:
            if wanted is not None:
                query = query.where(column.in_(list(wanted)))
        if map_index is not None:
            query = query.where(_ti.c.map_index == map_index)
        return query if states is None else query.where(_in_states(states))

    # ------------------------------------------------------------------------------------------ changing

    def clear(
        self,
        selection: Selection,
        now: datetime,
        *,
        reset_runs: bool = True,
        run_on_latest_version: bool = False,
        prevent_running: bool = False,
        dry_run: bool = False,
    ) -> Cleared:
        """Let task instances run again.

        A running one becomes `restarting`: its process is ended, and it is retried whatever tries it has left. All
        others go back to "not scheduled yet" with as many further tries as the task has retries. The try that is
        thrown away stays in the history. A finished run is queued again; each run's `clear_number` counts.

        Args:
            selection: which ones.
            now: this moment.
            reset_runs: False to leave finished runs finished.
            run_on_latest_version: run the DAG as it is now, instead of the version that the run was made with.
            prevent_running: refuse if one of them is running.
            dry_run: only say which ones.

        Raises:
            Conflict: one is running, and `prevent_running` was asked for.
        """
        if dry_run:
            found = self.select(selection)
            return Cleared(found, self._runs_of(found))
        with self._db.write() as conn:
            between_commits(conn)
            found = _selected(conn, selection.condition(), lock=True)
            if prevent_running and any(ti.state in (S.RUNNING, S.RESTARTING) for ti in found):
                raise Conflict("some of the task instances are running; wait until they are done")
            runs = _runs_of(conn, found)
            clear_in(self._db, conn, found, runs, now, reset=reset_runs, latest=run_on_latest_version)
            for run in runs:
                notify_in(conn, "run", run.id)
        return Cleared(found, runs)

    def set_state(
        self, selection: Selection, state: str, now: datetime, *, dry_run: bool = False, forgets: bool = False
    ) -> list[TaskInstance]:
        """Mark task instances; those that have the state already are left alone.

        Who runs is stopped by the scheduler, for its result no longer counts. The runs keep their states: a caller
        that wants what failed downstream to go on clears it.

        Args:
            selection: which ones; upstream and downstream, past and future are the caller's business.
            state: success, failed or skipped.
            now: this moment.
            dry_run: only say which ones.
            forgets: delete what those keep that are marked as successful ([state_store] clear_on_success).

        Returns:
            The changed ones as they were before.

        Raises:
            Invalid: it is not one of these states.
        """
        if state not in MARKS:
            raise Invalid(f"a task instance can be marked success, failed or skipped, not {state!r}")
        differs = or_(_ti.c.state.is_(None), _ti.c.state != state)
        condition = and_(selection.condition(), differs)
        if dry_run:
            with self._db.read() as conn:
                return _selected(conn, condition)
        with self._db.write() as conn:
            between_commits(conn)
            found = _selected(conn, condition, lock=True)
            end_task_instances(conn, [ti.id for ti in found], state, now)
            announce_marks(conn, [ti.id for ti in found], state, now)
            if forgets and state == S.SUCCESS:
                forget_state(conn, found)
            for dag_run_id in sorted({ti.dag_run_id for ti in found}):
                notify_in(conn, "run", dag_run_id)
        return found

    def set_note(self, dag_id: str, run_id: str, task_id: str, map_index: int, note: str | None, now: datetime) -> None:
        """Put a note on a task instance, or take it away.

        Raises:
            TaskInstanceNotFound: there is no such task instance.
        """
        limits.check(_ti, {"note": note})
        condition = Selection(dag_id=dag_id, run_ids=[run_id], task_ids=[(task_id, map_index)]).condition()
        ids = select(_ti.c.id).join(_run, _run.c.id == _ti.c.dag_run_id).where(condition)
        with self._db.write() as conn:
            if not conn.execute(update(_ti).where(_ti.c.id.in_(ids)).values(note=note, updated_at=now)).rowcount:
                raise TaskInstanceNotFound(f"task instance {task_id!r} [{map_index}] of run {run_id!r} was not found")

    def put_rendered_fields(self, ti_id: int, fields: bytes, now: datetime, map_index_label: str | None = None) -> None:
        """Keep the rendered template fields of a task instance, and the label of its map index.

        Raises:
            TaskInstanceNotFound: there is no such task instance.
        """
        table = tables.rendered_fields
        text = fields.decode()
        with self._db.write() as conn:
            changes: dict[str, Any] = {"updated_at": now}
            if map_index_label is not None:
                changes["rendered_map_index"] = map_index_label[:250]
            if not conn.execute(update(_ti).where(_ti.c.id == ti_id).values(**changes)).rowcount:
                raise TaskInstanceNotFound(f"task instance {ti_id} was not found")
            statement = self._db.insert(table).values(ti_id=ti_id, fields=text)
            conn.execute(statement.on_conflict_do_update(index_elements=[table.c.ti_id], set_={"fields": text}))

    def delete(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        """Delete a task instance with its history and trigger.

        Raises:
            TaskInstanceNotFound: there is no such task instance.
            Conflict: it is running.
        """
        condition = Selection(dag_id=dag_id, run_ids=[run_id], task_ids=[(task_id, map_index)]).condition()
        with self._db.write() as conn:
            between_commits(conn)
            found = _selected(conn, condition, lock=True)
            if not found:
                raise TaskInstanceNotFound(f"task instance {task_id!r} [{map_index}] of run {run_id!r} was not found")
            if found[0].state in (S.RUNNING, S.RESTARTING):
                raise Conflict(f"task instance {task_id!r} is running; mark it first")
            for table in (tables.trigger, tables.trigger_event):
                conn.execute(delete(table).where(table.c.ti_id == found[0].id))
            conn.execute(delete(_ti).where(_ti.c.id == found[0].id))
            notify_in(conn, "run", found[0].dag_run_id)

    def _runs_of(self, found: Sequence[TaskInstance]) -> list[Run]:
        with self._db.read() as conn:
            return _runs_of(conn, found)


# ------------------------------------------------------------------------------------------------- conditions


def _named(task_ids: Collection[str | tuple[str, int]]) -> ColumnElement[bool]:
    whole = [name for name in task_ids if isinstance(name, str)]
    single = [name for name in task_ids if not isinstance(name, str)]
    parts: list[ColumnElement[bool]] = [_ti.c.task_id.in_(whole)] if whole or not single else []
    if single:
        parts.append(tuple_(_ti.c.task_id, _ti.c.map_index).in_(single))
    return or_(*parts)


def _in_states(states: Collection[str | None]) -> ColumnElement[bool]:
    named = _ti.c.state.in_([state for state in states if state is not None])
    return or_(named, _ti.c.state.is_(None)) if None in states else named


def _selected(conn: Connection, condition: ColumnElement[bool], *, lock: bool = False) -> list[TaskInstance]:
    query = select(*TASK_INSTANCE).join(_run, _run.c.id == _ti.c.dag_run_id).where(condition)
    query = query.order_by(_ti.c.dag_run_id, _ti.c.id)
    if lock:
        query = query.with_for_update(of=_ti)
    return [TaskInstance(*row) for row in conn.execute(query)]


def _runs_of(conn: Connection, found: Iterable[TaskInstance]) -> list[Run]:
    ids = sorted({ti.dag_run_id for ti in found})
    runs: list[Run] = []
    for batch in batches(ids):
        runs += [Run(*row) for row in conn.execute(select(*RUN).where(_run.c.id.in_(batch)).order_by(_run.c.id))]
    return runs
