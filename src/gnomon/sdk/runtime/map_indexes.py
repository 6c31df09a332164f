"""Which instances of an upstream task belong to one instance of a task in the same mapped task group."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def shared_group(one: Any, other: Any) -> Any:
    """Return the innermost mapped group that holds both tasks, or None."""
    if getattr(one, "dag_id", None) != getattr(other, "dag_id", None):
        return None
    mine = {group.group_id for group in one.iter_mapped_task_groups()}
    return next((group for group in other.iter_mapped_task_groups() if group.group_id in mine), None)


def relevant_map_indexes(
    task: Any, upstream: Any, group: Any, map_index: int, ti_count: int, count: Callable[[str], int]
) -> int | range | None:
    """Return one index, or a range of them where the upstream task is mapped further within the group.

    Args:
        task: the task that pulls.
        upstream: the task that is pulled from.
        group: the mapped group that they share.
        map_index: of the task that pulls.
        ti_count: number of its instances.
        count: asks for the number of instances of a task.
    """
    instances = count(upstream.task_id)
    iterations = _iterations(task, upstream, group, ti_count, instances, count)
    if not instances or not iterations:
        return None
    iteration = map_index * iterations // ti_count
    if not _mapped_inside(upstream, group):
        return iteration
    width = instances // iterations
    return range(iteration * width, (iteration + 1) * width)


def _iterations(task: Any, upstream: Any, group: Any, own: int, theirs: int, count: Callable[[str], int]) -> int:
    """Return how many times the group runs: as often as a task that is mapped by nothing else."""
    if not _mapped_inside(upstream, group):
        return theirs
    if not _mapped_inside(task, group):
        return own
    direct = next((one for one in group.iter_tasks() if not _mapped_inside(one, group)), None)
    return math.gcd(own, theirs) if direct is None else count(direct.task_id)


def _mapped_inside(task: Any, group: Any) -> bool:
    if getattr(task, "is_mapped", False):
        return True
    inner = task.task_group
    while inner is not None and inner.group_id != group.group_id:
        if getattr(inner, "is_mapped", False):
            return True
        inner = getattr(inner, "parent_group", None)
    return False
