"""Small values that outlive a try: of a task instance, or of an asset."""

from __future__ import annotations

import json
from typing import Any

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.channel import require_channel
from gnomon.sdk.runtime.dag_run import found_value
from gnomon.wire import execution as wire


class _StateStore:
    def __init__(self, noun: str, owner: dict[str, Any]) -> None:
        self._noun = noun
        self._owner = owner

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        reply = self._do("get", key=key)
        if isinstance(reply, wire.Problem) and reply.code == "not_found":
            return default
        return values.from_plain(found_value(reply))

    def set(self, key: str, value: Any, **options: Any) -> None:
        """Keep a value."""
        self._check(self._do("set", key=key, value=values.to_plain(value), **options))

    def delete(self, key: str) -> None:
        """Forget one key."""
        self._check(self._do("delete", key=key))

    def clear(self) -> None:
        """Forget all keys."""
        self._check(self._do("clear"))

    def _do(self, verb: str, **body: Any) -> wire.Reply:
        request = wire.Custom(noun=self._noun, verb=verb, body=json.dumps({**self._owner, **body}).encode())
        return require_channel().ask(request)

    @staticmethod
    def _check(reply: wire.Reply) -> None:
        if isinstance(reply, wire.Problem):
            raise RuntimeError(reply.message)


class TaskStateStore(_StateStore):
    """`task_state_store`: values of this task instance."""

    def __init__(self) -> None:
        super().__init__("task_state", {})


class AssetStateStores:
    """`asset_state_store`: one store per inlet and outlet."""

    def __init__(self, assets: list[Any]) -> None:
        self._assets = [asset for asset in assets if hasattr(asset, "uri")]

    def __getitem__(self, asset: Any) -> _StateStore:
        return _StateStore("asset_state", {"name": getattr(asset, "name", None), "uri": getattr(asset, "uri", None)})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if len(self._assets) != 1:
            raise ValueError(f"the task has {len(self._assets)} assets: say asset_state_store[asset].{name}(…)")
        return getattr(self[self._assets[0]], name)
