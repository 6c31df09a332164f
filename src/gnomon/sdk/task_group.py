"""Task groups: nested namespaces for tasks that can be wired, collapsed and mapped as one."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from gnomon.model.states import TriggerRule
from gnomon.sdk.abstract_operator import AbstractOperator
from gnomon.sdk.authoring import DagContext, TaskGroupContext
from gnomon.sdk.dag_arguments import text_of
from gnomon.sdk.exceptions import (
    DuplicateTaskIdFound,
    NodeNotFound,
    TaskAlreadyInTaskGroup,
)
from gnomon.sdk.expand_input import (
    ExpandInput,
)
from gnomon.sdk.node import DAGNode, DependencyMixin, validate_group_key
from gnomon.sdk.order import topological_order

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.edges import EdgeModifier


class TaskGroup(DAGNode):
    """A group of tasks; wiring the group wires its first or last tasks.

    Args:
        group_id: unique among the groups and tasks of the DAG.
        prefix_group_id: put the group_id in front of the ids of what is inside.
        parent_group: the group around it; the one of the surrounding `with` unless given.
        dag: the DAG; the one of the surrounding `with` unless given.
        default_args: arguments for tasks inside that leave them out.
        tooltip: a text to show.
        ui_color: the fill colour.
        ui_fgcolor: the text colour.
        add_suffix_on_collision: append `__1` … if the id is taken.
        group_display_name: the name to show.
        doc_md: documentation, or the name of a Markdown file.

    Raises:
        RuntimeError: there is no DAG.
        DuplicateTaskIdFound: the id is taken.
    """

    is_mapped = False
    dag: DAG
    default_args: dict[str, Any]

    def __init__(
        self,
        group_id: str | None,
        prefix_group_id: bool = True,
        parent_group: TaskGroup | None = None,
        dag: DAG | None = None,
        default_args: Mapping[str, Any] | None = None,
        tooltip: str = "",
        ui_color: str = "CornflowerBlue",
        ui_fgcolor: str = "#000",
        add_suffix_on_collision: bool = False,
        group_display_name: str = "",
        doc_md: str | None = None,
    ) -> None:
        if group_id is not None:
            validate_group_key(group_id)
            if parent_group is None:
                parent_group = TaskGroupContext.get_current(dag)
        if dag is None:
            dag = parent_group.dag if parent_group is not None else DagContext.get_current()
        if dag is None:
            raise RuntimeError("TaskGroup can only be used inside a dag")
        if group_id is not None and parent_group is None:
            parent_group = dag.task_group
        for name, text in (("tooltip", tooltip), ("ui_color", ui_color), ("ui_fgcolor", ui_fgcolor)):
            if not isinstance(text, str):
                raise TypeError(f"TaskGroup: '{name}' has to be a string, not {type(text).__name__}")
        self._group_id = group_id
        self.group_display_name = group_display_name
        self.prefix_group_id = prefix_group_id
        self.parent_group = parent_group
        self.dag = dag
        self.default_args = {**(parent_group.default_args if parent_group else {}), **(default_args or {})}
        self.tooltip = tooltip
        self.doc_md = text_of(doc_md)
        self.ui_color = ui_color
        self.ui_fgcolor = ui_fgcolor
        self.add_suffix_on_collision = add_suffix_on_collision
        self.children: dict[str, DAGNode] = {}
        self.upstream_group_ids: set[str | None] = set()
        self.downstream_group_ids: set[str | None] = set()
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        #: ids of all groups of the DAG; one set for all of them
        self.used_group_ids: set[str] = parent_group.used_group_ids if parent_group is not None else set()
        if parent_group is not None:
            self._make_id_unique()
            parent_group.add(self)
            self.used_group_ids.update((self.node_id, self.upstream_join_id, self.downstream_join_id))

    @classmethod
    def create_root(cls, dag: DAG) -> TaskGroup:
        """Return the group that holds all of a DAG."""
        return cls(group_id=None, dag=dag)

    def _make_id_unique(self) -> None:
        if not self._is_taken(self.node_id):
            return
        if not self.add_suffix_on_collision:
            raise DuplicateTaskIdFound(f"group_id '{self._group_id}' has already been added to the DAG")
        base = re.split(r"__\d+$", self._group_id or "")[0]
        number = 1
        while True:
            self._group_id = f"{base}__{number}"
            if not self._is_taken(self.node_id):
                return
            number += 1

    def _is_taken(self, node_id: str) -> bool:
        return node_id in self.used_group_ids or node_id in self.dag.task_dict

    # --------------------------------------------------------------------------------------------- identity

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.group_id}>"

    @property
    def group_id(self) -> str | None:
        """The id, with the ids of the groups around it in front."""
        parent = self.parent_group
        if self._group_id and parent is not None and parent.prefix_group_id and parent._group_id:
            return parent.child_id(self._group_id)
        return self._group_id

    @property
    def node_id(self) -> str:
        """The group_id."""
        return self.group_id  # type: ignore[return-value]

    @property
    def is_root(self) -> bool:
        """Whether this holds all of the DAG."""
        return not self._group_id

    @property
    def label(self) -> str | None:
        """The name to show."""
        return self.group_display_name or self._group_id

    @property
    def task_group(self) -> TaskGroup | None:
        """The group around it."""
        return self.parent_group

    @task_group.setter
    def task_group(self, group: TaskGroup | None) -> None:
        self.parent_group = group

    @property
    def upstream_join_id(self) -> str:
        """The id of the node that joins the edges into the group."""
        return f"{self.group_id}.upstream_join_id"

    @property
    def downstream_join_id(self) -> str:
        """The id of the node that joins the edges out of the group."""
        return f"{self.group_id}.downstream_join_id"

    def get_dag(self) -> DAG:
        """Return the DAG."""
        return self.dag

    def child_id(self, label: str) -> str:
        """Return the id that a child of this name has."""
        group_id = self.group_id
        return f"{group_id}.{label}" if self.prefix_group_id and group_id else label

    # ---------------------------------------------------------------------------------------------- children

    def add(self, node: DAGNode) -> DAGNode:
        """Take in a task or group.

        Raises:
            DuplicateTaskIdFound: its id is taken.
            TaskAlreadyInTaskGroup: the task is in another group.
        """
        if TaskGroupContext.active and node.task_group is not None and node.task_group is not self:  # type: ignore[attr-defined]
            node.task_group.children.pop(node.node_id, None)  # type: ignore[attr-defined]
            node.task_group = self  # type: ignore[attr-defined]
        existing = node.task_group  # type: ignore[attr-defined]
        if isinstance(node, AbstractOperator) and existing is not None and existing is not self:
            raise TaskAlreadyInTaskGroup(node.node_id, existing.node_id, self.node_id)
        key = node.node_id or ""
        if key in self.children:
            kind = "Task" if hasattr(node, "task_id") else "Task Group"
            raise DuplicateTaskIdFound(f"{kind} id '{key}' has already been added to the DAG")
        if isinstance(node, TaskGroup):
            if node.dag is not self.dag:
                raise ValueError(f"group {key!r} is of the DAG {node.dag.dag_id!r}, not of {self.dag.dag_id!r}")
            if node.children:
                raise ValueError(f"group {key!r} cannot be added: it has tasks already")
        node.task_group = self  # type: ignore[attr-defined]
        self.children[key] = node
        return node

    def _remove(self, node: DAGNode) -> None:
        del self.children[node.node_id or ""]
        self.used_group_ids.discard(node.node_id or "")

    def __iter__(self) -> Iterator[Any]:
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                yield from child
            else:
                yield child

    def __len__(self) -> int:
        return len(self.children)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, label: str) -> DAGNode:
        try:
            return self.get_child_by_label(label)
        except KeyError:
            raise NodeNotFound(f"Task {label!r} not found") from None

    def get_child_by_label(self, label: str) -> DAGNode:
        """Return a child by its id without the prefix."""
        return self.children[self.child_id(label)]

    def has_task(self, task: Any) -> bool:
        """Tell whether a task is in this group or in one inside it."""
        return any(one is task or one.task_id == task.task_id for one in self)

    def iter_tasks(self) -> Iterator[AbstractOperator]:
        """Yield the tasks of this group and of those inside it, breadth first."""
        groups = deque([self])
        while groups:
            for child in groups.popleft().children.values():
                if isinstance(child, TaskGroup):
                    groups.append(child)
                else:
                    yield child  # type: ignore[misc]

    def get_task_group_dict(self) -> dict[str | None, TaskGroup]:
        """Return this group and those inside it, by id."""
        found: dict[str | None, TaskGroup] = {self.group_id: self}
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                found.update(child.get_task_group_dict())
        return found

    def hierarchical_alphabetical_sort(self) -> list[DAGNode]:
        """Return the children: groups first, each kind by id."""
        return sorted(self.children.values(), key=lambda node: (not isinstance(node, TaskGroup), node.node_id))

    def topological_sort(self, **_: Any) -> list[DAGNode]:
        """Return the children, each after what it depends on, ties in the order of definition.

        Raises:
            AirflowDagCycleException: they depend on each other in a circle.
        """
        owner = {}
        for node_id, child in self.children.items():
            owner[node_id] = node_id
            if isinstance(child, TaskGroup):
                owner.update(dict.fromkeys((task.task_id for task in child.iter_tasks()), node_id))
                owner.update(dict.fromkeys((group for group in child.get_task_group_dict() if group), node_id))
        waits: dict[str, set[str]] = {}
        for node_id, child in self.children.items():
            tasks = list(child.iter_tasks()) if isinstance(child, TaskGroup) else [child]
            before = {up for task in tasks for up in task.upstream_task_ids}
            if isinstance(child, TaskGroup):
                before |= child.upstream_task_ids | {group for group in child.upstream_group_ids if group}
            waits[node_id] = {owner[up] for up in before if up in owner} - {node_id}
        return [self.children[node_id] for node_id in topological_order(waits, self.dag.dag_id)]

    # ------------------------------------------------------------------------------------------------ wiring

    @property
    def roots(self) -> list[Any]:
        """The tasks with nothing before them inside the group."""
        return list(self.get_roots())

    @property
    def leaves(self) -> list[Any]:
        """The tasks with nothing after them inside the group, teardowns left out."""
        return list(self.get_leaves())

    def get_roots(self) -> Iterator[Any]:
        """Yield the tasks with nothing before them inside the group."""
        tasks = list(self)
        ids = {task.task_id for task in tasks}
        return (task for task in tasks if task.upstream_task_ids.isdisjoint(ids))

    def get_leaves(self) -> Iterator[Any]:
        """Yield the tasks with nothing after them inside the group; for a teardown, the work before it."""
        tasks = list(self)
        inside = {task.task_id: task for task in tasks}
        found: dict[str, Any] = {}
        for task in tasks:
            if task.downstream_task_ids.isdisjoint(inside):
                for leaf in [task] if not task.is_teardown else self._work_before(task, inside):
                    found.setdefault(leaf.task_id, leaf)
        return iter(found.values())

    def _work_before(self, teardown: Any, inside: dict[str, Any]) -> Iterator[Any]:
        for task in teardown.upstream_list:
            if task.task_id not in inside:
                continue
            if task.is_teardown:
                yield from self._work_before(task, inside)
            elif not task.is_setup and all(
                inside[after].is_teardown for after in task.downstream_task_ids if after in inside
            ):
                yield task

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        """Note what the group as a whole is wired to, for drawing it collapsed."""
        if isinstance(other, TaskGroup):
            before, after = (other, self) if upstream else (self, other)
            after.upstream_group_ids.add(before.group_id)
            before.downstream_group_ids.add(after.group_id)
            if edge_modifier is not None:
                edge_modifier.add_edge_info(self.dag, before.downstream_join_id, after.upstream_join_id)
            return
        for task in other.roots:
            if not isinstance(task, DAGNode):
                raise RuntimeError(
                    f"Relationships can only be set between TaskGroup or operators; received {type(task).__name__}"
                )
            (self.upstream_task_ids if upstream else self.downstream_task_ids).add(task.node_id or "")
            if edge_modifier is not None:
                edge = (task.node_id, self.upstream_join_id) if upstream else (self.downstream_join_id, task.node_id)
                edge_modifier.add_edge_info(self.dag, edge[0] or "", edge[1] or "")

    def _set_relatives(self, others: Any, upstream: bool, edge_modifier: EdgeModifier | None = None) -> None:
        others = list(others) if isinstance(others, Sequence) else [others]
        ends = self.roots if upstream else self._leaves_or_what_is_before()
        for other in others:
            self.update_relative(other, upstream, edge_modifier=edge_modifier)
            if isinstance(other, TaskGroup) or not isinstance(other, DAGNode):
                other.update_relative(self, not upstream, edge_modifier=edge_modifier)
        nodes = [node for other in others for node in (other.leaves if upstream else other.roots)]
        for task in ends:
            task._set_relatives(nodes, upstream)
        if not upstream:
            for other in others:
                if isinstance(other, TaskGroup) and not other.roots:  # what comes after it is to follow these
                    other.upstream_task_ids.update(task.node_id for task in ends)

    def _leaves_or_what_is_before(self) -> list[Any]:
        """Return the leaves; of an empty group, the tasks wired before it, so that a chain does not break."""
        group: TaskGroup | None = self
        while group is not None:
            if leaves := group.leaves:
                return leaves
            if group.upstream_task_ids:
                return [self.dag.get_task(task_id) for task_id in group.upstream_task_ids]
            group = group.parent_group
        return []

    def __enter__(self) -> Self:
        TaskGroupContext.push(self)
        return self

    def __exit__(self, *exc: object) -> None:
        TaskGroupContext.pop()

    def iter_mapped_task_groups(self) -> Iterator[Any]:
        """Yield the mapped groups from this one outwards."""
        group: TaskGroup | None = self
        while group is not None:
            if group.is_mapped:
                yield group
            group = group.parent_group

    def as_setup(self) -> Any:
        """Refuse: groups are no setups."""
        raise TypeError(f"the task group {self.group_id!r} cannot be a setup; mark a task inside it")

    def as_teardown(self, **kwargs: Any) -> Any:
        """Refuse: groups are no teardowns."""
        raise TypeError(f"the task group {self.group_id!r} cannot be a teardown; mark a task inside it")


class MappedTaskGroup(TaskGroup):
    """A group that becomes several; made by `.expand()` on a `@task_group` function."""

    is_mapped = True

    def __init__(self, *, expand_input: ExpandInput, **kwargs: Any) -> None:
        self._expand_input = expand_input
        super().__init__(**kwargs)

    def __iter__(self) -> Iterator[Any]:
        for task in super().__iter__():
            if task.trigger_rule == TriggerRule.ALWAYS:
                raise ValueError(
                    f"task {task.task_id!r}: Task-generated mapping within a mapped task group is not allowed with"
                    " trigger rule 'always'"
                )
            yield task

    def __exit__(self, *exc: object) -> None:
        for operator, _ in self._expand_input.iter_references():
            self.set_upstream(operator)
        super().__exit__(*exc)

    def iter_mapped_dependencies(self) -> Iterator[Any]:
        """Yield the tasks whose results it expands over."""
        for operator, _ in self._expand_input.iter_references():
            yield operator

    @property
    def expand_input(self) -> ExpandInput:
        """What it expands over."""
        return self._expand_input


def task_group_to_dict(group: Any) -> dict[str, Any]:
    """Return a group as nested plain data, tasks as leaves."""
    if not isinstance(group, TaskGroup):
        return {"id": group.task_id, "label": group.label}
    children = [task_group_to_dict(child) for child in group.topological_sort()]
    return {"id": group.group_id, "label": group.label, "tooltip": group.tooltip, "children": children}
