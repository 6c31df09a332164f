"""Ask user code about task instances before their tries (`model.asking`), a whole run at a time.

A question is written in the transaction in which an instance would have been scheduled; the dag-processor has it answered
and rings `reply`; the answer is written into the instances, and the question deleted, in the transaction that schedules
them. There is one question per run at a time. What was asked is not remembered beyond a restart: it is asked again then.
"""

from __future__ import annotations

from functools import partial

import structlog

from gnomon.model.asking import Placement, place, to_ask
from gnomon.model.instance import Instance
from gnomon.scheduler.turn import Turn
from gnomon.scheduler.world import ActiveRun, World
from gnomon.store.questions import Ask
from gnomon.wire.questions import AskedOf, InstancesAsked, InstancesTold, TryAsked

log = structlog.get_logger("scheduler")

KIND = "instances"
#: What is named where an answer fails.
_ASKED = "task_instance_mutation_hook"


class AskInstances:
    """Questions about task instances."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ask(self, turn: Turn) -> None:
        """Write down what has to be asked about the runs of this turn."""
        for run in turn.touched.values():
            if run.live.asking and not run.is_asked and (instances := to_ask(run.live)):
                run.is_asked = True
                body = AskedOf({}, InstancesAsked(bytes(run.info), [_asked(instance) for instance in instances]))
                ask = Ask(KIND, run.live.dag_id, _ASKED, body, about=str(run.live.id))
                turn.batch.writes.append(partial(self._world.store.questions.ask_in, ask=ask, now=turn.now))

    def answered(self, about: str, turn: Turn) -> None:
        """User code has decided on instances of a run, or has failed to; then it is asked again after a while."""
        questions, run = self._world.store.questions, self._world.runs.get(int(about))
        if run is None:
            turn.batch.writes.append(partial(questions.forget_about_in, kind=KIND, about=about))
            return
        turn.touched[run.live.id] = run
        found = questions.get(KIND, run.live.dag_id, about)
        if found is None:  # a new version of the DAG has swept it away
            run.is_asked = False
        elif isinstance(found.told, InstancesTold) and isinstance(found.body.asked, InstancesAsked):
            run.is_asked = False
            placements = {
                told.ti: Placement(
                    told.try_number, told.queue, told.pool, told.pool_slots, told.priority_weight, told.max_tries
                )
                for told in found.told.tries
            }
            placed = []
            for asked in found.body.asked.tries:
                instance = self._world.instances.get(asked.ti)
                if instance is not None and instance.run is run.live and place(instance, placements.get(asked.ti)):
                    placed.append(instance)
            run.live.placed(placed, turn.now)
            turn.batch.writes.append(partial(questions.forget_in, kind=KIND, dag_id=run.live.dag_id, about=about))
        elif found.error is not None:
            log.error("nobody decides on task instances", dag_id=run.live.dag_id, error=found.error)
            turn.batch.writes.append(partial(questions.take_in, kind=KIND, dag_id=run.live.dag_id, about=about))

    def again(self, runs: list[ActiveRun], turn: Turn) -> None:
        """A DAG file, or a policy with it, has changed: what was not answered, or only by an error, is asked anew."""
        for run in runs:
            if run.live.asking and run.is_asked:
                found = self._world.store.questions.get(KIND, run.live.dag_id, str(run.live.id))
                if found is None or found.error is not None:
                    run.is_asked = False
                    turn.touched[run.live.id] = run

    def lost(self) -> list[str]:
        """Return the runs that wait for an answer to a question that is there no more."""
        waiting = [run for run in self._world.runs.values() if run.live.asking and run.is_asked]
        get = self._world.store.questions.get
        return [str(run.live.id) for run in waiting if get(KIND, run.live.dag_id, str(run.live.id)) is None]


def _asked(instance: Instance) -> TryAsked:
    return TryAsked(
        instance.id,
        instance.node.task_id,
        instance.map_index,
        instance.try_number,
        instance.max_tries,
        instance.weight,
        instance.state,
    )
