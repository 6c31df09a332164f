"""What the scheduler knows: DAGs, runs and their instances, and what is taken of each limit.

The database is the truth; this is what was read of it, changed by what was decided since. A part that turns out to be
out of date is read again (`reload`), never repaired by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from gnomon.model.admit import Lane, Pool, Usage, Waiting
from gnomon.model.graph import Graph
from gnomon.model.instance import Counted, Instance
from gnomon.model.run import LiveRun
from gnomon.model.schedule import Schedule, schedule_of
from gnomon.model.states import DagRunState
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.task_dates import TaskDates
from gnomon.scheduler.queued_runs import Lane as QueueLane
from gnomon.scheduler.queued_runs import QueuedRuns
from gnomon.store.engine import Store
from gnomon.store.records import Backfill
from gnomon.store.types import to_micros
from gnomon.wire import dag as wire_dag
from gnomon.wire import execution as x

log = structlog.get_logger("scheduler")

#: How an instance in a state counts against the limits; any other state takes nothing (spec: mistake 22).
_COUNTS = {
    Ti.SCHEDULED: Counted.WAITING,
    Ti.QUEUED: Counted.HELD,
    Ti.RUNNING: Counted.HELD,
    Ti.RESTARTING: Counted.HELD,
    Ti.DEFERRED: Counted.PARKED,
    Ti.AWAITING_INPUT: Counted.ASKING,
}


@dataclass(frozen=True)
class Version:
    """One DAG version, compiled."""

    id: int
    dag: wire_dag.SerializedDag
    graph: Graph
    dates: TaskDates


def _compile(version_id: int, dag: wire_dag.SerializedDag) -> Version:
    return Version(version_id, dag, Graph(dag.tasks, dag.groups), TaskDates(dag, dag.tasks))


@dataclass
class Dag:
    """A DAG as its row says, and its schedule once that was needed."""

    dag_id: str
    version_id: int | None
    is_paused: bool
    is_stale: bool
    max_active_runs: int
    max_consecutive_failed_dag_runs: int
    file: x.FileRef
    row: Any
    schedule: Schedule | None = None


@dataclass(eq=False)
class ActiveRun:
    """A running run: its plan in memory, and what its row holds besides."""

    live: LiveRun
    version: Version
    row: Any
    stored_state: DagRunState
    start_date: int | None
    end_date: int | None = None
    age: int = 0
    info: bytes = b""
    lanes: dict[Any, Lane] = field(default_factory=dict)
    #: the row has to be written: it changed since it was last committed
    changed: bool = False
    expanded: bool = False
    #: user code is being asked about its instances
    is_asked: bool = False

    def lane(self, instance: Instance) -> Lane:
        """Return the limits that an instance is under."""
        key: Any = instance.node.index
        if instance.node.spec.is_asked:  # each may have been put elsewhere
            key = (key, instance.queue, instance.pool, instance.pool_slots)
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = self._lane(instance)
        return lane

    def _lane(self, instance: Instance) -> Lane:
        dag, spec, dag_id = self.version.dag, instance.node.spec, self.live.dag_id
        scope: tuple[str, int | str] = ("run", self.live.id) if dag.max_active_tasks_scope == "run" else ("dag", dag_id)
        limits: list[tuple[tuple[str, int | str, str], int]] = []
        if spec.max_active_tis_per_dag is not None:
            limits.append((("dag", dag_id, spec.task_id), spec.max_active_tis_per_dag))
        if spec.max_active_tis_per_dagrun is not None:
            limits.append((("run", self.live.id, spec.task_id), spec.max_active_tis_per_dagrun))
        return Lane(
            *(dag_id, instance.queue, instance.pool, instance.pool_slots, scope, dag.max_active_tasks, tuple(limits))
        )


class World:
    """Everything the scheduler holds in memory."""

    def __init__(self, store: Store, *, parallelism: int, max_task_retry_delay: float, profile: int) -> None:
        self.store = store
        self.profile = profile
        self.max_task_retry_delay = max_task_retry_delay
        #: [state_store] clear_on_success: what a task instance keeps is deleted when it succeeds
        self.clears_state = False
        self.usage = Usage(parallelism=parallelism)
        self.waiting = Waiting()
        self.dags: dict[str, Dag] = {}
        self.versions: dict[int, Version] = {}
        self.runs: dict[int, ActiveRun] = {}
        self.queued: dict[str, QueuedRuns] = {}
        #: how many runs of a DAG are running, by backfill
        self.running: dict[tuple[str, QueueLane], int] = {}
        #: the backfills of unfinished runs, as they were read last
        self.backfills: dict[int, Backfill] = {}
        self.instances: dict[int, Instance] = {}
        #: rows of runs that were created and have not begun, of DAGs with deadlines that may have to be made
        self.arrived: dict[int, Any] = {}
        #: instances that wait for a person's answer
        self.awaiting: set[int] = set()
        self._ids = itertools.count(1)

    # ------------------------------------------------------------------------------------------------------ ids

    def next_id(self) -> int:
        """Return an id that no task instance, trigger or callback has or ever had; only the leader makes these rows."""
        return next(self._ids)

    # ----------------------------------------------------------------------------------------------------- read

    def load(self, epoch: int) -> None:
        """Read everything anew: at the start, after a change of leader, after the database was away.

        Ids begin at a number of this leadership's own. One more than the highest in the table would come again after
        the rows were deleted, and with it the outcome of a piece that nobody remembers.
        """
        self._ids = itertools.count((epoch << 32) + 1)
        self.runs.clear()
        self.queued.clear()
        self.running.clear()
        self.backfills.clear()
        self.instances.clear()
        self.awaiting.clear()
        self.arrived.clear()
        self.waiting = Waiting()
        self.usage.running = 0
        self.usage.per_scope.clear()
        self.usage.per_task.clear()
        self.usage.pools.clear()
        self.load_pools()
        self.dags = {row.dag_id: _dag(row) for row in self.store.scheduling.dags()}
        self.usage.closed = {dag.dag_id for dag in self.dags.values() if dag.is_paused}
        self._take(self.store.scheduling.unfinished_runs())

    def load_pools(self) -> None:
        """Read the pools; what is taken of them stays."""
        before = self.usage.pools
        self.usage.pools = {}
        for row in self.store.scheduling.pools():
            old = before.get(row.name, Pool(0))
            self.usage.pools[row.name] = Pool(row.slots, row.include_deferred, old.used, old.deferred)

    def load_dag(self, dag_id: str) -> Dag | None:
        """Read a DAG's row anew."""
        rows = self.store.scheduling.dags([dag_id])
        if not rows:
            self.dags.pop(dag_id, None)
            return None
        dag = self.dags[dag_id] = _dag(rows[0])
        if dag.is_paused:
            self.usage.closed.add(dag_id)
        else:
            self.usage.closed.discard(dag_id)
        for run in self.runs_of(dag_id):
            run.live.is_paused = dag.is_paused
        return dag

    def reload(self, run_ids: Iterable[int]) -> None:
        """Forget these runs and read them again."""
        ids = list(run_ids)
        for run_id in ids:
            self.drop(run_id)
        self._take(self.store.scheduling.unfinished_runs(ids))

    def reload_dags(self, dag_ids: Iterable[str]) -> None:
        """Read these DAGs and their queued runs again."""
        wanted = set(dag_ids)
        for dag_id in wanted:
            self.load_dag(dag_id)
            self.queued.pop(dag_id, None)
        known = self.runs.keys()
        rows = [row for row in self.store.scheduling.unfinished_runs() if row.dag_id in wanted and row.id not in known]
        self._take(rows)

    def backfill(self, number: int) -> Backfill | None:
        """Return a backfill."""
        if number not in self.backfills and (found := self.store.backfills.get(number)) is not None:
            self.backfills[number] = found
        return self.backfills.get(number)

    def load_backfill(self, number: int) -> Backfill | None:
        """Read a backfill anew, and those of its runs that are not known."""
        self.backfills.pop(number, None)
        backfill = self.backfill(number)
        if backfill is None:
            return None
        rows = {row.id: row for row in self.store.backfills.unfinished_runs(backfill)}
        queue = self.queued.setdefault(backfill.dag_id, QueuedRuns())
        for run_id in queue.of(number):
            if run_id not in rows:
                queue.pop(run_id)
        self._take([row for row in rows.values() if row.id not in self.runs and row.id not in queue])
        return backfill

    def _take(self, rows: Iterable[Any]) -> None:
        running = []
        for row in rows:
            if row.state == DagRunState.QUEUED:
                self.queued.setdefault(row.dag_id, QueuedRuns()).put(row)
                self._greet(row)
            elif row.state == DagRunState.RUNNING:
                running.append(row)
        if running:
            self._restore(running)

    def _greet(self, row: Any) -> None:
        """Note a run that is seen for the first time, if its DAG has deadlines; one that was cleared keeps its own."""
        if row.start_date is not None or row.clear_number:
            return
        version = self.version(row.version_id)
        if version is not None and version.dag.deadline:
            self.arrived[row.id] = row

    def _restore(self, rows: list[Any]) -> None:
        runs = []
        for row in rows:
            version = self.version(row.version_id)
            if version is None:
                log.error("a run's DAG version is gone", dag_id=row.dag_id, run_id=row.run_id)
                continue
            run = self._active(row, version, DagRunState.RUNNING)
            run.changed = not row.expanded
            runs.append(run)
        self._fill(runs)
        for run in runs:
            self._enter(run)

    def _fill(self, runs: list[ActiveRun]) -> None:
        """Give runs the instances that the database holds, and what was pushed and decided in them."""
        by_id = {run.live.id: run for run in runs}
        found: dict[int, list[Instance]] = {run_id: [] for run_id in by_id}
        for ti in self.store.scheduling.instances(by_id):
            run = by_id[ti.dag_run_id]
            if ti.task_id in run.version.graph.index:  # a run moved to a newer version may hold others
                found[ti.dag_run_id].append(_instance(run, ti))
        for dag_run_id, task_id, map_index, length in self.store.scheduling.pushed_lengths(by_id):
            live = by_id[dag_run_id].live
            if task_id in live.graph.index:
                live.lengths[live.graph.index[task_id], map_index] = -1 if length is None else length
        for skip in self.store.scheduling.skip_decisions(by_id):
            live = by_id[skip.dag_run_id].live
            index = live.graph.index
            if skip.task_id in index and skip.by_task_id in index:
                live.skips.setdefault((index[skip.task_id], skip.map_index), set()).add(index[skip.by_task_id])
        for run_id, run in by_id.items():
            run.live.assemble(found[run_id], complete=run.expanded)
            run.expanded = True

    def version(self, version_id: int | None) -> Version | None:
        """Return a compiled DAG version."""
        if version_id is None:
            return None
        version = self.versions.get(version_id)
        if version is None:
            data = self.store.scheduling.version(version_id)
            if data is None:
                return None
            dag = wire_dag.decode(data)
            version = self.versions[version_id] = _compile(version_id, dag)
        return version

    def schedule(self, dag: Dag) -> Schedule | None:
        """Return the schedule of a DAG's newest version."""
        if dag.schedule is None and (version := self.version(dag.version_id)) is not None:
            dag.schedule = schedule_of(version.dag, 2 if self.profile == 2 else 3)
        return dag.schedule

    # -------------------------------------------------------------------------------------------------- changes

    def begin_run(self, row: Any, version: Version, now: int) -> ActiveRun:
        """Bring a queued run to life: it is running, and has its instances."""
        if row.dag_id in self.queued:
            self.queued[row.dag_id].pop(row.id)
        run = self._active(row, version, DagRunState.QUEUED)
        run.start_date = run.start_date or now
        run.changed = True
        if row.expanded or row.clear_number:
            self._fill([run])
        else:
            run.live.assemble()
            run.expanded = True
        self._enter(run)
        return run

    def _active(self, row: Any, version: Version, stored: DagRunState) -> ActiveRun:
        logical = None if row.logical_date is None else to_micros(row.logical_date)
        live = LiveRun(
            version.graph,
            id=row.id,
            dag_id=row.dag_id,
            run_id=row.run_id,
            logical_date=logical,
            allocate=self.next_id,
            max_task_retry_delay=self.max_task_retry_delay,
            fail_fast=version.dag.fail_fast,
            left_out=version.dates.left_out(row.logical_date, row.run_type),
        )
        live.is_paused = row.dag_id in self.usage.closed
        start = None if row.start_date is None else to_micros(row.start_date)
        age = logical if logical is not None else to_micros(row.run_after)
        return ActiveRun(live, version, row, stored, start, age=age, expanded=row.expanded)

    def _enter(self, run: ActiveRun) -> None:
        self.runs[run.live.id] = run
        key = (run.live.dag_id, run.row.backfill_id)
        self.running[key] = self.running.get(key, 0) + 1
        run.info = x.encode(run_info(run.row, run.live.state, run.start_date))
        for group in run.live.instances:
            for instance in group:
                instance.version_id = instance.version_id or run.version.id
                self.count(run, instance)

    def count(self, run: ActiveRun, instance: Instance) -> None:
        """Bring the limits and the candidates up to date with the state of an instance."""
        before, after = instance.counted, _COUNTS.get(instance.state, Counted.NOT) if instance.state else Counted.NOT
        self.instances[instance.id] = instance
        if before is after:
            return
        self._release(run, instance)
        instance.counted = after
        if after is Counted.HELD:
            self.usage.take(run.lane(instance))
        elif after is Counted.PARKED:
            self.usage.park(run.lane(instance))
        elif after is Counted.ASKING:
            self.awaiting.add(instance.id)
            self.usage.park(run.lane(instance), pooled=False)
        elif after is Counted.WAITING:
            self.waiting.add(run.lane(instance), instance, run.age)

    def _release(self, run: ActiveRun, instance: Instance) -> None:
        if instance.counted is Counted.HELD:
            self.usage.take(run.lane(instance), -1)
        elif instance.counted is Counted.PARKED:
            self.usage.park(run.lane(instance), -1)
        elif instance.counted is Counted.ASKING:
            self.awaiting.discard(instance.id)
            self.usage.park(run.lane(instance), -1, pooled=False)
        instance.counted = Counted.NOT

    def waits(self, instance: Instance) -> bool:
        """Return whether a candidate is still one."""
        return instance.counted is Counted.WAITING and self.instances.get(instance.id) is instance

    def drop(self, run_id: int) -> None:
        """Forget a run and give back what it holds."""
        for rows in self.queued.values():
            rows.pop(run_id)
        run = self.runs.pop(run_id, None)
        if run is None:
            return
        if run.live.state is DagRunState.RUNNING:
            self.running[run.live.dag_id, run.row.backfill_id] -= 1
        for group in run.live.instances:
            for instance in group:
                self._release(run, instance)
                self.instances.pop(instance.id, None)

    def finished_run(self, run_id: int) -> ActiveRun | None:
        """Read a run that has ended, for a callback that is still owed; it does not become active again."""
        for row in self.store.scheduling.unfinished_runs([run_id]):
            version = self.version(row.version_id)
            if version is not None:
                run = self._active(row, version, DagRunState(row.state))
                run.info = x.encode(run_info(run.row, run.live.state, run.start_date))
                self._fill([run])
                return run
        return None

    def active_runs(self, dag_id: str) -> int:
        """Return how many runs of a DAG are queued or running, backfills not counted."""
        return self._unfinished(dag_id, None)

    def has_unfinished(self, backfill: Backfill) -> bool:
        """Say whether a run of a backfill is queued or running."""
        return self._unfinished(backfill.dag_id, backfill.id) > 0

    def _unfinished(self, dag_id: str, lane: QueueLane) -> int:
        queue = self.queued.get(dag_id)
        return self.running.get((dag_id, lane), 0) + (queue.count(lane) if queue is not None else 0)

    def runs_of(self, dag_id: str) -> Iterator[ActiveRun]:
        """Yield the running runs of a DAG."""
        return (run for run in list(self.runs.values()) if run.live.dag_id == dag_id)


