"""What `conn`, `var` and `macros` of the context give."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from gnomon.sdk.types import NOTSET, is_arg_set


class VariableAccessor:
    """`var.value` and `var.json`: variables as attributes, or with `get` and a default."""

    def __init__(self, *, deserialize_json: bool) -> None:
        self._deserialize_json = deserialize_json

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        return self.get(key)

    def get(self, key: str, default: Any = NOTSET, *, default_var: Any = NOTSET) -> Any:
        """Return a variable; without a default it is an error if there is none."""
        from gnomon.sdk.variable import Variable

        fallback = default if is_arg_set(default) else default_var
        given = {"default": fallback} if is_arg_set(fallback) else {}
        return Variable.get(key, deserialize_json=self._deserialize_json, **given)

    def __repr__(self) -> str:
        return f"<VariableAccessor {'json' if self._deserialize_json else 'value'}>"


class Variables:
    """`var`, both as `var.value` and as `var["value"]`."""

    def __init__(self) -> None:
        self.value = VariableAccessor(deserialize_json=False)
        self.json = VariableAccessor(deserialize_json=True)

    def __getitem__(self, name: str) -> VariableAccessor:
        if name in ("value", "json"):
            accessor: VariableAccessor = getattr(self, name)
            return accessor
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the accessor of that name."""
        return getattr(self, name) if name in ("value", "json") else default


class ConnectionAccessor:
    """`conn`: connections as attributes, or with `get` and a default."""

    def __getattr__(self, conn_id: str) -> Any:
        if conn_id.startswith("__"):
            raise AttributeError(conn_id)
        from gnomon.sdk.connection import Connection

        return Connection.get(conn_id)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """Return a connection, or the default if there is none."""
        from gnomon.sdk.exceptions import AirflowNotFoundException

        try:
            return getattr(self, conn_id)
        except AirflowNotFoundException:
            return default_conn

    def __repr__(self) -> str:
        return "<ConnectionAccessor>"


class MacrosAccessor:
    """`macros`: the module of macros, imported when one is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from importlib import import_module

        return getattr(import_module("gnomon.sdk.macros"), name)

    def __repr__(self) -> str:
        return "<MacrosAccessor>"


# ------------------------------------------------------------------------------------------------- laziness


class Lazy:
    """Stands for a value that is worked out when it is first used, as in `**context`, which takes every key."""

    __slots__ = ("_make", "_value")

    def __init__(self, make: Callable[[], Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __resolve_lazily__(self) -> Any:
        try:
            return object.__getattribute__(self, "_value")
        except AttributeError:
            value = object.__getattribute__(self, "_make")()
            object.__setattr__(self, "_value", value)
            return value

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__resolve_lazily__(), name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.__resolve_lazily__())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _same, (self.__resolve_lazily__(),)


def _same(value: Any) -> Any:
    return value


def _forward(name: str, function: Callable[..., Any]) -> None:
    def method(self: Lazy, *args: Any) -> Any:
        unwrapped = [arg.__resolve_lazily__() if type(arg) is Lazy else arg for arg in args]
        return function(self.__resolve_lazily__(), *unwrapped)

    method.__name__ = name
    setattr(Lazy, name, method)


_FORWARDED: dict[str, Callable[..., Any]] = {
    "__str__": str,
    "__repr__": repr,
    "__bool__": bool,
    "__hash__": hash,
    "__format__": format,
    "__len__": len,
    "__iter__": iter,
    "__eq__": operator.eq,
    "__ne__": operator.ne,
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
    "__add__": operator.add,
    "__sub__": operator.sub,
    "__radd__": lambda value, other: other + value,
    "__rsub__": lambda value, other: other - value,
    "__getitem__": operator.getitem,
    "__contains__": operator.contains,
    "__int__": int,
    "__float__": float,
}
for _name, _function in _FORWARDED.items():
    _forward(_name, _function)
