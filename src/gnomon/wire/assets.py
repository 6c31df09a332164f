"""Assets: what tasks ask about them. A part of `gnomon.wire.execution`; times are as there."""

from __future__ import annotations

import msgspec


class GetAsset(msgspec.Struct, kw_only=True, tag="get_asset"):
    """The active asset of a name or a URI. Answered by Found, or Problem("not_found")."""

    name: str | None = None
    uri: str | None = None


class GetAssetEvents(msgspec.Struct, kw_only=True, tag="get_asset_events"):
    """The events of an asset (by name, URI or both) or of an alias, between two times. Answered by Found: a list."""

    name: str | None = None
    uri: str | None = None
    alias: str | None = None
    after: int | None = None
    before: int | None = None
    ascending: bool = True
    limit: int | None = None


class GetConsumedEvents(msgspec.Struct, kw_only=True, tag="get_consumed_events"):
    """The events that a run was created for. Answered by Found: a list."""

    dag_id: str
    run_id: str


class GetInactiveAssets(msgspec.Struct, kw_only=True, tag="get_inactive_assets"):
    """Which of these assets, [name, uri], are not active. Answered by Found: a list of the same form."""

    keys: list[tuple[str, str]]


class GetAssetsOfAlias(msgspec.Struct, kw_only=True, tag="get_assets_of_alias"):
    """What an alias stands for by now. Answered by Found: a list of [name, uri]."""

    name: str
