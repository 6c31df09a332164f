"""State stores: small values that task instances and assets keep beyond a try.

A part of `gnomon.wire.execution`; times and JSON are as there. A task's store is that of the calling task instance; an
asset is named by name or by URI.
"""

from __future__ import annotations

import msgspec

Json = bytes


class GetTaskState(msgspec.Struct, tag="get_task_state"):
    """Answered by Found, or Problem("not_found")."""

    key: str


class SetTaskState(msgspec.Struct, kw_only=True, tag="set_task_state"):
    """Keep a value, until `expires_at` if that is given."""

    key: str
    value: Json
    expires_at: int | None = None


class DeleteTaskState(msgspec.Struct, kw_only=True, tag="delete_task_state"):
    """Forget one key, or all of them."""

    key: str | None


class GetAssetState(msgspec.Struct, kw_only=True, tag="get_asset_state"):
    """Answered by Found, or Problem("not_found")."""

    key: str
    name: str | None = None
    uri: str | None = None


class SetAssetState(msgspec.Struct, kw_only=True, tag="set_asset_state"):
    """Keep a value."""

    key: str
    value: Json
    name: str | None = None
    uri: str | None = None


class DeleteAssetState(msgspec.Struct, kw_only=True, tag="delete_asset_state"):
    """Forget one key, or all of them."""

    key: str | None
    name: str | None = None
    uri: str | None = None
