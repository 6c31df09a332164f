"""Which tasks go together when some of a DAG are run, or cleared: relatives, and the setups and teardowns they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Relations:
    """The edges of a DAG, both ways."""

    above: Mapping[str, Collection[str]]
    below: Mapping[str, Collection[str]]
    setups: Collection[str] = ()
    teardowns: Collection[str] = ()

    def reach(self, task_id: str, edges: Mapping[str, Collection[str]], depth: int | None = None) -> set[str]:
        """Return what `edges` lead to from a task, in at most `depth` steps."""
        found: set[str] = set()
        border = {task_id}
        while border and (depth is None or depth > 0):
            border = {other for one in border for other in edges[one]} - found
            found |= border
            depth = None if depth is None else depth - 1
        return found

    def needed_by(self, task_id: str) -> set[str]:
        """Return the setups that a task works inside of, and the teardowns of these."""
        later = self.reach(task_id, self.below) & set(self.teardowns)
        needed: set[str] = set()
        for setup in self.reach(task_id, self.above) & set(self.setups):
            own = self._teardowns_of(setup)
            if not own or own & later:
                needed |= {setup} | own
        return needed - {task_id}

    def _teardowns_of(self, setup: str) -> set[str]:
        return {other for other in self.below[setup] if other in self.teardowns}


def with_relatives(
    relations: Relations, chosen: Iterable[str], *, upstream: bool, downstream: bool, depth: int | None = None
) -> set[str]:
    """Return the chosen tasks and what has to run again with them.

    Without its setups a task would not work, and without their teardowns these would not end.

    Args:
        relations: of the DAG.
        chosen: the tasks that were named.
        upstream: whether all tasks before them are wanted.
        downstream: whether all tasks after them are wanted.
        depth: how many steps away relatives may be.
    """
    named = set(chosen)
    ends = set(relations.setups) | set(relations.teardowns)
    found = set(named)
    for task_id in named:
        if downstream:
            after = relations.reach(task_id, relations.below, depth)
            found |= after
            for one in after - named - ends:
                found |= relations.needed_by(one)
        if upstream:
            before = relations.reach(task_id, relations.above, depth)
            found |= before
            for setup in before & set(relations.setups):
                found |= relations._teardowns_of(setup)
        elif task_id not in ends:
            found |= relations.needed_by(task_id)
        if task_id in relations.setups and not downstream:
            found |= relations._teardowns_of(task_id)
    return found
