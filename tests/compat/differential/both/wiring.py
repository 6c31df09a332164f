"""DAGs wired in every way an author can: what the edges, groups, labels and orders become."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator, Label, TaskGroup, chain, chain_linear, cross_downstream

_START = datetime(2025, 1, 1, tzinfo=UTC)


class Step(BaseOperator):
    """Does nothing; `x` may refer to other tasks."""

    template_fields = ("x",)

    def __init__(self, *, x: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.x = x

    def execute(self, context: Any) -> Any:
        """Return what it was given."""
        return self.x


def build(case: dict[str, Any]) -> DAG:
    """Return the DAG of a case."""
    dag = DAG("d", schedule=None, start_date=_START)
    nodes: dict[str, Any] = {}
    groups: list[TaskGroup | None] = []
    for number, parent in enumerate(case["groups"]):
        around = None if parent is None else groups[parent]
        groups.append(
            TaskGroup(f"g{number}", dag=dag, parent_group=around, prefix_group_id=case["prefix"])
            if around is not None
            else TaskGroup(f"g{number}", dag=dag, prefix_group_id=case["prefix"])
        )
        nodes[f"g{number}"] = groups[-1]
    for number, task in enumerate(case["tasks"]):
        group = None if task["group"] is None else groups[task["group"]]
        arguments = {"task_group": group} if group is not None else {}
        nodes[f"t{number}"] = Step(
            task_id=f"t{number}",
            dag=dag,
            priority_weight=task["weight"],
            weight_rule=task["rule"],
            **arguments,
        )
    for how, *names in case["steps"]:
        _wire(how, [_of(nodes, name) for name in names])
    return dag


def _of(nodes: dict[str, Any], name: Any) -> Any:
    return [nodes[one] for one in name] if isinstance(name, list) else nodes.get(name, name)


def _wire(how: str, parts: list[Any]) -> None:
    if how == "chain":
        chain(*parts)
    elif how == "linear":
        chain_linear(*parts)
    elif how == "cross":
        cross_downstream(*parts)
    elif how == "down":
        parts[0] >> parts[1]
    elif how == "up":
        parts[0] << parts[1]
    elif how == "label":
        parts[0] >> Label(parts[2]) >> parts[1]
    elif how == "argument":
        parts[1].x = parts[0].output
        parts[1].set_upstream(parts[0])


def facts(case: dict[str, Any]) -> Any:
    """Return what the DAG of a case looks like."""
    try:
        dag = build(case)
        dag.check_cycle()
        # Groups may wait for each other in a circle where tasks do not.
        groups = {str(name): _group(group) for name, group in dag.task_group.get_task_group_dict().items()}
    except Exception as error:
        return {"raises": type(error).__name__}
    return {
        "tasks": {
            task.task_id: {
                "up": sorted(task.upstream_task_ids),
                "down": sorted(task.downstream_task_ids),
                "above": sorted(task.get_flat_relative_ids(upstream=True)),
                "label": task.label,
            }
            for task in dag.tasks
        },
        "groups": groups,
        "order": [task.task_id for task in dag.topological_sort()] if _is_wired_as_a_whole(dag) else None,
        "labels": {
            up: {down: dict(info) for down, info in sorted(downs.items())}
            for up, downs in sorted(dag.edge_info.items())
        },
        "roots": sorted(task.task_id for task in dag.roots),
        "leaves": sorted(task.task_id for task in dag.leaves),
    }


def _group(group: TaskGroup) -> dict[str, Any]:
    return {
        "up_groups": sorted(map(str, group.upstream_group_ids)),
        "down_groups": sorted(map(str, group.downstream_group_ids)),
        "up_tasks": sorted(map(str, group.upstream_task_ids)),
        "down_tasks": sorted(map(str, group.downstream_task_ids)),
        "roots": sorted(task.task_id for task in group.get_roots()),
        "leaves": sorted(task.task_id for task in group.get_leaves()),
        "order": [node.node_id for node in group.topological_sort()] if _is_wired_as_a_whole(group.dag) else None,
        "alphabetical": [node.node_id for node in group.hierarchical_alphabetical_sort()],
    }


def _is_wired_as_a_whole(dag: DAG) -> bool:
    """Tell whether each edge into a group is one of the group, not only of a task in it.

    Airflow orders groups by their own edges alone, so that a task may come before what it waits for.
    """
    for task in dag.tasks:
        for up in task.upstream_list:
            around = {group.group_id for group in _groups_around(up)}
            for group in _groups_around(task):
                if group.group_id in around:
                    break
                if up.task_id not in group.upstream_task_ids and not around & group.upstream_group_ids:
                    return False
    return True


def _groups_around(task: Any) -> list[TaskGroup]:
    found, group = [], task.task_group
    while group is not None:
        found.append(group)
        group = group.parent_group
    return found
