"""Who gets a slot: candidates in order of priority, under every limit that applies to them.

Candidates wait in buckets; all of a bucket share the same limits, so a closed limit costs one look per bucket and not
one per candidate. A candidate that needs more slots than are free does not hold back a smaller one (spec: mistake 22).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from gnomon.model.instance import Instance

K = TypeVar("K")


class Lane(NamedTuple):
    """The limits that a candidate is under; candidates with equal lanes share a bucket."""

    dag_id: str
    queue: str
    pool: str
    pool_slots: int
    #: what max_active_tasks is counted over: a run or a DAG
    scope: tuple[str, int | str]
    scope_limit: int
    #: per-task limits: (key, limit) pairs, empty for nearly every task
    task_limits: tuple[tuple[tuple[str, int | str, str], int], ...] = ()


@dataclass
class Pool:
    """A pool's size and what is taken of it."""

    slots: int
    include_deferred: bool = False
    used: int = 0
    deferred: int = 0

    def has_room(self, wanted: int) -> bool:
        """Return whether `wanted` more slots are free; -1 slots are without end."""
        taken = self.used + (self.deferred if self.include_deferred else 0)
        return self.slots < 0 or taken + wanted <= self.slots


@dataclass
class Usage:
    """Everything that is taken right now; the counterpart of the limits in a `Lane`."""

    pools: dict[str, Pool] = field(default_factory=dict)
    #: free slots of the workers that serve a queue
    free_in_queue: Callable[[str], int] = lambda _: 0
    parallelism: int = 32
    #: paused DAGs: nothing new of them starts
    closed: set[str] = field(default_factory=set)
    running: int = 0
    per_scope: dict[tuple[str, int | str], int] = field(default_factory=dict)
    per_task: dict[tuple[str, int | str, str], int] = field(default_factory=dict)

    def admits(self, lane: Lane) -> bool:
        """Return whether one more candidate of this lane fits under every limit."""
        pool = self.pools.get(lane.pool)
        return (
            pool is not None
            and self.running < self.parallelism
            and lane.dag_id not in self.closed
            and pool.has_room(lane.pool_slots)
            and self.per_scope.get(lane.scope, 0) < lane.scope_limit
            and all(self.per_task.get(key, 0) < limit for key, limit in lane.task_limits)
            and self.free_in_queue(lane.queue) > 0
        )

    def take(self, lane: Lane, sign: int = 1) -> None:
        """Count a candidate of this lane as running (or, with sign -1, as done)."""
        self.running += sign
        pool = self.pools.get(lane.pool)
        if pool is not None:
            pool.used += sign * lane.pool_slots
        _count(self.per_scope, lane.scope, sign)
        for key, _ in lane.task_limits:
            _count(self.per_task, key, sign)

    def park(self, lane: Lane, sign: int = 1, *, pooled: bool = True) -> None:
        """Count a candidate as deferred: it holds its per-task limits and, if `pooled`, its pool where that says so."""
        pool = self.pools.get(lane.pool) if pooled else None
        if pool is not None:
            pool.deferred += sign * lane.pool_slots
        for key, _ in lane.task_limits:
            _count(self.per_task, key, sign)


def _count(counts: dict[K, int], key: K, sign: int) -> None:
    left = counts.get(key, 0) + sign
    if left:
        counts[key] = left
    else:
        counts.pop(key, None)


class Waiting:
    """The candidates, in buckets by lane; within a bucket by priority, then age, then map index."""

    def __init__(self) -> None:
        self._buckets: dict[Lane, list[tuple[tuple[int, int, int, int], Instance]]] = {}

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def add(self, lane: Lane, instance: Instance, age: int) -> None:
        """Let an instance wait. `age` is the logical date of its run, or the moment after which it runs."""
        order = (-instance.priority, age, instance.map_index, instance.id)
        heapq.heappush(self._buckets.setdefault(lane, []), (order, instance))

    def admit(self, usage: Usage, still_waits: Callable[[Instance], bool]) -> Iterator[tuple[Lane, Instance]]:
        """Yield the candidates that get a slot, best first, counting each in `usage` as it is yielded.

        Args:
            usage: what is taken; changed.
            still_waits: whether a candidate is still one; one that was cleared or marked meanwhile is dropped.
        """
        heads = [
            (order, lane)
            for lane in list(self._buckets)
            if usage.admits(lane) and (order := self._head(lane, still_waits)) is not None
        ]
        heapq.heapify(heads)
        while heads:
            _, lane = heads[0]
            if not usage.admits(lane):
                heapq.heappop(heads)
                continue
            _, instance = heapq.heappop(self._buckets[lane])
            usage.take(lane)
            yield lane, instance
            order = self._head(lane, still_waits)
            if order is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (order, lane))

    def _head(self, lane: Lane, still_waits: Callable[[Instance], bool]) -> tuple[int, int, int, int] | None:
        bucket = self._buckets[lane]
        while bucket and not still_waits(bucket[0][1]):
            heapq.heappop(bucket)
        if not bucket:
            del self._buckets[lane]
            return None
        return bucket[0][0]
