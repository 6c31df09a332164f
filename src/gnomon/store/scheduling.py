"""The scheduler's verbs: read what is active, and write what was decided, all of it or nothing.

A commit is one transaction. It first checks the leader's epoch, then applies each change as a compare-and-set on the
state, sequence number and map index that the scheduler last saw. If any row has moved on meanwhile (a person cleared
or marked something), nothing is written and `Conflict` is raised; the scheduler reloads those runs and decides again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Delete,
    Insert,
    Row,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from gnomon.model.instance import Instance
from gnomon.model.states import DagRunState
from gnomon.store import tables as t
from gnomon.store.database import Database
from gnomon.store.errors import Conflict, LeadershipLost
from gnomon.store.human_input_tables import human_input
from gnomon.store.prepared import Prepared
from gnomon.store.state_tables import task_state

#: Writes something in a transaction of the scheduler.
Write = Callable[[Connection], None]


@dataclass
class RunChange:
    """What becomes of a run; times in microseconds."""

    id: int
    state: DagRunState
    stored_state: DagRunState
    start_date: int | None
    end_date: int | None
    version_id: int | None
    expanded: bool


@dataclass
class Batch:
    """Everything that one decision writes."""

    epoch: int
    now: int
    instances: list[Instance] = field(default_factory=list)
    runs: list[RunChange] = field(default_factory=list)
    #: (dag_run_id, task_id, map_index, key, value, length)
    xcoms: list[tuple[int, str, int, str, str, int | None]] = field(default_factory=list)
    #: (ti_id, fields JSON)
    rendered: list[tuple[int, str]] = field(default_factory=list)
    #: (dag_run_id, task_id, map_index, by_task_id, by_map_index)
    skips: list[tuple[int, str, int, str, int]] = field(default_factory=list)
    #: (id, ti_id, seq, classpath, encrypted kwargs, queue); without ti_id: of a deadline
    triggers: list[tuple[int, int | None, int | None, str, str, str | None]] = field(default_factory=list)
    triggers_done: list[int] = field(default_factory=list)
    #: tries that ended and are followed by another, as they were
    history: list[tuple[Any, ...]] = field(default_factory=list)
    #: (id, kind, dag_run_id, ti_id, reason)
    callbacks: list[tuple[int, str, int, int | None, str]] = field(default_factory=list)
    callbacks_done: list[int] = field(default_factory=list)
    #: task instances whose kept state is deleted: (dag_run_id, task_id, map_index)
    states_cleared: list[tuple[int, str, int]] = field(default_factory=list)
    #: defaults taken as answers: (now, chosen options, form, ti_id, try_number)
    answers: list[tuple[int, str, str, int, int]] = field(default_factory=list)
    #: DAGs to pause after too many failed runs in a row
    paused: list[str] = field(default_factory=list)
    #: what is rare enough to be written without statements prepared here
    writes: list[Write] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return any(
            (
                *(self.instances, self.runs, self.xcoms, self.rendered, self.skips, self.triggers),
                *(self.triggers_done, self.history, self.callbacks, self.callbacks_done, self.paused, self.writes),
            )
        )


_INSTANCE = (
    *("state", "map_index", "try_number", "max_tries", "seq", "pool", "pool_slots", "queue", "priority_weight"),
    *("scheduled_at", "queued_at", "start_date", "end_date", "first_start", "reschedules", "wake_at", "worker"),
    *("hostname", "pid", "trigger_id", "next_method", "next_kwargs", "error", "rendered_map_index", "updated_at"),
)

_FIXED = ("id", "dag_run_id", "task_id", "operator", "version_id")
_RUN = ("state", "start_date", "end_date", "version_id", "expanded", "updated_at")
_HISTORY = (
    *("ti_id", "try_number", "state", "max_tries", "queued_at", "scheduled_at", "start_date", "end_date"),
    *("hostname", "pid", "error", "version_id"),
)


def _values(i: Instance, now: int) -> tuple[Any, ...]:
    kwargs = i.next_kwargs.decode() if i.next_kwargs is not None else None
    return (
        *(i.state, i.map_index, i.try_number, i.max_tries, i.seq, i.pool, i.pool_slots, i.queue, i.priority),
        *(i.scheduled_at, i.queued_at, i.start_date, i.end_date, i.first_start, i.reschedules, i.wake_at, i.worker),
        *(i.hostname, i.pid, i.trigger_id, i.next_method, kwargs, i.error, i.rendered_map_index, now),
    )


def _fixed(i: Instance) -> tuple[Any, ...]:
    return (i.id, i.run.id, i.node.task_id, i.node.spec.operator_name or i.node.spec.task_type, i.version_id)


class Scheduling:
    """The hot verbs of the leading scheduler, on one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        ti, run, skip, leader = t.task_instance, t.dag_run, t.skip_decision, t.leader
        at = bindparam
        self._check_epoch = self._prepare(
            update(leader)
            .where(leader.c.role == at("role_"), leader.c.epoch == at("epoch_"))
            .values(epoch=leader.c.epoch),
            ("role_", "epoch_"),
        )
        self._update_instance = self._prepare(
            update(ti)
            .where(
                ti.c.id == at("id_"),
                func.coalesce(ti.c.state, literal_column("''")) == at("state_"),
                ti.c.seq == at("seq_"),
                ti.c.map_index == at("map_index_"),
            )
            .values({name: at(name) for name in _INSTANCE}),
            (*_INSTANCE, "id_", "state_", "seq_", "map_index_"),
        )
        self._insert_instance = self._insert(ti, (*_FIXED, *_INSTANCE))
        self._update_run = self._prepare(
            update(run)
            .where(run.c.id == at("id_"), run.c.state == at("state_"))
            .values({name: at(name) for name in _RUN}),
            (*_RUN, "id_", "state_"),
        )
        self._put_history = self._insert(t.task_instance_history, _HISTORY)
        self._put_xcom = self._upsert(t.xcom, 4)
        self._put_rendered = self._upsert(t.rendered_fields, 1)
        self._put_skip = self._upsert(skip, 5)
        self._drop_skips = self._prepare(
            delete(skip).where(
                skip.c.dag_run_id == at("run_"), skip.c.by_task_id == at("task_"), skip.c.by_map_index == at("index_")
            ),
            ("run_", "task_", "index_"),
        )
        self._put_trigger = self._insert(
            t.trigger, ("id", "ti_id", "seq", "classpath", "kwargs", "queue", "created_at")
        )
        self._drop_trigger = self._delete(t.trigger.c.id)
        self._drop_event = self._delete(t.trigger_event.c.trigger_id)
        self._prepare_rare()
        true = "1" if database.is_sqlite else "true"
        self._next_due = f"SELECT min(next_run_after) FROM dag WHERE is_paused <> {true} AND is_stale <> {true}"

    def _prepare_rare(self) -> None:
        """What most tasks never need."""
        at, h, s = bindparam, human_input.c, task_state.c
        self._put_callback = self._insert(t.callback, ("id", "kind", "dag_run_id", "ti_id", "reason", "created_at"))
        self._drop_callback = self._delete(t.callback.c.id)
        self._clear_state = self._prepare(
            delete(task_state).where(s.dag_run_id == at("run_"), s.task_id == at("task_"), s.map_index == at("index_")),
            ("run_", "task_", "index_"),
        )
        self._put_answer = self._prepare(
            update(human_input)
            .where(h.ti_id == at("ti_"), h.try_number == at("try_"), h.responded_at.is_(None))
            .values(responded_at=at("now_"), chosen_options=at("chosen_"), params_input=at("form_")),
            ("now_", "chosen_", "form_", "ti_", "try_"),
        )
        self._pause = self._prepare(
            update(t.dag).where(t.dag.c.dag_id == at("id_")).values(is_paused=at("is_paused")), ("is_paused", "id_")
        )

    def _prepare(self, statement: Insert | Update | Delete, takes: Sequence[str]) -> Prepared:
        return Prepared(statement, self._db.engine.dialect, takes)

    def _insert(self, table: Table, names: Sequence[str]) -> Prepared:
        return self._prepare(insert(table).values({name: bindparam(name) for name in names}), names)

    def _delete(self, column: Column[Any]) -> Prepared:
        return self._prepare(delete(column.table).where(column == bindparam("id_")), ("id_",))

    def _upsert(self, table: Table, keys: int) -> Prepared:
        """Insert or update over all columns, in table order; the first `keys` columns are the primary key."""
        names = [column.name for column in table.columns]
        make = sqlite.insert if self._db.is_sqlite else postgresql.insert
        statement = make(table).values({name: bindparam(name) for name in names})
        rest = {name: statement.excluded[name] for name in names[keys:]}
        if rest:
            return self._prepare(statement.on_conflict_do_update(index_elements=names[:keys], set_=rest), names)
        return self._prepare(statement.on_conflict_do_nothing(), names)

    # ---------------------------------------------------------------------------------------------------- write

    def commit(self, batch: Batch) -> None:
        """Write a batch, all or nothing.

        Raises:
            LeadershipLost: the epoch is no longer the leader's.
            Conflict: something changed since it was read.
        """
        with self._db.write() as connection:
            cursor = connection.connection.cursor()
            try:
                self._commit(cursor, batch)
            finally:
                cursor.close()
            for write in batch.writes:
                write(connection)
        for instance in batch.instances:
            instance.stored = (instance.state, instance.seq, instance.map_index)

    def _commit(self, cursor: Any, batch: Batch) -> None:
        now = batch.now
        if self._check_epoch.one(cursor, ("scheduler", batch.epoch)) != 1:
            raise LeadershipLost
        self._write_runs(cursor, batch)
        new = [i for i in batch.instances if i.stored is None]
        old = [i for i in batch.instances if i.stored is not None]
        rows = [(*_values(i, now), i.id, i.stored[0] or "", i.stored[1], i.stored[2]) for i in old if i.stored]
        if self._update_instance.many(cursor, rows) != len(rows):
            raise Conflict
        if new:
            self._insert_instances(cursor, new, now)
        self._put_history.many(cursor, batch.history)
        self._put_xcom.many(cursor, [(*row, now) for row in batch.xcoms])
        self._put_rendered.many(cursor, batch.rendered)
        if batch.skips:
            self._drop_skips.many(cursor, list({(run, by, index) for run, _, _, by, index in batch.skips}))
            self._put_skip.many(cursor, batch.skips)
        self._put_trigger.many(cursor, [(*row, now) for row in batch.triggers])
        done = [(trigger_id,) for trigger_id in batch.triggers_done]
        self._drop_trigger.many(cursor, done)
        self._drop_event.many(cursor, done)
        self._put_callback.many(cursor, [(*row, now) for row in batch.callbacks])
        self._drop_callback.many(cursor, [(callback_id,) for callback_id in batch.callbacks_done])
        self._clear_state.many(cursor, batch.states_cleared)
        if self._put_answer.many(cursor, batch.answers) != len(batch.answers):
            raise Conflict  # somebody has answered meanwhile
        self._pause.many(cursor, [(True, dag_id) for dag_id in batch.paused])

    def _write_runs(self, cursor: Any, batch: Batch) -> None:
        rows = [
            (r.state, r.start_date, r.end_date, r.version_id, r.expanded, batch.now, r.id, r.stored_state)
            for r in batch.runs
        ]
        if self._update_run.many(cursor, rows) != len(rows):
            raise Conflict

    def _insert_instances(self, cursor: Any, new: Sequence[Instance], now: int) -> None:
        rows = [(*_fixed(i), *_values(i, now)) for i in new]
        self._insert_instance.many(cursor, rows)

    # ----------------------------------------------------------------------------------------------------- read

    def unfinished_runs(self, ids: Iterable[int] | None = None) -> Sequence[Row[Any]]:
        """Return the queued and running runs, or the named ones in whatever state, oldest first."""
        query = select(t.dag_run)
        if ids is None:
            query = query.where(t.dag_run.c.state.in_(("queued", "running")))
        else:
            query = query.where(t.dag_run.c.id.in_(list(ids)))
        with self._db.read() as connection:
            return connection.execute(query.order_by(t.dag_run.c.run_after, t.dag_run.c.id)).all()

    def unfinished_ids(self) -> Sequence[int]:
        """Return the ids of the queued and running runs."""
        with self._db.read() as connection:
            return (
                connection.execute(select(t.dag_run.c.id).where(t.dag_run.c.state.in_(("queued", "running"))))
                .scalars()
                .all()
            )

    def instances(self, run_ids: Iterable[int]) -> Sequence[Row[Any]]:
        """Return the task instances of runs."""
        with self._db.read() as connection:
            return connection.execute(
                select(t.task_instance)
                .where(t.task_instance.c.dag_run_id.in_(list(run_ids)))
                .order_by(t.task_instance.c.id)
            ).all()

    def pushed_lengths(self, run_ids: Iterable[int]) -> Sequence[Any]:
        """Return (dag_run_id, task_id, map_index, length) of every return value of these runs."""
        x = t.xcom.c
        with self._db.read() as connection:
            return connection.execute(
                select(x.dag_run_id, x.task_id, x.map_index, x.length).where(
                    x.dag_run_id.in_(list(run_ids)), x.key == "return_value"
                )
            ).all()

    def skip_decisions(self, run_ids: Iterable[int]) -> Sequence[Row[Any]]:
        """Return what branches and short circuits of these runs decided to skip."""
        with self._db.read() as connection:
            return connection.execute(
                select(t.skip_decision).where(t.skip_decision.c.dag_run_id.in_(list(run_ids)))
            ).all()

    def dags(self, dag_ids: Iterable[str] | None = None) -> Sequence[Row[Any]]:
        """Return the DAG rows, all of them or the named ones."""
        query = select(t.dag)
        if dag_ids is not None:
            query = query.where(t.dag.c.dag_id.in_(list(dag_ids)))
        with self._db.read() as connection:
            return connection.execute(query).all()

    def due_dags(self, now: int, limit: int) -> Sequence[Row[Any]]:
        """Return active DAGs whose next automated run is due, the longest overdue first."""
        with self._db.read() as connection:
            return connection.execute(
                select(t.dag)
                .where(t.dag.c.next_run_after <= now, ~t.dag.c.is_paused, ~t.dag.c.is_stale)
                .order_by(t.dag.c.next_run_after)
                .limit(limit)
            ).all()

    def next_due(self) -> int | None:
        """Return when the next automated run of any active DAG is due, in microseconds."""
        with self._db.read() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(self._next_due)
            row = cursor.fetchone()
            cursor.close()
        return row[0] if row else None

    def version(self, version_id: int) -> str | None:
        """Return the serialized DAG of a version."""
        with self._db.read() as connection:
            return connection.execute(select(t.dag_version.c.data).where(t.dag_version.c.id == version_id)).scalar()

    def pools(self) -> Sequence[Row[Any]]:
        """Return all pools."""
        with self._db.read() as connection:
            return connection.execute(select(t.pool)).all()

    def trigger_events(self) -> Sequence[Row[Any]]:
        """Return the triggers that fired and whose task instance still waits to be resumed."""
        with self._db.read() as connection:
            return connection.execute(select(t.trigger_event).order_by(t.trigger_event.c.id)).all()

    def owed_callbacks(self) -> Sequence[Row[Any]]:
        """Return the callbacks that no worker has confirmed."""
        with self._db.read() as connection:
            return connection.execute(select(t.callback).order_by(t.callback.c.id)).all()

    def last_automated(self, dag_id: str) -> Row[Any] | None:
        """Return the newest scheduled or backfill run of a DAG (spec: mistake 5)."""
        r = t.dag_run.c
        with self._db.read() as connection:
            return connection.execute(
                select(t.dag_run)
                .where(r.dag_id == dag_id, r.run_type.in_(("scheduled", "backfill")))
                .order_by(func.coalesce(r.logical_date, r.run_after).desc(), r.id.desc())
                .limit(1)
            ).first()

    def last_states(self, dag_id: str, limit: int, *, besides: int) -> list[str]:
        """Return the states of the newest runs of a DAG but one, newest first."""
        r = t.dag_run.c
        with self._db.read() as connection:
            query = select(r.state).where(r.dag_id == dag_id, r.id != besides)
            query = query.order_by(r.logical_date.desc(), r.id.desc()).limit(limit)
            return list(connection.execute(query).scalars())

    def past_of(self, run: Row[Any], task_ids: Iterable[str], *, catchup: bool) -> dict[str, PastState]:
        """Return, for tasks that depend on their past, how it stands in the run before (spec: mistakes 19, 20)."""
        with self._db.read() as connection:
            return _past_of(connection, run, list(task_ids), catchup=catchup)

    def create_run(
        self, values: dict[str, Any], dag_values: dict[str, Any], epoch: int, *, besides: Write | None = None
    ) -> int | None:
        """Create an automated run and store what follows it, together; None if that run exists already.

        Args:
            values: columns of the run.
            dag_values: columns of its DAG row that say when the next one is due.
            epoch: of the leader.
            besides: writes more in the same transaction.
        """
        r = t.dag_run.c
        with self._db.write() as connection:
            cursor = connection.connection.cursor()
            deposed = self._check_epoch.one(cursor, ("scheduler", epoch)) != 1
            cursor.close()
            if deposed:
                raise LeadershipLost
            same = [r.run_id == values["run_id"]]
            if values["logical_date"] is not None:
                same.append(r.logical_date == values["logical_date"])
            exists = connection.execute(select(r.id).where(r.dag_id == values["dag_id"], or_(*same))).scalar()
            connection.execute(update(t.dag).where(t.dag.c.dag_id == values["dag_id"]).values(dag_values))
            if besides is not None:
                besides(connection)
            if exists is not None:
                return None
            result = connection.execute(insert(t.dag_run).values(values))
            key = result.inserted_primary_key
            return int(key[0]) if key is not None else None

    def store_next(self, dag_id: str, dag_values: dict[str, Any], *, besides: Write | None = None) -> None:
        """Store when the next automated run of a DAG is due; `besides` writes more in the same transaction."""
        with self._db.write() as connection:
            connection.execute(update(t.dag).where(t.dag.c.dag_id == dag_id).values(dag_values))
            if besides is not None:
                besides(connection)


