"""A task instance in memory: what planning changes, and what the database last confirmed."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from gnomon.model.graph import Node
from gnomon.model.states import TaskInstanceState as Ti

if TYPE_CHECKING:
    from gnomon.model.run import LiveRun


class Counted(Enum):
    """What an instance takes of the limits."""

    NOT = "not"  #: Nothing.
    WAITING = "waiting"  #: Nothing yet; it is a candidate.
    HELD = "held"  #: A slot of everything.
    PARKED = "parked"  #: What deferred instances take.
    ASKING = "asking"  #: What instances take that wait for a person: their per-task limits, never a pool.


class Instance:
    """One task instance: what the database holds of it, plus what the database last confirmed (`stored`)."""

    __slots__ = (
        "asked_for",
        "counted",
        "end_date",
        "error",
        "first_start",
        "hostname",
        "id",
        "map_index",
        "max_tries",
        "next_kwargs",
        "next_method",
        "node",
        "pid",
        "pool",
        "pool_slots",
        "priority",
        "queue",
        "queued_at",
        "rendered_map_index",
        "reschedules",
        "run",
        "scheduled_at",
        "seq",
        "start_date",
        "state",
        "stored",
        "trigger_id",
        "try_number",
        "version_id",
        "wake_at",
        "worker",
    )

    def __init__(self, run: LiveRun, node: Node, ti_id: int, map_index: int = -1) -> None:
        spec = node.spec
        self.run = run
        self.node = node
        self.id = ti_id
        self.map_index = map_index
        self.state: Ti | None = None
        #: (state, seq, map_index) as committed; None while the row does not exist
        self.stored: tuple[Ti | None, int, int] | None = None
        self.try_number = 0
        self.max_tries = spec.retries
        self.seq = 0
        self.pool = spec.pool
        self.pool_slots = spec.pool_slots
        self.queue = spec.queue
        self.priority = node.priority
        self.scheduled_at: int | None = None
        self.queued_at: int | None = None
        self.start_date: int | None = None
        self.end_date: int | None = None
        self.first_start: int | None = None
        self.reschedules = 0
        self.wake_at: int | None = None
        self.worker: str | None = None
        self.hostname: str | None = None
        self.pid: int | None = None
        self.trigger_id: int | None = None
        self.next_method: str | None = None
        self.next_kwargs: bytes | None = None
        self.error: str | None = None
        self.rendered_map_index: str | None = None
        self.version_id: int | None = None
        #: how many tries it had when user code last decided on it, as far as that is remembered
        self.asked_for: int | None = None
        #: how `admit` counts it at the moment
        self.counted = Counted.NOT

    @property
    def weight(self) -> int:
        """What it weighs in the try that comes next, unless somebody decides otherwise."""
        weights = self.node.spec.weights
        return weights[min(self.try_number, len(weights) - 1)] if weights else self.node.priority

    def __repr__(self) -> str:
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"<{self.run.dag_id}/{self.run.run_id}/{self.node.task_id}{index} {self.state or 'none'} #{self.seq}>"
