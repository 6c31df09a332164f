"""Labels on edges, and `chain`, `chain_linear`, `cross_downstream`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gnomon.sdk.node import DependencyMixin

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG


class EdgeModifier(DependencyMixin):
    """Stands between tasks in `a >> Label("x") >> b` and puts its label on the edge once both sides are known.

    Args:
        label: the text to show on the edge.
    """

    def __init__(self, label: str | None = None) -> None:
        self.label = label
        self._upstream: list[DependencyMixin] = []
        self._downstream: list[DependencyMixin] = []

    @property
    def roots(self) -> list[DependencyMixin]:
        """The tasks wired before the label."""
        return self._downstream

    @property
    def leaves(self) -> list[DependencyMixin]:
        """The tasks wired after the label."""
        return self._upstream

    def set_upstream(self, other: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Put tasks before the label."""
        self._add(self._upstream, other)

    def set_downstream(self, other: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Put tasks after the label."""
        self._add(self._downstream, other)

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        """Hear that a task was wired to the label."""
        self._add(self._upstream if upstream else self._downstream, other)

    def _add(self, side: list[DependencyMixin], nodes: Any) -> None:
        fresh: list[DependencyMixin] = []
        for node in nodes if isinstance(nodes, Sequence) else [nodes]:
            if isinstance(node, EdgeModifier):
                raise TypeError("two labels cannot follow each other directly")
            if not any(node is known for known in side):
                side.append(node)
                fresh.append(node)
        others = self._downstream if side is self._upstream else self._upstream
        for node in fresh:
            for other in others:
                before, after = (node, other) if side is self._upstream else (other, node)
                before.set_downstream(after, edge_modifier=self)  # type: ignore[call-arg]

    def add_edge_info(self, dag: DAG, upstream_id: str, downstream_id: str) -> None:
        """Store the label for one edge."""
        dag.set_edge_info(upstream_id, downstream_id, {"label": self.label})


def Label(label: str) -> EdgeModifier:
    """Return a text that is put on the edge between its neighbours."""
    return EdgeModifier(label=label)


def chain(*tasks: DependencyMixin | Sequence[DependencyMixin]) -> None:
    """Wire each element to the next; two lists of the same length are wired pairwise.

    Raises:
        TypeError: an element is neither a task nor a list of tasks.
        ValueError: two neighbouring lists differ in length.
    """
    for before, after in itertools.pairwise(tasks):
        if isinstance(before, DependencyMixin):
            before.set_downstream(after)
        elif isinstance(after, DependencyMixin):
            after.set_upstream(before)
        elif not isinstance(before, Sequence) or not isinstance(after, Sequence):
            raise TypeError(
                f"chain takes tasks and lists of tasks, not {type(before).__name__} followed by {type(after).__name__}"
            )
        elif len(before) != len(after):
            raise ValueError(
                f"chain takes neighbouring lists of the same length; these have {len(before)} and {len(after)} elements"
            )
        else:
            for one, other in zip(before, after, strict=True):
                one.set_downstream(other)


def cross_downstream(
    from_tasks: Sequence[DependencyMixin], to_tasks: DependencyMixin | Sequence[DependencyMixin]
) -> None:
    """Wire each of `from_tasks` to each of `to_tasks`."""
    for task in from_tasks:
        task.set_downstream(to_tasks)


def chain_linear(*elements: DependencyMixin | Sequence[DependencyMixin]) -> None:
    """Wire all of each element to all of the next, whatever their lengths.

    Raises:
        ValueError: there are fewer than two elements.
    """
    if not elements:
        raise ValueError("chain_linear got no tasks")
    before: list[DependencyMixin] | None = None
    wired = False
    for element in elements:
        after = [element] if isinstance(element, DependencyMixin) else list(element)
        if not after:
            continue
        if before is not None:
            for task in before:
                task.set_downstream(after)
            wired = True
        before = after
    if not wired:
        raise ValueError("chain_linear set no dependency; it needs at least two elements that are not empty")
