"""Plan runs: begin queued ones, take in what happens to task instances, and end runs whose tasks are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from msgspec import Raw

from gnomon.executors.executor import Executor, PieceEnded, StartAsked
from gnomon.model import transitions
from gnomon.model.instance import Instance
from gnomon.model.schedule import moment
from gnomon.model.states import DagRunState
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.scheduler.await_input import AwaitInput
from gnomon.scheduler.callbacks import Callbacks
from gnomon.scheduler.deadlines import Deadlines
from gnomon.scheduler.queued_runs import Lane
from gnomon.scheduler.turn import Internal, RunAfterPassed, Turn
from gnomon.scheduler.world import ActiveRun, Dag, World
from gnomon.store.asset_events import Source
from gnomon.store.scheduling import PastState, history_row
from gnomon.store.types import to_micros
from gnomon.wire import execution as x

log = structlog.get_logger("scheduler")


class PlanRuns:
    """Turns what workers and triggers report into decisions of `gnomon.model.run`."""

    def __init__(
        self,
        world: World,
        executor: Executor,
        callbacks: Callbacks,
        await_input: AwaitInput,
        deadlines: Deadlines,
        clock: Callable[[int, Internal], None],
    ) -> None:
        self._world = world
        self._executor = executor
        self._callbacks = callbacks
        self._await_input = await_input
        self._deadlines = deadlines
        self._clock = clock
        #: DAGs whose next run must not begin yet, and until when
        self._early: dict[str, int] = {}

    # ------------------------------------------------------------------------------------------------ instances

    def start_asked(self, event: StartAsked, turn: Turn) -> None:
        """A worker wants to go ahead: only the piece that the database holds as queued on it may."""
        key, worker = event.message.key, event.incarnation
        instance = self._current(key)
        if instance is not None and instance.worker == worker and instance.state is Ti.QUEUED:
            run = turn.run_of(instance)
            run.live.start(
                instance,
                now=event.message.start_date,
                worker=worker,
                hostname=event.hostname,
                pid=event.message.pid,
            )
        elif instance is None or instance.worker != worker or instance.state is not Ti.RUNNING:
            reason = "this try is no longer wanted: the task instance was cleared, marked or rescued"
            turn.effects.append(lambda: self._executor.proceed(worker, key, ok=False, reason=reason))
            return
        turn.effects.append(lambda: self._executor.proceed(worker, key, ok=True))

    def piece_ended(self, event: PieceEnded, turn: Turn) -> None:
        """A piece ended. An outcome of a piece that is not current any more is void, and settled all the same."""
        outcome, worker = event.message, event.incarnation
        instance = self._current(outcome.key)
        if instance is not None and instance.state in (Ti.RUNNING, Ti.QUEUED, Ti.RESTARTING):
            run = turn.run_of(instance)
            if instance.state is Ti.QUEUED:
                run.live.start(
                    instance, now=outcome.start_date or turn.now, worker=worker, hostname="", pid=outcome.pid
                )
            if outcome.pid:
                instance.pid = outcome.pid
            if instance.state is Ti.RESTARTING:
                run.live.restart(instance, turn.now)
            else:
                self._conclude(run, instance, outcome, turn)
        turn.effects.append(lambda: self._executor.settle(worker, outcome.key))

    def _current(self, key: x.TryKey) -> Instance | None:
        instance = self._world.instances.get(key.ti)
        return instance if instance is not None and instance.seq == key.seq else None

    def _conclude(self, run: ActiveRun, instance: Instance, outcome: x.Outcome, turn: Turn) -> None:
        live, now = run.live, outcome.end_date
        length = self._write_results(run, instance, outcome, turn)
        match outcome.state:
            case Ti.SUCCESS:
                if outcome.skip:
                    live.skip_downstream(instance, outcome.skip, now)
                if outcome.asset_events:
                    turn.asset_events.append((_source(run, instance), outcome.asset_events))
                live.succeed(instance, now=now, length=length)
                if self._world.clears_state:
                    turn.batch.states_cleared.append((live.id, instance.node.task_id, instance.map_index))
            case Ti.SKIPPED:
                live.skip(instance, now=now)
            case Ti.UP_FOR_RESCHEDULE:
                live.reschedule(instance, now=now, at=outcome.reschedule_at or now)
                turn.clocked.append(instance)
            case Ti.DEFERRED if outcome.trigger is not None:
                self._defer(run, instance, outcome, outcome.trigger, turn)
            case Ti.AWAITING_INPUT:
                self._await_input.park(run, instance, outcome, turn)
            case _:
                self.fail(
                    run, instance, turn, now=now, retryable=outcome.retryable, delay=outcome.retry_delay,
                    error=outcome.error, callback=outcome.orphaned,
                )  # fmt: skip

    def _write_results(self, run: ActiveRun, instance: Instance, outcome: x.Outcome, turn: Turn) -> int | None:
        """Note what the piece pushed; return the length of its return value, -1 for one without length."""
        length: int | None = None
        row = (run.live.id, instance.node.task_id, instance.map_index)
        for entry in outcome.xcoms:
            turn.batch.xcoms.append((*row, entry.key, entry.value.decode(), entry.length))
            if entry.key == "return_value":
                length = -1 if entry.length is None else entry.length
        if outcome.rendered_fields is not None:
            turn.batch.rendered.append((instance.id, outcome.rendered_fields.decode()))
        if outcome.rendered_map_index is not None:
            instance.rendered_map_index = outcome.rendered_map_index
        by = (instance.node.task_id, instance.map_index)
        for task_id, map_index in outcome.skip:
            turn.batch.skips.append((run.live.id, task_id, map_index, *by))
        return length

    def _defer(self, run: ActiveRun, instance: Instance, outcome: x.Outcome, spec: x.TriggerSpec, turn: Turn) -> None:
        trigger_id = self._world.next_id()
        kwargs = self._world.store.triggers.seal(spec.kwargs)
        turn.batch.triggers.append((trigger_id, instance.id, instance.seq, spec.classpath, kwargs, spec.queue))
        run.live.defer(
            instance,
            now=outcome.end_date,
            trigger=trigger_id,
            then=(outcome.next_method or "execute_complete", outcome.next_kwargs),
            timeout=outcome.timeout,
        )
        turn.clocked.append(instance)
        turn.notices["trigger", str(trigger_id)] = None

    def fail(
        self,
        run: ActiveRun,
        instance: Instance,
        turn: Turn,
        *,
        now: int,
        retryable: bool = True,
        delay: float | None = None,
        error: str | None = None,
        callback: bool = False,
    ) -> None:
        """A try failed. With `callback`, no process of the task is left to run its callbacks: a worker is asked to."""
        try_number = instance.try_number
        stopped = [i for i in _running(run) if i is not instance] if run.live.fail_fast else []
        run.live.fail(instance, now=now, retryable=retryable, delay=delay, error=error)
        will_retry = instance.state is Ti.UP_FOR_RETRY
        if will_retry:
            turn.batch.history.append(history_row(instance, state="failed", version_id=instance.version_id))
            turn.clocked.append(instance)
        for other in stopped:
            if other.state is not Ti.RUNNING and other.worker is not None:
                self.terminate(other, "another task of the run failed, and the DAG is fail_fast", turn)
        spec = instance.node.spec
        if callback and (spec.has_retry_callback if will_retry else spec.has_failure_callback):
            kind = "task_retry" if will_retry else "task_failure"
            self.owe_callback(run, turn, kind, reason=error or "", instance=instance, try_number=try_number)

    def terminate(self, instance: Instance, reason: str, turn: Turn) -> None:
        """Have the process of an instance ended after the commit."""
        worker, key = instance.worker, x.TryKey(instance.id, instance.seq)
        if worker is not None:
            turn.effects.append(lambda: self._executor.terminate(worker, key, reason))

    def drop_piece(self, worker: str, key: x.TryKey, turn: Turn) -> None:
        """Have a worker end a piece that the database knows nothing of any more; its outcome will be void."""
        reason = "this try is no longer wanted: the task instance was cleared, marked or rescued"
        turn.effects.append(lambda: self._executor.terminate(worker, key, reason))

    def triggers_fired(self, turn: Turn) -> None:
        """Resume what waited for triggers that fired."""
        for row in self._world.store.scheduling.trigger_events():
            turn.batch.triggers_done.append(row.trigger_id)
            if row.ti_id is None:
                self._deadlines.trigger_fired(row, turn)
            instance = self._world.instances.get(row.ti_id)
            waits = instance is not None and instance.state is Ti.DEFERRED and instance.trigger_id == row.trigger_id
            if instance is None or not waits:
                continue
            saved = b"null" if instance.next_kwargs is None else instance.next_kwargs
            if row.failure is not None:
                instance.next_method = "__fail__"
                failure = msgspec.json.encode(row.failure)
                instance.next_kwargs = b'{"kwargs":%b,"error":"Trigger failure","traceback":%b}' % (saved, failure)
            else:
                payload = (row.payload or "null").encode()
                instance.next_kwargs = b'{"kwargs":%b,"event":%b}' % (saved, payload)
            turn.run_of(instance).live.resume(instance, turn.now)

    # ----------------------------------------------------------------------------------------------------- runs

    def recovered(self, turn: Turn) -> None:
        """Plan every run as if everything in it had just happened: whatever was lost is decided again."""
        self._early.clear()
        for run in self._world.runs.values():
            turn.touched[run.live.id] = run
            turn.begun.append(run)
            self.check_past(run)
            run.live.plan(turn.now)
        turn.dags.update(dict.fromkeys(self._world.queued))

    def run_noticed(self, run_id: int, turn: Turn) -> None:
        """Somebody else changed a run: read it again, and end the processes of what is not wanted any more."""
        before = self._world.runs.get(run_id)
        self._may_complete(run_id, turn)
        was_running = {i.id: i for i in _running(before)} if before is not None else {}
        turn.touched.pop(run_id, None)
        self._world.reload([run_id])
        run = self._world.runs.get(run_id)
        for ti_id, old in was_running.items():
            new = self._world.instances.get(ti_id)
            if new is None or new.seq != old.seq or new.state not in (Ti.RUNNING, Ti.QUEUED):
                self.terminate(old, "the task instance was cleared or marked", turn)
        if run is not None:
            turn.touched[run_id] = run
            self.check_past(run)
            run.live.plan(turn.now)
            turn.begun.append(run)
        for dag_id, rows in self._world.queued.items():
            if run_id in rows:
                turn.dags[dag_id] = None
        if before is not None:
            turn.dags[before.live.dag_id] = None

    def begin_queued(self, dag_id: str, turn: Turn) -> None:
        """Begin queued runs of a DAG, oldest first, as long as max_active_runs allows (spec: mistake 21).

        Those of a backfill begin in its order, as many at a time as it allows.
        """
        world = self._world
        dag = world.dags.get(dag_id) or world.load_dag(dag_id)
        queue = world.queued.get(dag_id)
        if dag is None or dag.is_paused or not queue:
            return
        for lane in queue.lanes():
            limit = self._limit(dag, lane)
            while world.running.get((dag_id, lane), 0) < limit and (row := queue.first(lane)) is not None:
                if to_micros(row.run_after) > turn.now:
                    self._wait_for(dag_id, to_micros(row.run_after), turn)
                    break
                self._begin(dag, row, turn)

    def _limit(self, dag: Dag, lane: Lane) -> int:
        backfill = None if lane is None else self._world.backfill(lane)
        if backfill is None:
            return dag.max_active_runs
        # One that was cancelled is paused for ever: a run of it that is cleared later begins all the same.
        return 0 if backfill.is_paused and backfill.completed_at is None else backfill.max_active_runs

    def _wait_for(self, dag_id: str, moment: int, turn: Turn) -> None:
        if not turn.now < self._early.get(dag_id, 0) <= moment:
            self._early[dag_id] = moment
            self._clock(moment, RunAfterPassed(dag_id))

    def _begin(self, dag: Dag, row: Any, turn: Turn) -> None:
        version = self._world.version(row.version_id) or self._world.version(dag.version_id)
        if version is None:
            log.error("a queued run has no DAG version", dag_id=dag.dag_id, run_id=row.run_id)
            self._world.drop(row.id)
            return
        run = self._world.begin_run(row, version, turn.now)
        turn.touched[run.live.id] = run
        turn.begun.append(run)
        if version.dag.has_running_listener:
            self.owe_callback(run, turn, "dag_running", reason="started")
        self.check_past(run)
        run.live.plan(turn.now)

    def _may_complete(self, run_id: int, turn: Turn) -> None:
        """The backfill of a run that somebody ended or deleted may have no other left."""
        run = self._world.runs.get(run_id)
        rows = [run.row] if run is not None else [queue.get(run_id) for queue in self._world.queued.values()]
        turn.backfills.update({row.backfill_id: None for row in rows if row is not None and row.backfill_id})

    def end_finished(self, turn: Turn) -> None:
        """End the runs that are over, and look whether others of their DAG can begin."""
        for run in list(turn.touched.values()):
            if run.live.state is not DagRunState.RUNNING:
                continue
            state = run.live.outcome()
            if state is not None:
                deadlocked = run.live.unfinished > 0
                self.end_run(run, state, turn, reason="all_tasks_deadlocked" if deadlocked else "")

    def end_run(self, run: ActiveRun, state: DagRunState, turn: Turn, *, reason: str = "") -> None:
        """Give a run its final state and what follows from it: callbacks, and a pause after too many failures."""
        live, dag = run.live, run.version.dag
        transitions.check_run(live.state, state)
        live.state = state
        run.end_date = turn.now
        run.changed = True
        turn.finished.append(run)
        turn.dags[live.dag_id] = None
        self._deadlines.run_ended(run, turn)
        if run.row.backfill_id is not None:
            turn.backfills[run.row.backfill_id] = None
        self._world.running[live.dag_id, run.row.backfill_id] -= 1
        succeeded = state is DagRunState.SUCCESS
        if dag.has_success_callback if succeeded else dag.has_failure_callback:
            kind = "dag_success" if succeeded else "dag_failure"
            why = reason or ("success" if succeeded else "task_failure")
            last = _last_ended(run, Ti.SUCCESS if succeeded else Ti.FAILED)
            tries = last.try_number if last is not None else 0
            self.owe_callback(run, turn, kind, reason=why, instance=last, try_number=tries)
        if not succeeded:
            self._pause_after_failures(run, turn)

    def _pause_after_failures(self, run: ActiveRun, turn: Turn) -> None:
        limit = run.version.dag.max_consecutive_failed_dag_runs
        if limit <= 0:
            return
        earlier = self._world.store.scheduling.last_states(run.live.dag_id, limit, besides=run.live.id)
        if len(earlier) >= limit - 1 and all(state == DagRunState.FAILED for state in earlier[: limit - 1]):
            turn.batch.paused.append(run.live.dag_id)
            turn.notices["dag", run.live.dag_id] = None

    def check_past(self, run: ActiveRun) -> None:
        """Work out which tasks have to wait for the run before (spec: mistakes 19 and 20)."""
        graph = run.version.graph
        if not graph.has_past_dependencies or run.row.logical_date is None:
            return
        nodes = [n for n in graph.nodes if n.spec.depends_on_past or n.spec.wait_for_downstream]
        catchup = run.version.dag.catchup
        past = self._world.store.scheduling.past_of(run.row, [n.task_id for n in nodes], catchup=catchup)
        unmet = set()
        for node in nodes:
            state = past[node.task_id]
            below = [past.get(graph.nodes[d].task_id, PastState()) for d in node.downstream]
            if not _past_is_good(node.spec, state, below, catchup=catchup):
                unmet.add(node.index)
        run.live.past_unmet = unmet

    def past_changed(self, dag_id: str, turn: Turn) -> None:
        """A run moved on: the next ones of its DAG may have waited for it."""
        for run in self._world.runs_of(dag_id):
            if run.live.past_unmet:
                before = run.live.past_unmet
                self.check_past(run)
                turn.touched[run.live.id] = run
                run.live.release(before - run.live.past_unmet, turn.now)

    # ------------------------------------------------------------------------------------------------ callbacks

    def owe_callback(
        self,
        run: ActiveRun,
        turn: Turn,
        kind: str,
        *,
        reason: str,
        instance: Instance | None = None,
        try_number: int = 0,
    ) -> None:
        """Note that a callback of user code has to run, and send it to a worker after the commit."""
        callback_id = self._world.next_id()
        ti_id = instance.id if instance is not None else None
        turn.batch.callbacks.append((callback_id, kind, run.live.id, ti_id, reason))
        workload = self._callback(callback_id, kind, run, reason, instance, try_number)
        if workload is not None:
            turn.effects.append(lambda: self._callbacks.send(workload))

    def owed(self, row: Any) -> x.CallbackWorkload | None:
        """Return the workload of a callback that was noted but not confirmed; None if its run is forgotten."""
        run = self._world.runs.get(row.dag_run_id) or self._world.finished_run(row.dag_run_id)
        if run is None:
            return None
        instance = next((i for group in run.live.instances for i in group if i.id == row.ti_id), None)
        return self._callback(row.id, row.kind, run, row.reason, instance, instance.try_number if instance else 0)

    def _callback(
        self, callback_id: int, kind: str, run: ActiveRun, reason: str, instance: Instance | None, try_number: int
    ) -> x.CallbackWorkload | None:
        dag = self._world.dags.get(run.live.dag_id)
        if dag is None:
            return None
        return x.CallbackWorkload(
            id=callback_id,
            kind=kind,
            file=dag.file,
            run=Raw(run.info),
            reason=reason,
            task_id=instance.node.task_id if instance is not None else None,
            map_index=instance.map_index if instance is not None else -1,
            try_number=try_number,
            max_tries=instance.max_tries if instance is not None else 0,
        )


def _source(run: ActiveRun, instance: Instance) -> Source:
    date = run.row.partition_date
    return Source(
        dag_id=run.live.dag_id,
        task_id=instance.node.task_id,
        run_id=run.live.run_id,
        map_index=instance.map_index,
        partition_key=run.row.partition_key,
        partition_date=None if date is None else to_micros(date),
    )


def _running(run: ActiveRun) -> list[Instance]:
    return [i for group in run.live.instances for i in group if i.state in (Ti.RUNNING, Ti.RESTARTING, Ti.QUEUED)]


def _last_ended(run: ActiveRun, state: Ti) -> Instance | None:
    """Return the instance that ended last in a state: the one in whose context a callback of the DAG is called."""
    ended = [i for group in run.live.instances for i in group if i.state is state]
    return max(ended, key=lambda instance: instance.end_date or 0, default=None)


def _past_is_good(spec: Any, state: PastState, below: list[PastState], *, catchup: bool) -> bool:
    if state.is_first:
        return True
    start = moment(spec.start_date)
    if catchup and start is not None and state.logical_date is not None and state.logical_date < start:
        return True
    if not state.present:
        return bool(spec.ignore_first_depends_on_past and not state.ever)
    if state.unsuccessful:
        return False
    return not (spec.wait_for_downstream and any(past.unsuccessful for past in below))
