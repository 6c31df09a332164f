"""The answers to what tasks ask about assets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from gnomon.wire import assets as ask_for
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from gnomon.api.execution.handlers import Handlers

Caller = wire.TryKey | None


def get_asset(self: Handlers, key: Caller, ask: ask_for.GetAsset) -> wire.Reply:
    """The active asset of a name or a URI."""
    if not ask.name and not ask.uri:
        return wire.Problem("invalid", "an asset is asked for by its name or its URI")
    found = self.store.assets.active(name=ask.name, uri=ask.uri)
    if found is None:
        return wire.Problem("not_found", f"there is no active asset with {_named(ask.name, ask.uri)}")
    return _found(found)


def get_asset_events(self: Handlers, key: Caller, ask: ask_for.GetAssetEvents) -> wire.Reply:
    """Events of an asset or an alias."""
    if not ask.name and not ask.uri and not ask.alias:
        return wire.Problem("invalid", "events are asked for by an asset's name or URI, or by an alias")
    return _found(self.store.assets.events(**msgspec.structs.asdict(ask)))


def get_consumed_events(self: Handlers, key: Caller, ask: ask_for.GetConsumedEvents) -> wire.Reply:
    """The events that a run was created for."""
    return _found(self.store.assets.consumed(ask.dag_id, ask.run_id))


def get_inactive_assets(self: Handlers, key: Caller, ask: ask_for.GetInactiveAssets) -> wire.Reply:
    """Which of some assets are not active."""
    return _found(self.store.assets.inactive(ask.keys))


def get_assets_of_alias(self: Handlers, key: Caller, ask: ask_for.GetAssetsOfAlias) -> wire.Reply:
    """What an alias stands for."""
    return _found(self.store.assets.of_alias(ask.name))


def _named(name: str | None, uri: str | None) -> str:
    return f"the name {name!r}" if name else f"the URI {uri!r}"


def _found(value: Any) -> wire.Found:
    return wire.Found(msgspec.json.encode(value))


TABLE: dict[type, Callable[[Handlers, Caller, Any], wire.Reply]] = {
    ask_for.GetAsset: get_asset,
    ask_for.GetAssetEvents: get_asset_events,
    ask_for.GetConsumedEvents: get_consumed_events,
    ask_for.GetInactiveAssets: get_inactive_assets,
    ask_for.GetAssetsOfAlias: get_assets_of_alias,
}
