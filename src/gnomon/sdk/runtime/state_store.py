"""Small values that outlive a try: of a task instance, or of an asset."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.channel import ask_async, require_channel
from gnomon.sdk.types import NEVER_EXPIRE
from gnomon.wire import execution as wire
from gnomon.wire import state_store as state
from gnomon.wire.assets import GetAssetsOfAlias

if TYPE_CHECKING:
    from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
    from gnomon.sdk.state import BaseStoreBackend

_log = logging.getLogger("airflow.task")
#: marks a stored value that is a reference into a backend of the user's own
_REFERENCE = "__airflow_state_ref__"


@cache
def _backend() -> BaseStoreBackend | None:
    """Return the backend of `[workers] state_store_backend`, if one is set.

    Raises:
        ValueError: it cannot be imported.
    """
    from gnomon.service.config import conf

    path = conf.get("workers", "state_store_backend", fallback="") or ""
    if not path:
        return None
    try:
        made: BaseStoreBackend = values.import_string(path)()
    except ImportError as error:
        raise ValueError(f"[workers] state_store_backend: {path} cannot be imported: {error}") from None
    return made


class _StateStore:
    """A store by key; what differs between tasks and assets is in the subclasses."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, `default` if there is none."""
        return self._value(require_channel().ask(self._getting(key)), key, default)

    async def aget(self, key: str, default: Any = None) -> Any:
        """Do what `get` does, without blocking."""
        return self._value(await ask_async(self._getting(key)), key, default)

    def delete(self, key: str) -> None:
        """Forget a key, if it is there."""
        _check(require_channel().ask(self._deleting(key)))
        if (backend := _backend()) is not None:
            backend.delete(self._scope(), key)

    async def adelete(self, key: str) -> None:
        """Do what `delete` does, without blocking."""
        _check(await ask_async(self._deleting(key)))
        if (backend := _backend()) is not None:
            await backend.adelete(self._scope(), key)

    def clear(self) -> None:
        """Forget all keys."""
        _check(require_channel().ask(self._deleting(None)))
        if (backend := _backend()) is not None:
            backend.clear(self._scope())

    async def aclear(self) -> None:
        """Do what `clear` does, without blocking."""
        _check(await ask_async(self._deleting(None)))
        if (backend := _backend()) is not None:
            await backend.aclear(self._scope())

    def _stored(self, key: str, value: Any) -> bytes:
        """Return a value as it is stored: itself, or the reference that a backend has given for it."""
        if value is None:
            raise ValueError("Cannot set value as None")
        backend = _backend()
        if backend is not None:
            value = {_REFERENCE: self._into(backend, key, value)}
        data = values.encode(value)
        from gnomon.service.config import conf

        limit = conf.getint("state_store", "max_value_storage_bytes", fallback=65535)
        if 0 < limit < len(data):
            _log.warning(
                "The state %r of %r has %d bytes, and [state_store] max_value_storage_bytes is %d; set [workers]"
                " state_store_backend to keep large values elsewhere",
                *(key, self, len(data), limit),
            )
        return data

    def _value(self, reply: wire.Reply, key: str, default: Any) -> Any:
        if isinstance(reply, wire.Problem) and reply.code == "not_found":
            return default
        _check(reply)
        if not isinstance(reply, wire.Found):
            raise RuntimeError(f"the state {key!r} was asked for and a {type(reply).__name__} came back")
        plain, backend = json.loads(reply.value), _backend()
        if backend is not None:
            if isinstance(plain, dict) and plain.keys() == {_REFERENCE}:
                return self._out_of(backend, plain[_REFERENCE])
            _log.warning("The state %r of %r was not written through [workers] state_store_backend", key, self)
        return values.from_plain(plain)

    def _getting(self, key: str) -> wire.Request:
        raise NotImplementedError

    def _deleting(self, key: str | None) -> wire.Request:
        raise NotImplementedError

    def _scope(self) -> Any:
        raise NotImplementedError

    def _into(self, backend: BaseStoreBackend, key: str, value: Any) -> str:
        raise NotImplementedError

    def _out_of(self, backend: BaseStoreBackend, reference: str) -> Any:
        raise NotImplementedError


class TaskStateStore(_StateStore):
    """`task_state_store`: values of this task instance, kept from one try to the next."""

    def __init__(self, ti: RuntimeTaskInstance) -> None:
        self._ti = ti

    def __repr__(self) -> str:
        return f"<TaskStateStore of {self._ti.task_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskStateStore) and self._scope() == other._scope()

    def __hash__(self) -> int:
        return hash(self._scope())

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Keep a value.

        Args:
            key: its name.
            value: anything that has a JSON form, but None.
            retention: for how long at least; NEVER_EXPIRE until it is deleted; as [state_store]
                default_retention_days says unless given.
        """
        _check(require_channel().ask(self._setting(key, value, retention)))

    async def aset(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Do what `set` does, without blocking."""
        _check(await ask_async(self._setting(key, value, retention)))

    def _setting(self, key: str, value: Any, retention: timedelta | None) -> wire.Request:
        return state.SetTaskState(key=key, value=self._stored(key, value), expires_at=_expires_at(retention))

    def _getting(self, key: str) -> wire.Request:
        return state.GetTaskState(key)

    def _deleting(self, key: str | None) -> wire.Request:
        return state.DeleteTaskState(key=key)

    def _scope(self) -> Any:
        from gnomon.sdk.state import TaskScope

        return TaskScope(self._ti.dag_id, self._ti.run_id, self._ti.task_id, self._ti.map_index)

    def _into(self, backend: BaseStoreBackend, key: str, value: Any) -> str:
        return backend.serialize_task_state_store_to_ref(value=value, key=key, scope=self._scope())

    def _out_of(self, backend: BaseStoreBackend, reference: str) -> Any:
        return backend.deserialize_task_state_store_from_ref(reference)


