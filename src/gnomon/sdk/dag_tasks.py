"""The tasks of a DAG: finding them, taking them in, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gnomon.sdk.exceptions import (
    AirflowDagCycleException,
    DuplicateTaskIdFound,
    FailFastDagInvalidTriggerRule,
    NodeNotFound,
    TaskNotFound,
)
from gnomon.sdk.order import topological_order
from gnomon.sdk.task_group import TaskGroup

if TYPE_CHECKING:
    from datetime import datetime

    from gnomon.sdk.abstract_operator import AbstractOperator


class DagTasks:
    """What a DAG is besides its arguments: tasks, and groups of them."""

    dag_id: str
    start_date: datetime | None
    end_date: datetime | None
    fail_fast: bool
    task_dict: dict[str, AbstractOperator]
    task_group: TaskGroup

    @property
    def tasks(self) -> list[Any]:
        """The tasks, in the order of definition."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """The ids of the tasks."""
        return list(self.task_dict)

    @property
    def teardowns(self) -> list[Any]:
        """The teardown tasks."""
        return [task for task in self.tasks if task.is_teardown]

    @property
    def tasks_upstream_of_teardowns(self) -> list[Any]:
        """The tasks directly before a teardown."""
        before = {task_id for task in self.teardowns for task_id in task.upstream_task_ids}
        return [task for task in self.tasks if task.task_id in before and not task.is_teardown]

    @property
    def roots(self) -> list[Any]:
        """The tasks with nothing before them."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> list[Any]:
        """The tasks with nothing after them."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    @property
    def task_count(self) -> int:
        """How many tasks there are."""
        return len(self.task_dict)

    @property
    def task_group_dict(self) -> dict[str, TaskGroup]:
        """The groups by id, without the root."""
        return {key: group for key, group in self.task_group.get_task_group_dict().items() if key is not None}

    def has_task(self, task_id: str) -> bool:
        """Tell whether there is such a task."""
        return task_id in self.task_dict

    def has_task_group(self, task_group_id: str) -> bool:
        """Tell whether there is such a group."""
        return task_group_id in self.task_group_dict

    def get_task(self, task_id: str, include_subdags: bool = False) -> Any:
        """Return a task.

        Raises:
            TaskNotFound: there is none of that id.
        """
        try:
            return self.task_dict[task_id]
        except KeyError:
            raise TaskNotFound(f"Task {task_id} not found in DAG {self.dag_id}") from None

    def __getitem__(self, node_id: str) -> Any:
        if node_id in self.task_dict:
            return self.task_dict[node_id]
        if node_id in (groups := self.task_group_dict):
            return groups[node_id]
        raise NodeNotFound(f"Task or task group {node_id!r} not found in DAG {self.dag_id}")

    def add_task(self, task: Any) -> None:
        """Take in a task.

        Raises:
            DuplicateTaskIdFound: its id is taken.
            FailFastDagInvalidTriggerRule: the DAG is fail_fast and the task's trigger rule does not fit.
        """
        task_id = task.task_id
        known = self.task_dict.get(task_id)
        if (known is not None and known is not task) or task_id in self.task_group.used_group_ids:
            raise DuplicateTaskIdFound(f"Task id '{task_id}' has already been added to the DAG")
        if self.fail_fast:
            FailFastDagInvalidTriggerRule.check(fail_fast=True, trigger_rule=task.trigger_rule)
        if task.task_group is None:
            self.task_group.add(task)
        self.task_dict[task_id] = task
        task._dag = self
        self._keep_within(task)

    def _keep_within(self, task: Any) -> None:
        """Let a task that has dates of its own begin no earlier and end no later than its DAG."""
        own = task.partial_kwargs if task.is_mapped else task.__dict__
        if (first := own.get("start_date")) is not None and self.start_date is not None:
            own["start_date"] = max(first, self.start_date)
        if (last := own.get("end_date")) is not None and self.end_date is not None:
            own["end_date"] = min(last, self.end_date)

    def add_tasks(self, tasks: Iterable[Any]) -> None:
        """Take in several tasks."""
        for task in tasks:
            self.add_task(task)

    def _remove_task(self, task_id: str) -> None:
        task = self.task_dict.pop(task_id)
        if task.task_group is not None:
            task.task_group._remove(task)

    def set_dependency(self, upstream_task_id: str, downstream_task_id: str) -> None:
        """Make one task run before another."""
        self.get_task(upstream_task_id).set_downstream(self.get_task(downstream_task_id))

    def add_result(self, xcom_arg: Any) -> Any:
        """Make what a task returns the result of the run.

        Raises:
            ValueError: it is no task's return value.
        """
        operator, key = getattr(xcom_arg, "operator", None), getattr(xcom_arg, "key", None)
        if operator is None or key != "return_value":
            raise ValueError("the result of a DAG has to be what one of its tasks returns")
        operator.returns_dag_result = True
        return xcom_arg

    def topological_sort(self) -> tuple[Any, ...]:
        """Return the tasks, each after those before it, the tasks of a group together where that is possible.

        Raises:
            AirflowDagCycleException: they depend on each other in a circle.
        """
        try:
            return tuple(_in_order(self.task_group))
        except AirflowDagCycleException:
            # A task between two of one group makes a circle of groups, and need not be one of tasks.
            return tuple(self.task_dict[task_id] for task_id in self._flat_order())

    def _flat_order(self) -> list[str]:
        """Return the ids of the tasks, each after those before it, groups or not."""
        waits = {task_id: task.upstream_task_ids & self.task_dict.keys() for task_id, task in self.task_dict.items()}
        return topological_order(waits, self.dag_id)


def _in_order(group: Any) -> Iterator[Any]:
    for node in group.topological_sort():
        if isinstance(node, TaskGroup):
            yield from _in_order(node)
        else:
            yield node
