"""What tasks and task groups have in common: an id, relatives, and `>>` between them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.sdk.abstract_operator import AbstractOperator
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.edges import EdgeModifier
    from gnomon.sdk.task_group import TaskGroup

_KEY = re.compile(r"[\w.-]+")
_GROUP_KEY = re.compile(r"[\w-]+")


def validate_key(key: str, max_length: int = 250, name: str = "key") -> None:
    """Check a dag_id or task_id.

    Raises:
        TypeError: it is no string.
        ValueError: it is too long, or has other characters than letters, digits, dashes, dots and underscores.
    """
    if not isinstance(key, str):
        raise TypeError(f"the {name} has to be a string and is {type(key)}:{key}")
    if len(key) > max_length:
        raise ValueError(f"the {name} has to be at most {max_length} characters, not {len(key)}: {key!r}")
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"the {name} {key!r} has to be made of alphanumeric characters, dashes, dots, and underscores exclusively"
        )


def validate_group_key(key: str, max_length: int = 200) -> None:
    """Check a group_id; unlike a task_id it has no dots.

    Raises:
        TypeError: it is no string.
        ValueError: it is too long or has other characters.
    """
    if not isinstance(key, str):
        raise TypeError(f"the group_id has to be a string and is {type(key)}:{key}")
    if len(key) > max_length:
        raise ValueError(f"the group_id has to be at most {max_length} characters, not {len(key)}: {key!r}")
    if not _GROUP_KEY.fullmatch(key):
        raise ValueError(
            f"the group_id {key!r} has to be made of alphanumeric characters, dashes and underscores exclusively"
        )


class DependencyMixin:
    """Anything that `>>` and `<<` work on."""

    @property
    def roots(self) -> Iterable[DependencyMixin]:
        """The tasks that something upstream is wired to."""
        raise NotImplementedError

    @property
    def leaves(self) -> Iterable[DependencyMixin]:
        """The tasks that something downstream is wired to."""
        raise NotImplementedError

    def set_upstream(self, other: DependencyMixin | Sequence[DependencyMixin]) -> None:
        """Make `other` run before this."""
        raise NotImplementedError

    def set_downstream(self, other: DependencyMixin | Sequence[DependencyMixin]) -> None:
        """Make `other` run after this."""
        raise NotImplementedError

    def as_setup(self) -> DependencyMixin:
        """Mark as a setup task."""
        raise NotImplementedError

    def as_teardown(self, **kwargs: Any) -> DependencyMixin:
        """Mark as a teardown task."""
        raise NotImplementedError

    def update_relative(
        self, other: DependencyMixin, upstream: bool = True, edge_modifier: EdgeModifier | None = None
    ) -> None:
        """Hear that a relation to `other` was set; groups and edge labels note it."""

    def __lshift__(self, other: Any) -> Any:
        self.set_upstream(other)
        self._record_in_setup_scope(other)
        return other

    def __rshift__(self, other: Any) -> Any:
        self.set_downstream(other)
        self._record_in_setup_scope(other)
        return other

    def __rrshift__(self, other: Any) -> Any:
        self.__lshift__(other)
        return self

    def __rlshift__(self, other: Any) -> Any:
        self.__rshift__(other)
        return self

    def _record_in_setup_scope(self, other: Any) -> None:
        from gnomon.sdk.setup_teardown import SetupTeardownContext

        if SetupTeardownContext.active:
            SetupTeardownContext.update_context_map(self)
            SetupTeardownContext.update_context_map(other)


class DAGNode(DependencyMixin):
    """A task or a task group."""

    upstream_task_ids: set[str]
    downstream_task_ids: set[str]
    start_date: Any = None
    end_date: Any = None
    _logger_name: str | None = None

    @property
    def node_id(self) -> str | None:
        """The task_id or group_id."""
        raise NotImplementedError

    @property
    def dag_id(self) -> str:
        """The id of the DAG this is in."""
        dag = self.get_dag()
        return dag.dag_id if dag is not None else "_in_memory_dag_"

    @property
    def log(self) -> logging.Logger:
        """The logger, named after the class."""
        kind = type(self)
        return logging.getLogger(self._logger_name or f"airflow.task.operators.{kind.__module__}.{kind.__qualname__}")

    def get_dag(self) -> DAG | None:
        """Return the DAG, or None."""
        raise NotImplementedError

    def has_dag(self) -> bool:
        """Tell whether this is in a DAG."""
        return self.get_dag() is not None

    # ---------------------------------------------------------------------------------------------- wiring

    def set_upstream(self, task_or_task_list: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Make the given tasks, groups or XComArgs run before this."""
        self._set_relatives(task_or_task_list, True, edge_modifier)

    def set_downstream(self, task_or_task_list: Any, edge_modifier: EdgeModifier | None = None) -> None:
        """Make the given tasks, groups or XComArgs run after this."""
        self._set_relatives(task_or_task_list, False, edge_modifier)

    def _set_relatives(self, others: Any, upstream: bool, edge_modifier: EdgeModifier | None = None) -> None:
        others = others if isinstance(others, Sequence) else [others]
        relatives: list[Any] = []
        for other in others:
            other.update_relative(self, not upstream, edge_modifier=edge_modifier)
            relatives.extend(other.leaves if upstream else other.roots)
        for relative in relatives:
            if not hasattr(relative, "upstream_task_ids") or not hasattr(relative, "task_id"):
                raise TypeError(
                    f"relationships can only be set between tasks; {getattr(self, 'node_id', self)!r} got"
                    f" {type(relative).__name__}"
                )
        mine: list[Any] = list(self.roots) if upstream else list(self.leaves)
        dag = self._common_dag(relatives)
        for task in mine:
            if dag is not None and not task.has_dag():
                task.dag = dag
            for relative in relatives:
                if dag is not None and not relative.has_dag():
                    relative.dag = dag
                earlier, later = (relative, task) if upstream else (task, relative)
                earlier.downstream_task_ids.add(later.task_id)
                later.upstream_task_ids.add(earlier.task_id)
                if edge_modifier is not None and dag is not None:
                    edge_modifier.add_edge_info(dag, earlier.task_id, later.task_id)

    def _common_dag(self, relatives: Iterable[Any]) -> DAG | None:
        found: DAG | None = None
        for node in (*relatives, *self.roots):
            dag = node.get_dag()
            if dag is None or dag is found:
                continue
            if found is not None and found.dag_id != dag.dag_id:
                raise RuntimeError(
                    f"tried to set relationships between tasks in more than one DAG: {found.dag_id!r} and {dag.dag_id!r}"
                )
            found = dag
        return found

    # ------------------------------------------------------------------------------------------- relatives

    @property
    def upstream_list(self) -> list[Any]:
        """The tasks directly before this."""
        return self._tasks(self.upstream_task_ids)

    @property
    def downstream_list(self) -> list[Any]:
        """The tasks directly after this."""
        return self._tasks(self.downstream_task_ids)

    def _tasks(self, ids: Iterable[str]) -> list[Any]:
        dag = self.get_dag()
        if dag is None:
            raise RuntimeError(f"{self} has not been assigned to a DAG yet")
        return [dag.get_task(task_id) for task_id in ids]

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Return the ids of the tasks directly before or after this."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_direct_relatives(self, upstream: bool = False) -> list[Any]:
        """Return the tasks directly before or after this."""
        return self.upstream_list if upstream else self.downstream_list

    def get_flat_relative_ids(self, *, upstream: bool = False, depth: int | None = None) -> set[str]:
        """Return the ids of all tasks before or after this, at most `depth` edges away.

        Raises:
            ValueError: depth is negative.
        """
        if depth is not None and depth < 0:
            raise ValueError(f"depth must not be negative, got {depth}")
        dag = self.get_dag()
        if dag is None:
            return set()
        seen: set[str] = set()
        edge = set(self.get_direct_relative_ids(upstream))
        while edge and (depth is None or depth > 0):
            seen |= edge
            beyond: set[str] = set()
            for task_id in edge:
                beyond |= dag.task_dict[task_id].get_direct_relative_ids(upstream)
            edge = beyond - seen
            depth = None if depth is None else depth - 1
        return seen

    def get_flat_relatives(self, upstream: bool = False, depth: int | None = None) -> list[Any]:
        """Return all tasks before or after this, at most `depth` edges away."""
        dag = self.get_dag()
        if dag is None:
            return []
        return [dag.task_dict[task_id] for task_id in self.get_flat_relative_ids(upstream=upstream, depth=depth)]

    def get_upstreams_follow_setups(self, depth: int | None = None) -> Iterator[AbstractOperator]:
        """Yield all tasks before this, and for each setup among them its teardowns."""
        for task in self.get_flat_relatives(upstream=True, depth=depth):
            yield task
            if task.is_setup:
                yield from self._other_teardowns(task)

    def get_upstreams_only_setups_and_teardowns(self) -> Iterator[AbstractOperator]:
        """Yield the setups that count for this (no teardown, or one after this), and their teardowns."""
        later = {task.task_id for task in self.get_flat_relatives(upstream=False) if task.is_teardown}
        for task in self.get_flat_relatives(upstream=True):
            if not task.is_setup:
                continue
            unended = not any(after.is_teardown for after in task.downstream_list)
            if unended or task.downstream_task_ids & later:
                yield task
                yield from self._other_teardowns(task)

    def get_upstreams_only_setups(self) -> Iterator[AbstractOperator]:
        """Yield the setups that count for this."""
        return (task for task in self.get_upstreams_only_setups_and_teardowns() if task.is_setup)

    def _other_teardowns(self, setup: Any) -> Iterator[Any]:
        return (after for after in setup.downstream_list if after.is_teardown and after is not self)

    def iter_mapped_task_groups(self) -> Iterator[Any]:
        """Yield the mapped groups this is in, the closest first."""
        group: TaskGroup | None = getattr(self, "task_group", None)
        while group is not None:
            if group.is_mapped:
                yield group
            group = group.parent_group

    def get_closest_mapped_task_group(self) -> Any | None:
        """Return the closest mapped group this is in, or None."""
        return next(self.iter_mapped_task_groups(), None)
