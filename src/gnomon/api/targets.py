"""Which task instances a clear or a mark concerns, given what the user named and how far it spreads. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import msgspec

from gnomon.model.states import FINISHED
from gnomon.model.subset import Relations, with_relatives
from gnomon.store.task_instances import Selection
from gnomon.wire.dag import SerializedDag

Marker = str | tuple[str, int]
#: States of an upstream task that nobody waits for any more.
DONE = FINISHED


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How far an action spreads from the tasks that were named."""

    upstream: bool = False
    downstream: bool = False
    past: bool = False
    future: bool = False


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that an action starts from: one run, or the runs between two dates."""

    dag_id: str
    run_id: str | None = None
    logical_date: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None


def selection(
    dag: SerializedDag,
    scope: Scope,
    markers: Collection[Marker] | None,
    spread: Spread,
    *,
    only_failed: bool = False,
    only_running: bool = False,
    to_run_again: bool = False,
) -> Selection:
    """Return what is concerned; markers None are all tasks.

    What is to run again takes the setups and teardowns along that it needs.

    Raises:
        ValueError: past or future of a run that has no logical date.
    """
    run_ids, start, end = None, scope.start, scope.end
    if scope.run_id is not None and not (spread.past or spread.future):
        run_ids = [scope.run_id]
    elif scope.run_id is not None:
        if scope.logical_date is None:
            raise ValueError("Cannot use include_past or include_future with no logical_date")
        start = end = scope.logical_date
    return Selection(
        dag_id=scope.dag_id,
        run_ids=run_ids,
        task_ids=None if markers is None else relatives(dag, markers, spread, to_run_again=to_run_again),
        logical_date_from=None if spread.past else start,
        logical_date_to=None if spread.future else end,
        only_failed=only_failed,
        only_running=only_running,
    )


def relatives(
    dag: SerializedDag, markers: Collection[Marker], spread: Spread, *, to_run_again: bool = False
) -> list[Marker]:
    """Return the named tasks and their relatives; a relative of one mapped instance is taken with all its own."""
    names = {marker if isinstance(marker, str) else marker[0] for marker in markers}
    found: set[str] = set()
    if to_run_again and (spread.upstream or spread.downstream):
        found = with_relatives(relations(dag), names, upstream=spread.upstream, downstream=spread.downstream) - names
    elif spread.upstream or spread.downstream:
        upstream = {task.task_id: task.upstream for task in dag.tasks}
        found |= reachable(names, upstream) if spread.upstream else set()
        found |= reachable(names, downstream_of(dag)) if spread.downstream else set()
    named = [marker for marker in markers if isinstance(marker, str) or marker[0] not in found]
    return [*named, *sorted(found - set(named))]


def relations(dag: SerializedDag) -> Relations:
    """Return the edges of a DAG."""
    below = downstream_of(dag)
    return Relations(
        above={task.task_id: task.upstream for task in dag.tasks},
        below={task.task_id: below.get(task.task_id, []) for task in dag.tasks},
        setups={task.task_id for task in dag.tasks if task.is_setup},
        teardowns={task.task_id for task in dag.tasks if task.is_teardown},
    )


def downstream_of(dag: SerializedDag) -> dict[str, list[str]]:
    """Return the direct downstream tasks of each task."""
    below: dict[str, list[str]] = defaultdict(list)
    for task in dag.tasks:
        for other in task.upstream:
            below[other].append(task.task_id)
    return below


def reachable(starts: Iterable[str], edges: Mapping[str, Collection[str]]) -> set[str]:
    """Return everything that edges lead to, without the starts themselves unless they are reached again."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        for task_id in edges.get(waiting.pop(), ()):
            if task_id not in found:
                found.add(task_id)
                waiting.append(task_id)
    return found


def members(dag: SerializedDag, group_id: str) -> list[str] | None:
    """Return the ids of all tasks in a group, at any depth; None if there is no such group."""
    parents = {group.group_id: group.parent for group in dag.groups}
    if group_id not in parents:
        return None

    def inside(group: str | None) -> bool:
        while group is not None and group != group_id:
            group = parents.get(group)
        return group is not None

    return [task.task_id for task in dag.tasks if inside(task.group)]