@dataclass(frozen=True)
class PastState:
    """How the previous run's instances of a task stand."""

    #: there is no previous run, or this is the first run of a backfill
    is_first: bool = False
    #: the previous run has instances of this task, and any earlier run has
    present: bool = False
    ever: bool = False
    #: instances that are neither success nor skipped
    unsuccessful: int = 0
    #: of the previous run
    logical_date: datetime | None = None


def _past_of(connection: Connection, run: Row[Any], task_ids: list[str], *, catchup: bool) -> dict[str, PastState]:
    r, i = t.dag_run.c, t.task_instance.c
    if run.backfill_id is not None and run.backfill_sort_ordinal == 1:
        return dict.fromkeys(task_ids, PastState(is_first=True))
    query = select(r.id, r.logical_date, r.expanded).where(r.dag_id == run.dag_id, r.logical_date < run.logical_date)
    if catchup:
        query = query.where(r.run_type != "manual")
    found = connection.execute(query.order_by(r.logical_date.desc()).limit(1)).first()
    if found is None:
        return dict.fromkeys(task_ids, PastState(is_first=True))
    previous, date, expanded = found
    if not expanded:  # it has not begun, so none of its tasks is done
        return dict.fromkeys(task_ids, PastState(present=True, ever=True, unsuccessful=1, logical_date=date))
    bad = case((func.coalesce(i.state, "").in_(("success", "skipped")), 0), else_=1)
    rows = connection.execute(
        select(i.task_id, func.count(), func.sum(bad)).where(i.dag_run_id == previous).group_by(i.task_id)
    ).all()
    counts = {task_id: (count, int(unsuccessful)) for task_id, count, unsuccessful in rows}
    ever = set(
        connection.execute(
            select(i.task_id)
            .join(t.dag_run, and_(r.id == i.dag_run_id))
            .where(r.dag_id == run.dag_id, r.logical_date < run.logical_date, i.task_id.in_(task_ids))
            .distinct()
        ).scalars()
    )
    past = {}
    for task_id in task_ids:
        count, unsuccessful = counts.get(task_id, (0, 0))
        past[task_id] = PastState(present=count > 0, ever=task_id in ever, unsuccessful=unsuccessful, logical_date=date)
    for task_id, (_, unsuccessful) in counts.items():
        past.setdefault(task_id, PastState(present=True, ever=True, unsuccessful=unsuccessful))
    return past


def history_row(instance: Instance, *, state: str | None, version_id: int | None) -> tuple[Any, ...]:
    """Return the history row of the try that an instance just finished."""
    i = instance
    return (
        *(i.id, i.try_number, state, i.max_tries, i.queued_at, i.scheduled_at, i.start_date, i.end_date),
        *(i.hostname, i.pid, i.error, version_id),
    )
