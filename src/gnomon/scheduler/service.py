"""The scheduler's loop: take what happened, decide, commit it all in one transaction, then act.

    events ─▶ decide (model) ─▶ commit (store) ─▶ effects (executor, notices) ─▶ wait

Everything that arrives while a commit is under way is decided upon together in the next turn, so that under load one
durable commit serves many tasks, and an idle scheduler sleeps. If the database has moved on (`Conflict`), the runs
concerned are read again and the same events decided anew; events are idempotent. If the database is away, everything
in memory is forgotten and read again when it is back, and the workers are asked what they hold.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import structlog

from gnomon.executors.executor import (
    CallbackEnded,
    Event,
    Executor,
    OnRequest,
    PieceEnded,
    StartAsked,
    WorkerJoined,
    WorkerLeft,
)
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.scheduler import ask_instances
from gnomon.scheduler.ask_instances import AskInstances
from gnomon.scheduler.await_input import AwaitInput
from gnomon.scheduler.backfills import Backfills
from gnomon.scheduler.callbacks import Callbacks
from gnomon.scheduler.create_asset_runs import CreateAssetRuns
from gnomon.scheduler.create_runs import CreateRuns
from gnomon.scheduler.deadlines import Deadlines
from gnomon.scheduler.dispatch import Dispatch
from gnomon.scheduler.expire import Clockwork, Expire
from gnomon.scheduler.leases import Lease
from gnomon.scheduler.plan_runs import PlanRuns
from gnomon.scheduler.rescue import Rescue
from gnomon.scheduler.turn import (
    AssetsUpdated,
    BackfillNoticed,
    DagNoticed,
    DeadlinesDue,
    Due,
    InputAnswered,
    Internal,
    PastChanged,
    PoolsNoticed,
    Recovered,
    RunAfterPassed,
    RunNoticed,
    RunsDue,
    RunTimedOut,
    TriggersFired,
    Turn,
    UserCodeAnswered,
    WorkerGone,
)
from gnomon.scheduler.world import World
from gnomon.service import clock
from gnomon.service.config import conf, profile
from gnomon.service.service import Service
from gnomon.store.engine import Store
from gnomon.store.errors import Conflict, LeadershipLost, Unavailable
from gnomon.store.notifier import Notice, Subscription
from gnomon.store.scheduling import Batch
from gnomon.wire import execution as x

log = structlog.get_logger("scheduler")

#: How often a decision is made anew because the database had moved on, before it is taken for a bug.
_ATTEMPTS = 10
#: Between two looks at what a lost notice may have hidden, and between two heartbeats.
_SWEEP_SECONDS = 5.0
#: Live views need not hear of every task; of a run at most this often.
_STATE_NOTICE_SECONDS = 0.05


class Scheduler(Service):
    """The leading scheduler, or one that waits to lead."""

    def __init__(self, store: Store, executor: Executor, on_request: OnRequest) -> None:
        super().__init__("scheduler")
        self._store = store
        self._executor = executor
        self._answer = on_request
        self._world = World(
            store,
            parallelism=conf.getint("core", "parallelism"),
            max_task_retry_delay=conf.getfloat("core", "max_task_retry_delay"),
            profile=profile(),
        )
        self._world.clears_state = conf.getboolean("state_store", "clear_on_success", fallback=False)
        self._clockwork = Clockwork(self.tell, clock.now_us)
        self._await_input = AwaitInput(self._world, self.tell)
        self._ask_instances = AskInstances(self._world)
        self._callbacks = Callbacks(executor)
        self._deadlines = Deadlines(self._world, self._clockwork.at, self._callbacks)
        parts = (self._world, executor, self._callbacks, self._await_input, self._deadlines)
        self._plan_runs = PlanRuns(*parts, self._clockwork.at)
        self._backfills = Backfills(self._world)
        self._expire = Expire(self._world, self._plan_runs, self._await_input, self._clockwork)
        self._dispatch = Dispatch(self._world, executor)
        self._create_runs = CreateRuns(self._world, self._clockwork)
        self._create_asset_runs = CreateAssetRuns(self._world)
        timeout = conf.getfloat("scheduler", "task_instance_heartbeat_timeout")
        self._rescue = Rescue(self._world, self._plan_runs, self._clockwork, timeout)
        self._lease = Lease(store, f"{socket.gethostname()}:{os.getpid()}")
        self._decides = self._handlers()
        self._inbox: list[Event | Internal] = []
        self._woken = False
        self._leads = False
        self._failure: asyncio.Future[None] | None = None
        self._pending_states: dict[str, None] = {}
        self._job: int | None = None

    # ----------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Lead when it is this one's turn, until stopped; come back after the database was away."""
        self._failure = asyncio.get_running_loop().create_future()
        while not self.stopping.is_set():
            if not await self._lease.take(self.stopping):
                break
            try:
                await self._lead()
            except Unavailable as error:
                log.error("the database is away; everything is read again when it is back", error=str(error))
            except LeadershipLost:
                log.warning("another scheduler leads now")
            finally:
                self._leads = False
                self._clockwork.clear()
                self._inbox.clear()
                self._lease.release()
            await self.stopped_within(0.2)
        await self._executor.stop()

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        self._failure = loop.create_future()
        heard: Subscription | None = None
        try:
            topics = ("run", "backfill", "asset", "dag", "fired", "answered", "reply", "pool")
            heard = self._store.notifier.subscribe(loop, topics, self._hear)
            self._recover()
            self._leads = True
            self._job = self._store.jobs.start(
                "SchedulerJob", hostname=socket.gethostname(), pid=os.getpid(), now=clock.now(),
                executor_class=type(self._executor).__name__,
            )  # fmt: skip
            await self._executor.start(self.tell, self._on_request)
            self.ready()
            self._wake()
            while not self.stopping.is_set():
                await self._until_sweep()
                self._sweep()
        finally:
            if heard is not None:
                heard.close()
            await self._executor.stop()
            if self._job is not None and self.stopping.is_set():
                self._end_job()

    def _end_job(self) -> None:
        try:
            assert self._job is not None
            self._store.jobs.end(self._job, clock.now())
        except Unavailable:
            log.warning("the end of this scheduler could not be noted")

    async def _until_sweep(self) -> None:
        assert self._failure is not None
        stop = asyncio.ensure_future(self.stopping.wait())
        ends: set[asyncio.Future[Any]] = {stop, self._failure}
        await asyncio.wait(ends, timeout=_SWEEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if self._failure.done():
            self._failure.result()

    def _recover(self) -> None:
        """Read everything, and plan it as if it had just happened."""
        world, now = self._world, clock.now_us()
        self._clockwork.clear()
        world.load(self._lease.epoch)
        self._rescue.forget(now)
        self.tell(Recovered())
        self.tell(TriggersFired())
        self.tell(InputAnswered())
        for dag in world.dags.values():
            if dag.row.exceeds_max_non_backfill:
                self.tell(DagNoticed(dag.dag_id))
        self._hear_of_backfills()
        self._hear_of_answers()
        self._deadlines.watch()
        self._create_asset_runs.forget()
        self._hear_of_assets()
        self._create_runs.watch()

    def _sweep(self) -> None:
        """Look for what a lost notice may have hidden, and give a sign of life."""
        if self._lease.lost:
            raise LeadershipLost
        if self._job is not None:
            self._store.jobs.heartbeat(self._job, clock.now())
        known = self._world.runs.keys() | {run_id for queue in self._world.queued.values() for run_id in queue}
        for run_id in self._store.scheduling.unfinished_ids():
            if run_id not in known:
                self.tell(RunNoticed(run_id))
        if self._store.scheduling.trigger_events():
            self.tell(TriggersFired())
        if self._world.awaiting:
            self.tell(InputAnswered())
        self._hear_of_backfills()
        self._hear_of_answers()
        for about in self._ask_instances.lost():
            self.tell(UserCodeAnswered(ask_instances.KIND, about))
        self._hear_of_assets()
        self._create_runs.watch()

    def _hear_of_backfills(self) -> None:
        for number in self._backfills.unseen():
            self.tell(BackfillNoticed(number))

    def _hear_of_assets(self) -> None:
        for dag_id in self._create_asset_runs.unseen():
            self.tell(AssetsUpdated(dag_id))

    def _hear_of_answers(self) -> None:
        for kind, dag_id, about in self._store.questions.untaken():
            self.tell(UserCodeAnswered(kind, about or dag_id))

    # --------------------------------------------------------------------------------------------------- events

    def _hear(self, notice: Notice) -> None:
        """A notice of another process; an empty payload means that some were lost."""
        match notice.topic:
            case "run" if notice.payload.isdigit():
                self.tell(RunNoticed(int(notice.payload)))
            case "backfill" if notice.payload.isdigit():
                self.tell(BackfillNoticed(int(notice.payload)))
            case "dag" if notice.payload:
                self.tell(DagNoticed(notice.payload))
            case "asset" if notice.payload:
                self.tell(AssetsUpdated(notice.payload))
            case "fired":
                self.tell(TriggersFired())
            case "answered" if notice.payload.isdigit():
                self.tell(InputAnswered(int(notice.payload)))
            case "reply" if notice.payload:
                kind, _, about = notice.payload.partition(":")
                self.tell(UserCodeAnswered(kind, about))
            case "pool":
                self.tell(PoolsNoticed())
            case _:
                self.tell(RunsDue())

    def tell(self, event: Event | Internal) -> None:
        """Have an event decided upon in the next turn."""
        self._inbox.append(event)
        self._wake()

    def _wake(self) -> None:
        if not self._woken and self._leads:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._run_turn)

    def _run_turn(self) -> None:
        self._woken = False
        if not self._leads or not self._inbox:
            return
        events, self._inbox = self._inbox, []
        try:
            self._decide_and_commit(events)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._leads = False
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _decide_and_commit(self, events: list[Event | Internal]) -> None:
        for _ in range(_ATTEMPTS):
            now = clock.now_us()
            turn = Turn(self._world, Batch(epoch=self._lease.epoch, now=now), now)
            self._decide(events, turn)
            batch = turn.close()
            try:
                if batch:
                    self._store.scheduling.commit(batch)
            except Conflict:
                log.info("decided anew: somebody changed a run meanwhile", runs=len(turn.touched))
                self._reload(turn)
                continue
            turn.committed()
            self._act(turn)
            return
        raise RuntimeError(f"{len(events)} events could not be committed in {_ATTEMPTS} attempts")

    def _reload(self, turn: Turn) -> None:
        """Read anew what was decided upon. A backfill that was cancelled has taken all its queued runs along."""
        backfills = {run.row.backfill_id for run in turn.touched.values()} - {None}
        self._world.reload(list(turn.touched))
        self._world.reload_dags(turn.dags)
        for number in backfills:
            self._world.load_backfill(number)

    def _decide(self, events: list[Event | Internal], turn: Turn) -> None:
        self._executor.begin_placing()
        # A run that somebody else changed is read again first: what is decided about it here would be lost by that.
        for event in sorted(events, key=lambda event: not isinstance(event, RunNoticed)):
            self._decides[type(event)](event, turn)
        if self._world.arrived:
            self._deadlines.arrive(turn)  # before anything ends: a run may be over in the turn in which it came
        self._plan_runs.end_finished(turn)
        while turn.dags:
            dags, turn.dags = turn.dags, {}
            for dag_id in dags:
                self._plan_runs.begin_queued(dag_id, turn)
                dag = self._world.dags.get(dag_id)
                if dag is not None and dag.row.exceeds_max_non_backfill:
                    self._create_runs.look(dag, turn, anew=True)
                if dag_id in self._create_asset_runs.held:
                    self._create_asset_runs.look(dag_id, turn)
            self._plan_runs.end_finished(turn)
        if self._world.arrived:
            self._deadlines.arrive(turn)
        if turn.backfills:
            self._backfills.complete(turn)
        self._ask_instances.ask(turn)
        turn.recount()
        self._callbacks.place(turn)
        self._dispatch.admit(turn)

    def _handlers(self) -> dict[type, Callable[[Any, Turn], None]]:
        """Who decides upon which event."""
        plan, expire, rescue = self._plan_runs, self._expire, self._rescue
        return {
            PieceEnded: plan.piece_ended,
            StartAsked: plan.start_asked,
            RunNoticed: lambda event, turn: plan.run_noticed(event.run_id, turn),
            BackfillNoticed: self._backfills.noticed,
            RunAfterPassed: lambda event, turn: turn.dags.setdefault(event.dag_id),
            Recovered: lambda _, turn: plan.recovered(turn),
            TriggersFired: lambda _, turn: plan.triggers_fired(turn),
            InputAnswered: self._await_input.answered,
            PastChanged: lambda event, turn: plan.past_changed(event.dag_id, turn),
            CallbackEnded: self._callback_ended,
            DeadlinesDue: lambda _, turn: self._deadlines.due(turn),
            DagNoticed: self._dag_noticed,
            RunsDue: lambda _, turn: self._create_runs.due(turn),
            AssetsUpdated: self._create_asset_runs.updated,
            UserCodeAnswered: self._user_code_answered,
            PoolsNoticed: lambda _, turn: self._world.load_pools(),
            Due: expire.due,
            RunTimedOut: expire.run_timed_out,
            WorkerJoined: self._worker_joined,
            WorkerLeft: rescue.left,
            WorkerGone: rescue.gone,
        }

    def _dag_noticed(self, event: DagNoticed, turn: Turn) -> None:
        dag = self._world.load_dag(event.dag_id)
        if dag is not None:
            self._create_runs.look(dag, turn, anew=True)
            self._create_asset_runs.look(event.dag_id, turn, anew=True)
        self._ask_instances.again(list(self._world.runs_of(event.dag_id)), turn)
        turn.dags[event.dag_id] = None

    def _callback_ended(self, event: CallbackEnded, turn: Turn) -> None:
        turn.batch.callbacks_done.append(event.id)
        self._deadlines.callback_ended(event.id, event.error, turn)

    def _user_code_answered(self, event: UserCodeAnswered, turn: Turn) -> None:
        if event.kind == "next":
            self._create_runs.answered(event.about, turn)
        elif event.kind == "deadline":
            self._deadlines.answered(event.about, turn)
        elif event.kind == "partition":
            self._create_asset_runs.answered(event.about, turn)
        elif event.kind == ask_instances.KIND:
            self._ask_instances.answered(event.about, turn)

    def _worker_joined(self, event: WorkerJoined, turn: Turn) -> None:
        self._rescue.joined(event, turn)
        turn.effects.append(self._resend_callbacks)

    # ---------------------------------------------------------------------------------------------------- effects

    def _act(self, turn: Turn) -> None:
        """What was decided is committed: now it may be seen outside."""
        for effect in turn.effects:
            effect()
        self._dispatch.send(turn)
        self._executor.flush()
        for instance in turn.clocked:
            if instance.state in (Ti.UP_FOR_RETRY, Ti.UP_FOR_RESCHEDULE, Ti.DEFERRED, Ti.AWAITING_INPUT):
                self._expire.watch(instance)
        for dag_id in turn.woken:
            self.tell(AssetsUpdated(dag_id))
        for run in turn.begun:
            if run.live.id in self._world.runs:
                self._expire.watch_run(run)
        for run in turn.touched.values():
            if run.version.graph.has_past_dependencies:
                self.tell(PastChanged(run.live.dag_id))
        for run in turn.finished:
            self._log_end(turn, run.live.dag_id, run.live.run_id, run.live.state)
            self._world.drop(run.live.id)
        for topic, payload in turn.notices:
            self._store.notifier.notify(topic, payload)
        self._notice_states(turn)

    @staticmethod
    def _log_end(turn: Turn, dag_id: str, run_id: str, state: str) -> None:
        log.info("run ended", dag_id=dag_id, run_id=run_id, state=state)

    def _notice_states(self, turn: Turn) -> None:
        """Tell live views which runs moved, many changes in one notice."""
        if not turn.touched:
            return
        if not self._pending_states:
            asyncio.get_running_loop().call_later(_STATE_NOTICE_SECONDS, self._send_state_notices)
        self._pending_states.update(dict.fromkeys(map(str, turn.touched)))

    def _send_state_notices(self) -> None:
        pending, self._pending_states = self._pending_states, {}
        for payload in pending:
            self._store.notifier.notify("state", payload)

    def _resend_callbacks(self) -> None:
        self._callbacks.forget()
        for row in self._store.scheduling.owed_callbacks():
            if row.kind == "deadline":
                self._deadlines.call(row.id)
                continue
            workload = self._plan_runs.owed(row)
            if workload is not None:
                self._callbacks.send(workload)

    def _seq_in_store(self, ti: int) -> int | None:
        """Return the piece of a task instance whose run has ended: its success callbacks may still ask something."""
        found = self._store.task_instances.by_id(ti)
        return None if found is None else found.seq

    def _on_request(self, key: x.TryKey, request: x.Request) -> x.Reply | None:
        """Answer user code, as long as its try is the current one; a callback, whose key is negative, has no try.

        While the database is away there is no answer: this scheduler hangs up, and the worker asks the next one.
        """
        try:
            instance = self._world.instances.get(key.ti)
            if key.ti > 0 and (self._seq_in_store(key.ti) if instance is None else instance.seq) != key.seq:
                return x.Problem("forbidden", "this try is over: the task instance was cleared, marked or rescued")
            reply = self._answer(key, request)
            if isinstance(reply, x.Problem) and reply.code == "unavailable":
                raise Unavailable(reply.message)
        except Unavailable as error:
            self._fail(error)
            return None
        return reply
