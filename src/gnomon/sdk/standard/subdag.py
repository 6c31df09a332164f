"""SubDagOperator of Airflow 2: the tasks of the other DAG become a task group of this one."""

from __future__ import annotations

import warnings
from enum import Enum
from typing import Any

from gnomon.model.states import TriggerRule
from gnomon.sdk.authoring import DagContext
from gnomon.sdk.exceptions import AirflowException, RemovedInAirflow3Warning
from gnomon.sdk.task_group import TaskGroup


class SkippedStatePropagationOptions(Enum):
    """Accepted for old DAG files; in a task group, skips spread by trigger rules."""

    ALL_LEAVES = "all_leaves"
    ANY_LEAF = "any_leaf"


class SubDagOperator(TaskGroup):
    """Takes the tasks of a DAG into this one, as a group of the operator's task_id.

    Wired like a task: what comes before it runs before the first tasks of the group, what comes after it after its last.

    Args:
        task_id: The id of the group, and the prefix of the ids of its tasks.
        subdag: The DAG; its own schedule has no effect.
        dag: The DAG that gets them; the one of the surrounding `with` unless given.
        trigger_rule: Of the first tasks of the group.
        kwargs: What was true of the task that waited for the other DAG.

    Raises:
        AirflowException: There is no DAG, or the id of the other is not `<dag_id>.<task_id>`.
    """

    def __init__(
        self, *, task_id: str, subdag: Any, dag: Any = None, trigger_rule: str | None = None, **kwargs: Any
    ) -> None:
        warnings.warn("SubDagOperator is an old name of a TaskGroup", RemovedInAirflow3Warning, stacklevel=2)
        dag = dag or DagContext.get_current()
        if dag is None:
            raise AirflowException(f"SubDagOperator {task_id!r}: give it a dag, or make it inside `with DAG(…)`")
        wanted = f"{dag.dag_id}.{task_id}"
        if subdag.dag_id != wanted:
            raise AirflowException(
                f"SubDagOperator {task_id!r}: the subdag's dag_id is {subdag.dag_id!r}, not {wanted!r}"
            )
        super().__init__(task_id, dag=dag, tooltip=subdag.description or "")
        self.subdag = subdag
        self._take_in(subdag)
        if trigger_rule is not None:
            for task in self.roots:
                task.trigger_rule = TriggerRule(trigger_rule)

    @property
    def task_id(self) -> str | None:
        """The id of the group."""
        return self.group_id

    def _take_in(self, subdag: Any) -> None:
        """Move the tasks and groups of the other DAG here, under ids with a prefix."""
        tasks, children = subdag.tasks, list(subdag.task_group.children.values())
        before = subdag.task_group_dict
        groups = list(before.values())
        for child in children:
            child.task_group = self
        new = {task_id: self.child_id(task_id) for task_id in subdag.task_dict}
        new |= {old: group.group_id for old, group in before.items()}
        for task in tasks:
            task.task_id = new[task.task_id]
        for node in (*tasks, *groups):
            node.upstream_task_ids = {new[other] for other in node.upstream_task_ids}
            node.downstream_task_ids = {new[other] for other in node.downstream_task_ids}
        for group in groups:
            group.dag, group.used_group_ids = self.dag, self.used_group_ids
            for ids in ("upstream_group_ids", "downstream_group_ids"):
                setattr(group, ids, {new[other] for other in getattr(group, ids) if other in new})
        for group in (self, *groups):
            inside = children if group is self else list(group.children.values())
            group.children = {node.node_id: node for node in inside}
        self.used_group_ids.update(group.group_id for group in groups)
        for task in tasks:
            task._dag = None
            self.dag.add_task(task)
        for earlier, edges in subdag.edge_info.items():
            for later, info in edges.items():
                self.dag.set_edge_info(new.get(earlier, earlier), new.get(later, later), info)
