"""The state stores of assets."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Ctx, context, router
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import state_store as models
from gnomon.api.public.routes.state_store import Limit, Offset, page_length
from gnomon.service import clock
from gnomon.store.errors import NotFound
from gnomon.store.state_store import StateNotFound

assets = router("Asset State Store", ACCESS, "/assets/{asset_id}/state-store")


def _asset_id(request: Request, asset_id: int) -> int:
    try:
        return context(request).store.asset_states.asset_id(number=asset_id)
    except NotFound:
        raise not_found(f"Asset with id {asset_id!r} not found") from None


AssetId = Annotated[int, Depends(_asset_id)]


@assets.get("")
def list_asset_state_store(
    ctx: Ctx, asset_id: AssetId, limit: Limit = None, offset: Offset = 0
) -> models.AssetStateCollection:
    """Return a page of what an asset keeps, by key."""
    rows, total = ctx.store.asset_states.page(asset_id, limit=page_length(limit), offset=offset)
    return models.AssetStateCollection(asset_state_store=[_asset_state(row) for row in rows], total_entries=total)


@assets.get("/{key:path}")
def get_asset_state_store(ctx: Ctx, asset_id: AssetId, key: str) -> models.AssetState:
    """Return one value."""
    try:
        return _asset_state(ctx.store.asset_states.get(asset_id, key))
    except StateNotFound:
        raise not_found(f"Asset state store key {key!r} not found") from None


@assets.put("/{key:path}", status_code=204)
def set_asset_state_store(ctx: Ctx, asset_id: AssetId, key: str, body: models.StateBody) -> None:
    """Keep a value, new or not."""
    ctx.store.asset_states.set(asset_id, key, json.dumps(body.value), kind="api", now=clock.now())


@assets.delete("/{key:path}", status_code=204)
def delete_asset_state_store(ctx: Ctx, asset_id: AssetId, key: str) -> None:
    """Forget a key, if it is there."""
    ctx.store.asset_states.delete(asset_id, key)


@assets.delete("", status_code=204)
def clear_asset_state_store(ctx: Ctx, asset_id: AssetId) -> None:
    """Forget all that an asset keeps."""
    ctx.store.asset_states.delete(asset_id, None)


def _asset_state(row: Any) -> models.AssetState:
    writer = None
    if row.writer_kind is not None:
        writer = models.Writer(
            kind=row.writer_kind,
            dag_id=row.writer_dag_id,
            run_id=row.writer_run_id,
            task_id=row.writer_task_id,
            map_index=row.writer_map_index,
        )
    return models.AssetState(
        key=row.key, value=json.loads(row.value), updated_at=row.updated_at, last_updated_by=writer
    )