def _expires_at(retention: timedelta | None) -> int | None:
    from gnomon.service import clock
    from gnomon.service.config import conf

    if retention == NEVER_EXPIRE:
        return None
    if retention is None:
        days = conf.getint("state_store", "default_retention_days", fallback=30)
        if days < 0:
            raise ValueError(f"[state_store] default_retention_days must not be negative (it is {days}); 0 is for ever")
        if days == 0:
            return None
        retention = timedelta(days=days)
    return clock.now_us() + retention // timedelta(microseconds=1)


class AssetStateStore(_StateStore):
    """The values of one asset.

    Args:
        name: of the asset.
        uri: of the asset, if its name is not known.
    """

    def __init__(self, *, name: str | None = None, uri: str | None = None) -> None:
        if not name and not uri:
            raise ValueError("Either `name` or `uri` must be provided")
        self._name = name
        self._uri = None if name else uri

    def __repr__(self) -> str:
        return f"<AssetStateStore of {self._name or self._uri!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetStateStore) and (self._name, self._uri) == (other._name, other._uri)

    def __hash__(self) -> int:
        return hash((self._name, self._uri))

    def set(self, key: str, value: Any) -> None:
        """Keep a value: anything that has a JSON form, but None."""
        _check(require_channel().ask(self._setting(key, value)))

    async def aset(self, key: str, value: Any) -> None:
        """Do what `set` does, without blocking."""
        _check(await ask_async(self._setting(key, value)))

    def _setting(self, key: str, value: Any) -> wire.Request:
        return state.SetAssetState(key=key, value=self._stored(key, value), name=self._name, uri=self._uri)

    def _getting(self, key: str) -> wire.Request:
        return state.GetAssetState(key=key, name=self._name, uri=self._uri)

    def _deleting(self, key: str | None) -> wire.Request:
        return state.DeleteAssetState(key=key, name=self._name, uri=self._uri)

    def _scope(self) -> Any:
        from gnomon.sdk.state import AssetScope

        return AssetScope(name=self._name, uri=self._uri)

    def _into(self, backend: BaseStoreBackend, key: str, value: Any) -> str:
        return backend.serialize_asset_state_store_to_ref(value=value, key=key, scope=self._scope())

    def _out_of(self, backend: BaseStoreBackend, reference: str) -> Any:
        return backend.deserialize_asset_state_store_from_ref(reference)


class AssetStateStores:
    """`asset_state_store`: one store per inlet and outlet; of a task with one asset, that store itself.

    Args:
        inlets: of the task, or what a watcher watches; an alias is what it stands for.
        outlets: of the task; aliases are not stores, for what they stand for is known only afterwards.
    """

    def __init__(self, inlets: Iterable[Any], outlets: Iterable[Any] = ()) -> None:
        from gnomon.sdk.assets import AssetAlias

        self._stores: dict[tuple[str, str], AssetStateStore] = {}
        for asset in inlets:
            keys = _assets_of(asset) if isinstance(asset, AssetAlias) else [_key_of(asset)]
            self._add(keys)
        self._add(map(_key_of, outlets))

    def _add(self, keys: Iterable[tuple[str, str] | None]) -> None:
        for key in keys:
            if key is not None:
                self._stores.setdefault(key, AssetStateStore(**dict([key])))

    def __getitem__(self, asset: Any) -> AssetStateStore:
        key = _key_of(asset)
        if key is None:
            raise TypeError(f"an asset, or a reference to one, has a state store; a {type(asset).__name__} has not")
        if key not in self._stores:
            raise KeyError(f"{asset!r} is not in this task's inlets or outlets")
        return self._stores[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if len(self._stores) != 1:
            raise ValueError(
                f"Task has {len(self._stores)} concrete inlets and outlets: say asset_state_store[MY_ASSET].{name}(…)"
            )
        return getattr(next(iter(self._stores.values())), name)

    def __repr__(self) -> str:
        return f"<AssetStateStores [{', '.join(f'{kind}={value!r}' for kind, value in self._stores)}]>"


def _key_of(asset: Any) -> tuple[str, str] | None:
    from gnomon.sdk.assets import Asset, AssetNameRef, AssetUriRef

    if isinstance(asset, Asset | AssetNameRef):
        return ("name", asset.name)
    return ("uri", asset.uri) if isinstance(asset, AssetUriRef) else None


def _assets_of(alias: Any) -> list[tuple[str, str]]:
    """Return what an alias stands for by now."""
    from gnomon.sdk.runtime.dag_run import found_value

    found = found_value(require_channel().ask(GetAssetsOfAlias(name=alias.name)))
    return [("name", name) for name, _ in found]


def _check(reply: wire.Reply) -> None:
    if isinstance(reply, wire.Problem):
        raise RuntimeError(reply.message)
