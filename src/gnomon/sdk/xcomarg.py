"""References to what tasks return: `task.output`, the result of calling a `@task`, and `.map`, `.zip`, `.concat`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gnomon.sdk.exceptions import AirflowException, XComNotFound
from gnomon.sdk.node import DependencyMixin
from gnomon.sdk.setup_teardown import SetupTeardownContext
from gnomon.sdk.types import NOTSET, XCOM_RETURN_KEY, is_arg_set


class ResolveMixin:
    """A stand-in for a value that exists once the task runs."""

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield the (task, key) pairs this depends on."""
        raise NotImplementedError

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value."""
        raise NotImplementedError


class XComArg(ResolveMixin, DependencyMixin):
    """A reference to an XCom of a task; using it as an argument makes that task run first.

    Args:
        operator: the task.
        key: the XCom; the return value unless given.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(PlainXComArg if cls is XComArg else cls)

    def __init__(self, operator: Any, key: str = XCOM_RETURN_KEY) -> None:
        raise NotImplementedError

    @staticmethod
    def iter_xcom_references(value: Any) -> Iterator[tuple[Any, str]]:
        """Yield the references inside collections and inside objects with template_fields."""
        # Most arguments are strings, numbers and plain functions; those leave at once.
        kind = type(value)
        if kind is str or kind is int or value is None or kind is bool or kind is float:
            return
        if kind is dict:
            for item in value.values():
                yield from XComArg.iter_xcom_references(item)
        elif isinstance(value, (list, tuple, set)):
            for item in value:
                yield from XComArg.iter_xcom_references(item)
        elif isinstance(value, dict):
            for item in value.values():
                yield from XComArg.iter_xcom_references(item)
        elif hasattr(value, "iter_references"):
            yield from value.iter_references()
        elif hasattr(value, "task_id") and hasattr(value, "template_fields"):
            for field in value.template_fields:
                yield from XComArg.iter_xcom_references(getattr(value, field, None))

    @staticmethod
    def apply_upstream_relationship(op: DependencyMixin, arg: Any) -> None:
        """Make the tasks that `arg` refers to run before `op`."""
        for operator, _ in XComArg.iter_xcom_references(arg):
            if operator is not op:
                op.set_upstream(operator)

    @property
    def roots(self) -> list[Any]:
        """The tasks this refers to."""
        return [operator for operator, _ in self.iter_references()]

    leaves = roots

    def set_upstream(self, task_or_task_list: Any, edge_modifier: Any = None) -> None:
        """Make others run before the tasks this refers to."""
        for operator, _ in self.iter_references():
            operator.set_upstream(task_or_task_list, edge_modifier)

    def set_downstream(self, task_or_task_list: Any, edge_modifier: Any = None) -> None:
        """Make others run after the tasks this refers to."""
        for operator, _ in self.iter_references():
            operator.set_downstream(task_or_task_list, edge_modifier)

    def map(self, f: Callable[[Any], Any]) -> XComArg:
        """Apply a plain function to each element, in the task that uses it.

        Raises:
            ValueError: `f` is a @task.
        """
        return MapXComArg(self, [f])

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> XComArg:
        """Pair up elements; the shortest counts, or with `fillvalue` the longest."""
        return ZipXComArg([self, *others], fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> XComArg:
        """Join sequences end to end."""
        return ConcatXComArg([self, *others])

    def __enter__(self) -> type[SetupTeardownContext]:
        operator = self.roots[0]
        if not operator.is_setup and not operator.is_teardown:
            raise AirflowException("Only setup/teardown tasks can be used as context managers.")
        SetupTeardownContext.push_setup_teardown_task(operator)
        return SetupTeardownContext

    def __exit__(self, *exc: object) -> None:
        SetupTeardownContext.set_work_task_roots_and_leaves()


def _of_operator(name: str) -> property:
    def get(self: Any) -> Any:
        return getattr(self.operator, name)

    def set_(self: Any, value: Any) -> None:
        setattr(self.operator, name, value)

    return property(get, set_, doc=f"`{name}` of the task.")


_ALL = object()


class PlainXComArg(XComArg):
    """A reference to one XCom; `arg["key"]` refers to another key of the same task."""

    __slots__ = ("key", "operator")

    def __init__(self, operator: Any, key: str = XCOM_RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    is_setup = _of_operator("is_setup")
    is_teardown = _of_operator("is_teardown")
    on_failure_fail_dagrun = _of_operator("on_failure_fail_dagrun")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainXComArg) and self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __getitem__(self, item: str) -> XComArg:
        if not isinstance(item, str):
            raise ValueError(f"XComArg only supports str lookup, received {type(item).__name__}")
        return PlainXComArg(self.operator, item)

    def __iter__(self) -> Iterator[Any]:
        # Without this, Python would iterate through __getitem__ for ever.
        raise TypeError("'XComArg' object is not iterable")

    def __repr__(self) -> str:
        key = "" if self.key == XCOM_RETURN_KEY else f", {self.key!r}"
        return f"XComArg({self.operator!r}{key})"

    def __str__(self) -> str:
        task_id, dag_id = self.operator.task_id, self.operator.dag_id
        return f"{{{{ task_instance.xcom_pull(task_ids='{task_id}', dag_id='{dag_id}', key='{self.key}') }}}}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def as_setup(self) -> PlainXComArg:
        """Mark the task as a setup."""
        self.operator.as_setup()
        return self

    def as_teardown(self, **kwargs: Any) -> PlainXComArg:
        """Mark the task as a teardown."""
        self.operator.as_teardown(**kwargs)
        return self

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield the task and key."""
        yield self.operator, self.key

    def _only_return_value(self) -> None:
        if self.key != XCOM_RETURN_KEY:
            raise ValueError(f"cannot map over the XCom {self.key!r} of {self.operator!r}; only over its return value")

    def map(self, f: Callable[[Any], Any]) -> XComArg:
        """Apply a plain function to each element, in the task that uses it."""
        self._only_return_value()
        return super().map(f)

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> XComArg:
        """Pair up elements with those of others."""
        self._only_return_value()
        return super().zip(*others, fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> XComArg:
        """Join with others end to end."""
        self._only_return_value()
        return super().concat(*others)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value that was pushed; all values, lazily, if the task is mapped.

        Raises:
            XComNotFound: a key other than the return value was not pushed.
        """
        ti = context["ti"]
        operator = self.operator
        map_index = None
        if operator.is_mapped or (map_index := self._map_indexes(context)) is _ALL:
            from gnomon.sdk.runtime.xcom import LazyXComSequence

            return LazyXComSequence(self, ti)
        value = ti.xcom_pull(task_ids=operator.task_id, key=self.key, default=NOTSET, map_indexes=map_index)
        if is_arg_set(value):
            return value
        if self.key == XCOM_RETURN_KEY or getattr(operator, "multiple_outputs", False):
            return None
        raise XComNotFound(ti.dag_id, operator.task_id, self.key)

    def _map_indexes(self, context: Mapping[str, Any]) -> Any:
        """Return which instances of the task count: None if it is not mapped, one, some, or all."""
        group = self.operator.get_closest_mapped_task_group()
        if group is None:
            return None
        ti = context["ti"]
        user = context.get("task") or getattr(ti, "task", None)
        if user is None:
            return _ALL
        if user.get_closest_mapped_task_group() is group:
            return ti.map_index
        found = ti.get_relevant_upstream_map_indexes(self.operator)
        return _ALL if found is None else list(found) if isinstance(found, range) else found


def _sized(value: Any, what: str) -> Any:
    if not isinstance(value, (Sequence, dict)):
        raise ValueError(f"XCom {what} expects sequence or dict, not {type(value).__name__}")
    return value


def _element(container: Any, index: int) -> Any:
    """Return element `index`; of a dict, its (key, value) pair at that place."""
    if isinstance(container, dict):
        return next(itertools.islice(container.items(), index, None))
    return container[index]


class _View(Sequence[Any]):
    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, tuple, _View)):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


