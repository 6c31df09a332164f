"""A copy of a DAG with some of its tasks."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gnomon.model.subset import Relations, with_relatives
from gnomon.sdk.task_group import TaskGroup

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG


def subset(
    dag: DAG,
    task_ids: str | Iterable[str],
    *,
    downstream: bool,
    upstream: bool,
    direct_upstream: bool,
    exclude: frozenset[str],
    exclude_groups: frozenset[str],
    depth: int | None,
) -> DAG:
    """Return the copy; `DAG.partial_subset` says what the arguments mean."""
    chosen = with_relatives(
        _relations(dag), _matching(dag, task_ids), upstream=upstream, downstream=downstream, depth=depth
    )
    if direct_upstream:
        chosen |= {before for task_id in set(chosen) for before in dag.task_dict[task_id].upstream_task_ids}
    chosen -= exclude
    chosen -= {task_id for task_id in chosen if _groups_of(dag.task_dict[task_id]) & exclude_groups}
    return _copy(dag, chosen)


def _relations(dag: DAG) -> Relations:
    tasks = dag.task_dict
    return Relations(
        above={task_id: task.upstream_task_ids & tasks.keys() for task_id, task in tasks.items()},
        below={task_id: task.downstream_task_ids & tasks.keys() for task_id, task in tasks.items()},
        setups={task_id for task_id, task in tasks.items() if task.is_setup},
        teardowns={task_id for task_id, task in tasks.items() if task.is_teardown},
    )


def _matching(dag: DAG, wanted: str | Iterable[str]) -> list[str]:
    if not isinstance(wanted, (str, re.Pattern)):
        ids = set(wanted)
        return [task_id for task_id in dag.task_dict if task_id in ids]
    text = wanted.pattern if isinstance(wanted, re.Pattern) else wanted
    pattern = re.compile(text)
    return [task_id for task_id in dag.task_dict if text in task_id or pattern.search(task_id)]


def _groups_of(task: Any) -> set[str]:
    found = set()
    group = task.task_group
    while group is not None and group.group_id is not None:
        found.add(group.group_id)
        group = group.parent_group
    return found


def _copy(dag: DAG, chosen: set[str]) -> DAG:
    made = copy.copy(dag)
    made.partial = len(chosen) < len(dag.task_dict)
    made.task_dict = {}
    made.edge_info = copy.deepcopy(dag.edge_info)
    for task_id, task in dag.task_dict.items():
        if task_id in chosen:
            one: Any = copy.copy(task)
            one.__dict__["_dag"] = made
            one.__dict__["upstream_task_ids"] = task.upstream_task_ids & chosen
            one.__dict__["downstream_task_ids"] = task.downstream_task_ids & chosen
            made.task_dict[task_id] = one
    made.task_group = _copy_group(dag.task_group, made, None)
    return made


def _copy_group(group: TaskGroup, dag: DAG, parent: TaskGroup | None) -> TaskGroup:
    made = copy.copy(group)
    made.dag, made.parent_group, made.children = dag, parent, {}
    kept = dag.task_dict.keys()
    made.upstream_task_ids = group.upstream_task_ids & kept
    made.downstream_task_ids = group.downstream_task_ids & kept
    for key, child in group.children.items():
        if isinstance(child, TaskGroup):
            inner = _copy_group(child, dag, made)
            if inner.children:
                made.children[key] = inner
        elif key in dag.task_dict:
            task = dag.task_dict[key]
            task.__dict__["_task_group"] = made
            made.children[key] = task
    return made
