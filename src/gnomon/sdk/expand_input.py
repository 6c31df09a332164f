"""What `.expand()` and `.expand_kwargs()` got: how long it will be, and the arguments of one instance of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any, ClassVar

from gnomon.sdk.types import XCOM_RETURN_KEY, is_arg_set
from gnomon.sdk.xcomarg import (
    ConcatXComArg,
    MapXComArg,
    PlainXComArg,
    ResolveMixin,
    XComArg,
    ZipXComArg,
    _element,
)


def is_mappable_value(value: Any) -> bool:
    """Tell whether a literal can be expanded over: a sequence or a dict, but no string."""
    return isinstance(value, (Sequence, dict)) and not isinstance(value, (str, bytes, bytearray))


def is_mappable(value: Any) -> bool:
    """Tell whether a literal or a reference can be expanded over."""
    return isinstance(value, (XComArg, MappedArgument)) or is_mappable_value(value)


def ensure_xcomarg_return_value(value: Any) -> None:
    """Check that only return values are expanded over.

    Raises:
        ValueError: a reference is to another key.
    """
    for operator, key in XComArg.iter_xcom_references(value):
        if key != XCOM_RETURN_KEY:
            raise ValueError(f"cannot map over XCom with custom key {key!r} from {operator}")


class DictOfListsExpandInput(ResolveMixin):
    """The arguments of `.expand()`: one instance per combination, the last argument varies fastest."""

    EXPAND_INPUT_TYPE: ClassVar[str] = "dict-of-lists"

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the arguments refer to."""
        for item in self.value.values():
            if isinstance(item, ResolveMixin):
                yield from item.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        """Return the arguments of this instance, and the ids of those that are values rather than templates."""
        index = _map_index(context)
        values = {
            name: item.resolve(context) if isinstance(item, ResolveMixin) else item for name, item in self.value.items()
        }
        chosen: dict[str, Any] = {}
        for name in reversed(values):
            value = values[name]
            if not isinstance(value, Sized) or isinstance(value, (str, bytes)):
                raise TypeError(f"can't map {name!r} over value of type {type(value).__name__}")
            length = len(value)
            if length < 1:
                raise RuntimeError(f"cannot expand {name!r} over something empty")
            index, place = divmod(index, length)
            chosen[name] = _element(value, place)
        ordered = {name: chosen[name] for name in values}
        resolved = {id(ordered[name]) for name, item in self.value.items() if isinstance(item, ResolveMixin)}
        return ordered, resolved


class ListOfDictsExpandInput(ResolveMixin):
    """The argument of `.expand_kwargs()`: one instance per element."""

    EXPAND_INPUT_TYPE: ClassVar[str] = "list-of-dicts"

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the argument refers to."""
        yield from XComArg.iter_xcom_references(self.value)

    def resolve(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        """Return the arguments of this instance, and the ids of those that are values rather than templates."""
        index = _map_index(context)
        elements = self.value.resolve(context) if isinstance(self.value, ResolveMixin) else self.value
        if not isinstance(elements, Sequence):
            raise ValueError(f"expand_kwargs() expects a list[dict], not {_type_name(elements)}")
        element = elements[index]
        if isinstance(element, ResolveMixin):
            element = element.resolve(context)
        if not isinstance(element, Mapping):
            raise ValueError(f"expand_kwargs() expects a list[dict], not list[{_type_name(element)}]")
        for key in element:
            if not isinstance(key, str):
                raise ValueError(
                    f"expand_kwargs() input dict keys must all be str, but {key!r} is of type {_type_name(key)}"
                )
        values = {
            key: item.resolve(context) if isinstance(item, ResolveMixin) else item for key, item in element.items()
        }
        # Unlike those of expand(), texts in a result that makes the arguments are rendered as templates.
        return values, {id(values[key]) for key, item in element.items() if isinstance(item, ResolveMixin)}


ExpandInput = DictOfListsExpandInput | ListOfDictsExpandInput


class MappedArgument(ResolveMixin):
    """What a mapped task group's function gets for each of its arguments."""

    def __init__(self, input: ExpandInput, key: str) -> None:
        if isinstance(input, DictOfListsExpandInput):
            for value in input.value.values():
                if isinstance(value, MappedArgument):
                    raise ValueError("Nested Mapped TaskGroups are not yet supported")
        self._input = input
        self._key = key

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield what the group expands over."""
        yield from self._input.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value for this instance of the group."""
        return self._input.resolve(context)[0][self._key]


def _type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _map_index(context: Mapping[str, Any]) -> int:
    index = context["ti"].map_index
    if index is None or index < 0:
        raise RuntimeError("a mapped argument has a value only in an expanded task instance")
    return int(index)


# -------------------------------------------------------------------------------------------------- as data


def to_wire(expand_input: ExpandInput) -> Any:
    """Return the wire.dag.ExpandInput: what it takes to tell how many instances there are."""
    from gnomon.wire import dag as wire

    if isinstance(expand_input, DictOfListsExpandInput):
        return wire.ExpandInput(kind="expand", inputs={name: _length(v) for name, v in expand_input.value.items()})
    return wire.ExpandInput(kind="expand_kwargs", inputs={"*": _length(expand_input.value)})


def _length(value: Any) -> Any:
    from gnomon.wire.dag import XComLength

    if isinstance(value, PlainXComArg):
        return XComLength(task_id=value.operator.task_id)
    if isinstance(value, MapXComArg):
        return XComLength(kind="map", sources=[_length(value.arg)])
    if isinstance(value, ZipXComArg):
        longest = is_arg_set(value.fillvalue)
        return XComLength(kind="zip", sources=[_length(arg) for arg in value.args], longest=longest)
    if isinstance(value, ConcatXComArg):
        return XComLength(kind="concat", sources=[_length(arg) for arg in value.args])
    if isinstance(value, MappedArgument):
        raise NotImplementedError("expanding over an argument of a mapped task group is not supported")
    return len(value)