class _Mapped(_View):
    def __init__(self, value: Any, callables: Sequence[Callable[[Any], Any]]) -> None:
        self.value, self.callables = value, callables

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        value = self.value[index]
        for function in self.callables:
            value = function(value)
        return value

    def __len__(self) -> int:
        return len(self.value)


class _Zipped(_View):
    def __init__(self, values: Sequence[Any], fillvalue: Any) -> None:
        self.values, self.fillvalue = values, fillvalue

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return tuple(self._at(value, index) for value in self.values)

    def _at(self, value: Any, index: int) -> Any:
        try:
            return value[index]
        except (IndexError, KeyError):  # a dict has no place 0; it counts as one that is over
            return self.fillvalue

    def __len__(self) -> int:
        lengths = [len(value) for value in self.values]
        return max(lengths) if is_arg_set(self.fillvalue) else min(lengths)


class _Concatenated(_View):
    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index if index >= 0 else len(self) + index
        for value in self.values:
            if 0 <= place < len(value):
                return list(value)[place] if isinstance(value, dict) else value[place]
            place -= len(value)
            if place < 0:
                break
        raise IndexError("list index out of range")

    def __len__(self) -> int:
        return sum(len(value) for value in self.values)


class MapXComArg(XComArg):
    """What `.map(f)` returns."""

    def __init__(self, arg: XComArg, callables: Sequence[Callable[[Any], Any]]) -> None:
        for function in callables:
            if getattr(function, "_airflow_is_task_decorator", False):
                raise ValueError("map() argument must be a plain function, not a @task operator")
        self.arg = arg
        self.callables = list(callables)

    def __repr__(self) -> str:
        return f"{self.arg!r}" + "".join(f".map({getattr(f, '__name__', '<function>')})" for f in self.callables)

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the source refers to."""
        yield from self.arg.iter_references()

    def map(self, f: Callable[[Any], Any]) -> XComArg:
        """Apply one more function."""
        return MapXComArg(self.arg, [*self.callables, f])

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return a sequence that applies the functions when an element is read."""
        return _Mapped(_sized(self.arg.resolve(context), "map"), self.callables)


class ZipXComArg(XComArg):
    """What `.zip(…)` returns."""

    def __init__(self, args: Sequence[XComArg], *, fillvalue: Any = NOTSET) -> None:
        self.args = list(args)
        self.fillvalue = fillvalue

    def __repr__(self) -> str:
        rest = ", ".join(map(repr, self.args[1:]))
        fill = f", fillvalue={self.fillvalue!r}" if is_arg_set(self.fillvalue) else ""
        return f"{self.args[0]!r}.zip({rest}{fill})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the sources refer to."""
        for arg in self.args:
            yield from arg.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return a sequence of tuples."""
        return _Zipped([_sized(arg.resolve(context), "zip") for arg in self.args], self.fillvalue)


class ConcatXComArg(XComArg):
    """What `.concat(…)` returns."""

    def __init__(self, args: Sequence[XComArg]) -> None:
        self.args = list(args)

    def __repr__(self) -> str:
        return f"{self.args[0]!r}.concat({', '.join(map(repr, self.args[1:]))})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the sources refer to."""
        for arg in self.args:
            yield from arg.iter_references()

    def concat(self, *others: XComArg) -> XComArg:
        """Join with more."""
        return ConcatXComArg([*self.args, *others])

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return one sequence over all sources."""
        return _Concatenated([_sized(arg.resolve(context), "concat") for arg in self.args])
