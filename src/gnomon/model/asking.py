"""Task instances that user code decides on before each try: where they run, and how important they are.

That is a cluster policy's `task_instance_mutation_hook`, or a weight strategy that looks at the run. Neither may be
called by whoever plans, so what is to be scheduled waits until it has been answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gnomon.model.instance import Instance
from gnomon.model.states import TaskInstanceState as Ti

if TYPE_CHECKING:
    from gnomon.model.run import LiveRun


@dataclass(frozen=True, slots=True)
class Placement:
    """What user code has decided on an instance that had `try_number` tries by then."""

    try_number: int
    queue: str
    pool: str
    pool_slots: int
    priority: int
    max_tries: int


def must_ask(instance: Instance) -> bool:
    """Tell whether user code has a say in the try that an instance is about to begin, and has not been asked."""
    return instance.node.spec.is_asked and instance.asked_for != instance.try_number


def to_ask(run: LiveRun) -> list[Instance]:
    """Return those that wait to be asked about, and with them all that have not begun, to ask seldom."""
    for instance in list(run.asking.values()):
        if instance.state not in (None, Ti.UP_FOR_RETRY) or not must_ask(instance):
            del run.asking[instance.id]
    if not run.asking:
        return []
    ahead = (i for group in run.instances for i in group if i.state is None and i.id not in run.asking)
    expanded = (i for i in ahead if (i.map_index >= 0 or not i.node.is_mapped) and not i.node.spec.inline)
    return [*run.asking.values(), *filter(must_ask, expanded)]


def place(instance: Instance, placement: Placement | None) -> bool:
    """Put down what was decided on an instance, nothing for None; False if it has moved on since it was asked about."""
    if instance.state not in (None, Ti.UP_FOR_RETRY):
        return False
    if placement is not None:
        if placement.try_number != instance.try_number:
            return False
        instance.queue, instance.pool, instance.pool_slots = placement.queue, placement.pool, placement.pool_slots
        instance.priority, instance.max_tries = placement.priority, placement.max_tries
    instance.asked_for = instance.try_number
    return True