def _dag(row: Any) -> Dag:
    return Dag(
        dag_id=row.dag_id,
        version_id=row.version_id,
        is_paused=row.is_paused,
        is_stale=row.is_stale,
        max_active_runs=row.max_active_runs,
        max_consecutive_failed_dag_runs=row.max_consecutive_failed_dag_runs,
        file=x.FileRef(
            bundle=row.bundle_name,
            path=row.fileloc,
            relative_path=row.relative_fileloc,
            source_hash=row.source_hash,
            bundle_version=row.bundle_version,
            bundle_root=row.bundle_root,
        ),
        row=row,
    )


def _instance(run: ActiveRun, row: Any) -> Instance:
    node = run.version.graph.nodes[run.version.graph.index[row.task_id]]
    instance = Instance(run.live, node, row.id, row.map_index)
    instance.state = None if row.state is None else Ti(row.state)
    instance.stored = (instance.state, row.seq, row.map_index)
    for name in ("try_number", "max_tries", "seq", "pool", "pool_slots", "queue", "reschedules", "worker", "hostname"):
        setattr(instance, name, getattr(row, name))
    for name in ("pid", "trigger_id", "next_method", "error", "rendered_map_index", "version_id"):
        setattr(instance, name, getattr(row, name))
    for name in ("scheduled_at", "queued_at", "start_date", "end_date", "first_start", "wake_at"):
        moment = getattr(row, name)
        setattr(instance, name, None if moment is None else to_micros(moment))
    instance.priority = row.priority_weight
    instance.next_kwargs = None if row.next_kwargs is None else row.next_kwargs.encode()
    return instance


def run_info(row: Any, state: str, start_date: int | None) -> x.RunInfo:
    """Return what a task or callback may know of a run."""

    def micros(name: str) -> int | None:
        moment = getattr(row, name)
        return None if moment is None else to_micros(moment)

    return x.RunInfo(
        id=row.id,
        dag_id=row.dag_id,
        run_id=row.run_id,
        run_type=row.run_type,
        state=state,
        logical_date=micros("logical_date"),
        data_interval_start=micros("data_interval_start"),
        data_interval_end=micros("data_interval_end"),
        run_after=micros("run_after") or 0,
        start_date=start_date,
        queued_at=micros("queued_at"),
        clear_number=row.clear_number,
        conf=(row.conf or "{}").encode(),
        triggering_user=row.triggering_user_name,
        partition_key=row.partition_key,
        partition_date=micros("partition_date"),
        note=row.note,
    )
