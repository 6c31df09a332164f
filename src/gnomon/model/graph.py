"""A DAG compiled for planning: integers for tasks, tuples for edges, everything derived worked out once per version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from gnomon.model.expansion import sources_of
from gnomon.model.states import TriggerRule, WeightRule

#: Airflow's database holds priorities as 32-bit integers; so do the comparisons here.
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


class TaskSpec(Protocol):
    """What planning needs to know of a task; `gnomon.wire.dag.SerializedTask` is one."""

    task_id: str
    upstream: list[str]
    trigger_rule: str
    retries: int
    retry_delay: float
    retry_exponential_backoff: float
    max_retry_delay: float | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_downstream: bool
    wait_for_past_depends_before_skipping: bool
    pool: str
    pool_slots: int
    priority_weight: int
    weight_rule: str
    weights: list[int]
    queue: str
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    is_setup: bool
    is_teardown: bool
    on_failure_fail_dagrun: bool
    inline: bool
    isolation: str
    expand: Any | None
    group: str | None
    has_failure_callback: bool
    has_retry_callback: bool
    is_asked: bool
    start_trigger: dict[str, Any] | None
    start_triggers: list[dict[str, Any] | None]
    execution_timeout: float | None
    params: dict[str, Any]
    start_date: str | None
    operator_name: str
    task_type: str


class GroupSpec(Protocol):
    """What planning needs to know of a task group."""

    group_id: str
    parent: str | None
    expand: Any | None


class Node:
    """One task of the compiled DAG. Tasks are numbered in topological order."""

    __slots__ = (
        "downstream",
        "index",
        "is_leaf",
        "is_setup",
        "is_teardown",
        "mapped_group",
        "priority",
        "rule",
        "scope",
        "setups",
        "sources",
        "spec",
        "task_id",
        "upstream",
        "watchers",
    )

    def __init__(self, index: int, spec: TaskSpec) -> None:
        self.index = index
        self.spec = spec
        self.task_id = spec.task_id
        self.rule = TriggerRule(spec.trigger_rule)
        self.is_setup = spec.is_setup
        self.is_teardown = spec.is_teardown
        self.upstream: tuple[int, ...] = ()
        self.downstream: tuple[int, ...] = ()
        #: the nearest mapped task group around it
        self.mapped_group: str | None = None
        #: the tasks whose results it is expanded over
        self.sources: tuple[int, ...] = ()
        self.priority = spec.priority_weight
        self.is_leaf = False
        #: indirect setups that must succeed before it
        self.setups: tuple[int, ...] = ()
        #: for a teardown: the indirect upstream tasks that must be finished before it
        self.scope: tuple[int, ...] = ()
        #: the tasks that have this one among their setups or in their scope
        self.watchers: tuple[int, ...] = ()

    @property
    def is_mapped(self) -> bool:
        """Whether it has one instance per index once expanded."""
        return self.spec.expand is not None or self.mapped_group is not None


class Graph:
    """All tasks of one DAG version, ready for planning."""

    def __init__(self, tasks: Sequence[TaskSpec], groups: Iterable[GroupSpec] = ()) -> None:
        self.nodes = [Node(index, spec) for index, spec in enumerate(tasks)]
        self.index: Mapping[str, int] = {node.task_id: node.index for node in self.nodes}
        self.groups = {group.group_id: group for group in groups}
        self._wire()
        self._place_in_groups()
        self._mark_leaves()
        if any(node.is_setup or node.is_teardown for node in self.nodes):
            self._relate_setups()
        self._weigh()
        self.has_past_dependencies = any(n.spec.depends_on_past or n.spec.wait_for_downstream for n in self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def expansions_of(self, node: Node) -> list[Any]:
        """Return what the task is expanded over: its own input, and that of each mapped group around it."""
        own = [] if node.spec.expand is None else [node.spec.expand]
        return own + [self.groups[group].expand for group in self._mapped_around(node)]

    def expansions_inside(self, node: Node, group_id: str) -> list[Any]:
        """Return what the task is expanded over further, within one instance of a mapped group around it."""
        around = self._mapped_around(node)
        own = [] if node.spec.expand is None else [node.spec.expand]
        return own + [self.groups[group].expand for group in around[: around.index(group_id)]]

    def shared_mapped_group(self, node: Node, other: Node) -> str | None:
        """Return the innermost mapped group that holds both, so that index depends on index."""
        if node.mapped_group is None or other.mapped_group is None:
            return None
        if node.mapped_group == other.mapped_group:
            return node.mapped_group
        theirs = self._mapped_around(other)
        return next((group for group in self._mapped_around(node) if group in theirs), None)

    def _mapped_around(self, node: Node) -> list[str]:
        """Return the mapped groups around a task, the innermost first."""
        found: list[str] = []
        group_id = node.mapped_group
        while group_id is not None and group_id in self.groups:
            group = self.groups[group_id]
            if group.expand is not None:
                found.append(group_id)
            group_id = group.parent
        return found

    def _wire(self) -> None:
        down: list[list[int]] = [[] for _ in self.nodes]
        for node in self.nodes:
            ups = sorted(self.index[task_id] for task_id in node.spec.upstream)
            if ups and ups[-1] >= node.index:
                raise ValueError(f"tasks are not in topological order at {node.task_id!r}")
            node.upstream = tuple(ups)
            for up in ups:
                down[up].append(node.index)
        for node in self.nodes:
            node.downstream = tuple(down[node.index])

    def _place_in_groups(self) -> None:
        nearest: dict[str, str | None] = {}

        def mapped_around(group_id: str | None) -> str | None:
            if group_id is None or group_id not in self.groups:
                return None
            if group_id not in nearest:
                group = self.groups[group_id]
                nearest[group_id] = group_id if group.expand is not None else mapped_around(group.parent)
            return nearest[group_id]

        for node in self.nodes:
            node.mapped_group = mapped_around(node.spec.group)
            expansions = self.expansions_of(node)
            if expansions:
                node.sources = tuple({self.index[task_id] for task_id in sources_of(expansions[0])})

    def _mark_leaves(self) -> None:
        """A leaf decides the run's state; teardowns do not count unless they say so (spec: mistake 16)."""

        def counts(node: Node) -> bool:
            return not node.is_teardown or node.spec.on_failure_fail_dagrun

        for node in self.nodes:
            node.is_leaf = counts(node) and not any(counts(self.nodes[d]) for d in node.downstream)
        if not any(node.is_leaf for node in self.nodes):
            for node in self.nodes:
                node.is_leaf = not node.downstream

    def _relate_setups(self) -> None:
        """Work out indirect setups and the scope of teardowns (spec: mistake 15)."""
        below = self._reach(downstream=True)
        above = self._reach(downstream=False)
        teardowns = sum(1 << node.index for node in self.nodes if node.is_teardown)
        for node in self.nodes:
            indirect = [a for a in range(node.index) if above[node.index] >> a & 1 and a not in node.upstream]
            if node.is_teardown:
                reach = 0
                for u in node.upstream:
                    reach |= below[u] if self.nodes[u].is_setup else 0
                node.scope = tuple(a for a in indirect if reach >> a & 1)
            else:
                own_teardowns = below[node.index] & teardowns
                node.setups = tuple(a for a in indirect if self._covers(self.nodes[a], own_teardowns))
        for node in self.nodes:
            for watched in node.setups + node.scope:
                self.nodes[watched].watchers += (node.index,)

    def _covers(self, setup: Node, teardowns: int) -> bool:
        """Whether a task with these teardowns downstream works inside what `setup` set up."""
        if not setup.is_setup:
            return False
        own = [d for d in setup.downstream if self.nodes[d].is_teardown]
        return not own or any(teardowns >> d & 1 for d in own)

    def _reach(self, *, downstream: bool) -> list[int]:
        """Per task, the bit set of itself and all its direct and indirect relatives on one side."""
        reach = [0] * len(self.nodes)
        for node in reversed(self.nodes) if downstream else self.nodes:
            mask = 1 << node.index
            for relative in node.downstream if downstream else node.upstream:
                mask |= reach[relative]
            reach[node.index] = mask
        return reach

    def _weigh(self) -> None:
        """Sum up priority weights over relatives, with bit sets so that a large DAG stays cheap (spec: mistake 23)."""
        by_rule: dict[str, list[Node]] = {}
        for node in self.nodes:
            by_rule.setdefault(node.spec.weight_rule, []).append(node)
        masks: dict[int, int] = {}
        for node in self.nodes:
            masks[node.spec.priority_weight] = masks.get(node.spec.priority_weight, 0) | 1 << node.index
        if by_rule.get(WeightRule.DOWNSTREAM):
            self._sum_weights(by_rule[WeightRule.DOWNSTREAM], masks, downstream=True)
        if by_rule.get(WeightRule.UPSTREAM):
            self._sum_weights(by_rule[WeightRule.UPSTREAM], masks, downstream=False)
        for node in self.nodes:
            if node.spec.weights:  # a strategy of a user's has spoken
                node.priority = node.spec.weights[0]
            node.priority = max(_INT32_MIN, min(_INT32_MAX, node.priority))

    def _sum_weights(self, wanted: list[Node], masks: dict[int, int], *, downstream: bool) -> None:
        reach = self._reach(downstream=downstream)
        for node in wanted:
            node.priority = sum(weight * (reach[node.index] & mask).bit_count() for weight, mask in masks.items())
