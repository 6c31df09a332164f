"""Rescue: what a worker held when it was lost.

A piece that is queued has not begun, so it is handed over again; one that runs may have done anything, so that try has
failed. A worker that only lost its connection comes back and says what it holds. That it is dead is certain when
another incarnation takes its name (the name is a lock), or taken for granted after the heartbeat timeout.
"""

from __future__ import annotations

from gnomon.executors.executor import WorkerJoined, WorkerLeft
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.scheduler.expire import Clockwork
from gnomon.scheduler.plan_runs import PlanRuns
from gnomon.scheduler.turn import Turn, WorkerGone
from gnomon.scheduler.world import World
from gnomon.wire import execution as x

_SECOND = 1_000_000


class Rescue:
    """Brings pieces of lost workers back into play."""

    def __init__(self, world: World, plan_runs: PlanRuns, clockwork: Clockwork, heartbeat_timeout: float) -> None:
        self._world = world
        self._plan_runs = plan_runs
        self._clockwork = clockwork
        self._timeout = int(heartbeat_timeout * _SECOND)
        self._connected: set[str] = set()

    def forget(self, now: int) -> None:
        """Start anew: every worker that holds something has the heartbeat timeout to say hello."""
        self._connected.clear()
        holders = {i.worker for i in self._world.instances.values() if i.worker and i.state in (Ti.QUEUED, Ti.RUNNING)}
        for incarnation in holders:
            self._clockwork.at(now + self._timeout, WorkerGone(incarnation))

    def joined(self, event: WorkerJoined, turn: Turn) -> None:
        """Compare what a worker holds with what the database says, and rescue what its predecessors held."""
        self._connected.add(event.incarnation)
        for instance in list(self._world.instances.values()):
            worker = instance.worker
            if worker is None or instance.state not in (Ti.QUEUED, Ti.RUNNING, Ti.RESTARTING):
                continue
            if worker == event.incarnation:
                if x.TryKey(instance.id, instance.seq) not in event.held:
                    self._rescue(instance.id, f"worker {event.name} does not know of it any more", turn)
            elif worker.rpartition("/")[0] == event.name:
                self._rescue(instance.id, f"worker {event.name} ended while it was running", turn)
        current = {
            x.TryKey(i.id, i.seq)
            for i in self._world.instances.values()
            if i.worker == event.incarnation and i.state in (Ti.QUEUED, Ti.RUNNING, Ti.RESTARTING)
        }
        for key in event.held - current:
            self._plan_runs.drop_piece(event.incarnation, key, turn)

    def left(self, event: WorkerLeft, turn: Turn) -> None:
        """Give a worker time to come back."""
        self._connected.discard(event.incarnation)
        self._clockwork.at(turn.now + self._timeout, WorkerGone(event.incarnation))

    def gone(self, event: WorkerGone, turn: Turn) -> None:
        """A worker did not come back in time."""
        if event.incarnation in self._connected:
            return
        for instance in list(self._world.instances.values()):
            if instance.worker == event.incarnation and instance.state in (Ti.QUEUED, Ti.RUNNING, Ti.RESTARTING):
                name = event.incarnation.rpartition("/")[0]
                self._rescue(instance.id, f"no heartbeat of worker {name} for {self._timeout // _SECOND} s", turn)

    def _rescue(self, ti_id: int, reason: str, turn: Turn) -> None:
        instance = self._world.instances[ti_id]
        run = turn.run_of(instance)
        if instance.state is Ti.QUEUED:
            run.live.requeue(instance, turn.now)
        elif instance.state is Ti.RESTARTING:
            run.live.restart(instance, turn.now)
        elif instance.state is Ti.RUNNING:
            self._plan_runs.fail(run, instance, turn, now=turn.now, error=reason, callback=True)
