"""What `conn`, `var`, `macros` and the asset entries of the context give."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
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


# -------------------------------------------------------------------------------------------------- assets


class OutletEventAccessor:
    """What a task says about one asset or alias it has updated."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.extra: dict[str, Any] = {}
        self.asset_alias_events: list[dict[str, Any]] = []
        self.partition_keys: list[str] = []

    def add(self, asset: Any, extra: dict[str, Any] | None = None) -> None:
        """Emit an event for `asset` through this alias."""
        if not _is_alias(self.key):
            return
        event = {
            "source_alias_name": self.key.name,
            "dest_asset_key": _asset_key(asset),
            "dest_asset_extra": dict(getattr(asset, "extra", None) or {}),
            "extra": extra or {},
        }
        self.asset_alias_events.append(event)

    def add_partitions(self, keys: str | list[str]) -> None:
        """Say which partitions of the asset were updated."""
        self.partition_keys.extend([keys] if isinstance(keys, str) else keys)


class OutletEventAccessors:
    """`outlet_events`: one accessor per outlet, made when it is first asked for."""

    def __init__(self, outlets: list[Any] | None = None) -> None:
        self._outlets = outlets or []
        self._accessors: dict[tuple[str, str], OutletEventAccessor] = {}

    def __getitem__(self, key: Any) -> OutletEventAccessor:
        if isinstance(key, str):  # Airflow 2 also took the name or URI
            key = next((one for one in self._outlets if key in (getattr(one, "uri", None), one.name)), key)
        name = _identity(key)
        if name not in self._accessors:
            self._accessors[name] = OutletEventAccessor(key)
        return self._accessors[name]

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> OutletEventAccessor:
        """Return the accessor of the asset with this name or URI."""
        for outlet in self._outlets:
            if not _is_alias(outlet) and (name in (None, outlet.name) and uri in (None, outlet.uri)):
                return self[outlet]
        raise KeyError(name or uri)

    def for_asset_alias(self, *, name: str) -> OutletEventAccessor:
        """Return the accessor of the alias with this name."""
        for outlet in self._outlets:
            if _is_alias(outlet) and outlet.name == name:
                return self[outlet]
        raise KeyError(name)

    def __iter__(self) -> Iterator[Any]:
        return iter([accessor.key for accessor in self._accessors.values()])

    def __len__(self) -> int:
        return len(self._accessors)

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what travels with a success: one entry per outlet, partition and alias event."""
        for outlet in self._outlets:
            if not _is_alias(outlet):
                accessor = self[outlet]
                for partition in accessor.partition_keys or [None]:  # type: ignore[list-item]
                    event: dict[str, Any] = {"dest_asset_key": _asset_key(outlet), "extra": accessor.extra}
                    yield event if partition is None else {**event, "partition_key": partition}
        for accessor in self._accessors.values():
            yield from accessor.asset_alias_events


class InletEventsAccessors:
    """`inlet_events`: the events of the task's inlets."""

    def __init__(self, inlets: list[Any]) -> None:
        self._inlets = inlets

    def __getitem__(self, key: Any) -> Any:
        """Return the events of an inlet, oldest first."""
        import json

        from gnomon.sdk.runtime.channel import require_channel
        from gnomon.sdk.runtime.dag_run import found_value
        from gnomon.wire import execution as wire

        inlet = self._inlets[key] if isinstance(key, int) else key
        body = {"alias": inlet.name} if _is_alias(inlet) else {"asset": _asset_key(inlet)}
        request = wire.Custom(noun="asset_events", verb="list", body=json.dumps(body).encode())
        return found_value(require_channel().ask(request))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)


def _is_alias(key: Any) -> bool:
    return not hasattr(key, "uri")


def _identity(key: Any) -> tuple[str, str]:
    if isinstance(key, str):
        return ("name", key)
    return ("alias", key.name) if _is_alias(key) else ("asset", f"{getattr(key, 'name', '')}\0{key.uri}")


def _asset_key(asset: Any) -> dict[str, str]:
    uri = getattr(asset, "uri", None)
    return {"name": getattr(asset, "name", None) or uri or "", "uri": uri or ""}


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
