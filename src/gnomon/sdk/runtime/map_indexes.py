"""Which instances of an upstream task belong to one instance of a task in the same mapped task group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def relevant_map_indexes(
    task: Any, upstream: Any, map_index: int, ti_count: int, count_in_group: Callable[[], int]
) -> int | range | None:
    """Return one index, a range of them, or None where the two do not share a mapped group.

    Args:
        task: the task that pulls.
        upstream: the task that is pulled from.
        map_index: of the task that pulls.
        ti_count: number of its instances.
        count_in_group: asks for the number of instances of the group they share.
    """
    group = _shared_group(task, upstream)
    if group is None or not ti_count:
        return None
    iterations = count_in_group()
    if not iterations:
        return None
    iteration = map_index * iterations // ti_count
    if not _mapped_inside(upstream, group):
        return iteration
    width = ti_count // iterations
    return range(iteration * width, (iteration + 1) * width)


def _shared_group(one: Any, other: Any) -> Any:
    if getattr(one, "dag_id", None) != getattr(other, "dag_id", None):
        return None
    mine = {group.group_id for group in one.iter_mapped_task_groups()}
    return next((group for group in other.iter_mapped_task_groups() if group.group_id in mine), None)


def _mapped_inside(task: Any, group: Any) -> bool:
    if getattr(task, "is_mapped", False):
        return True
    inner = task.task_group
    while inner is not None and inner.group_id != group.group_id:
        if getattr(inner, "is_mapped", False):
            return True
        inner = getattr(inner, "parent_group", None)
    return False
