"""Expire: everything that happens because time passes, on one heap and one timer."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

import msgspec

from gnomon.model.instance import Instance
from gnomon.model.states import DagRunState
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.scheduler.await_input import AwaitInput
from gnomon.scheduler.plan_runs import PlanRuns
from gnomon.scheduler.turn import Due, Internal, RunTimedOut, Turn
from gnomon.scheduler.world import ActiveRun, World

_SECOND = 1_000_000


class Clockwork:
    """Tells events when their time has come; sleeps until the next one."""

    def __init__(self, tell: Callable[[Internal], None], now: Callable[[], int]) -> None:
        self._tell = tell
        self._now = now
        self._heap: list[tuple[int, int, Internal]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0

    def at(self, moment: int, event: Internal) -> None:
        """Tell `event` at `moment`, in microseconds."""
        heapq.heappush(self._heap, (moment, next(self._order), event))
        if self._timer is None or moment < self._timer_at:
            self._set_timer()

    def clear(self) -> None:
        """Forget all events."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer_at = self._heap[0][0]
            delay = max(0.0, (self._timer_at - self._now()) / _SECOND)
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            self._tell(heapq.heappop(self._heap)[2])
        self._timer = None
        self._set_timer()


class Expire:
    """Retry delays, pokes, deferral timeouts and run timeouts."""

    def __init__(self, world: World, plan_runs: PlanRuns, await_input: AwaitInput, clockwork: Clockwork) -> None:
        self._world = world
        self._await_input = await_input
        self._plan_runs = plan_runs
        self._clockwork = clockwork

    def watch(self, instance: Instance) -> None:
        """Wake an instance when its `wake_at` comes."""
        if instance.wake_at is not None:
            self._clockwork.at(instance.wake_at, Due(instance.id, instance.wake_at))

    def watch_run(self, run: ActiveRun) -> None:
        """Watch a run's timeout, and everything in it that waits for the clock."""
        timeout = run.version.dag.dagrun_timeout
        if timeout is not None and run.start_date is not None:
            self._clockwork.at(run.start_date + int(timeout * _SECOND), RunTimedOut(run.live.id))
        for group in run.live.instances:
            for instance in group:
                if instance.wake_at is not None:
                    self.watch(instance)

    def due(self, event: Due, turn: Turn) -> None:
        """An instance's moment has come, unless it has moved on since."""
        instance = self._world.instances.get(event.ti_id)
        if instance is None or instance.wake_at != event.at:
            return
        if instance.state in (Ti.UP_FOR_RETRY, Ti.UP_FOR_RESCHEDULE):
            turn.run_of(instance).live.resume(instance, turn.now)
        elif instance.state is Ti.AWAITING_INPUT:
            self._await_input.timed_out(instance, turn)
        elif instance.state is Ti.DEFERRED:
            saved = b"null" if instance.next_kwargs is None else instance.next_kwargs
            instance.next_method = "__fail__"
            instance.next_kwargs = b'{"kwargs":%b,"error":%b,"traceback":null}' % (
                saved,
                msgspec.json.encode("Trigger timeout"),
            )
            if instance.trigger_id is not None:
                turn.batch.triggers_done.append(instance.trigger_id)
                turn.notices["trigger", str(instance.trigger_id)] = None
            turn.run_of(instance).live.resume(instance, turn.now)

    def run_timed_out(self, event: RunTimedOut, turn: Turn) -> None:
        """A run took longer than its dagrun_timeout: it has failed, and what is unfinished is skipped (mistake 18)."""
        run = self._world.runs.get(event.run_id)
        timeout = run.version.dag.dagrun_timeout if run is not None else None
        if run is None or timeout is None or run.live.state is not DagRunState.RUNNING or run.start_date is None:
            return
        if turn.now < run.start_date + int(timeout * _SECOND):
            return
        turn.touched[run.live.id] = run
        for instance in run.live.expire(turn.now):
            self._plan_runs.terminate(instance, f"the run took longer than its dagrun_timeout of {timeout:g} s", turn)
        self._plan_runs.end_run(run, DagRunState.FAILED, turn, reason="timed_out")
