"""Pools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Query

from gnomon.api.auth.roles import POOLS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import bulk, params
from gnomon.api.public.models import admin as models
from gnomon.api.public.models.base import BulkBody, BulkResponse, changed
from gnomon.store import records
from gnomon.store.errors import PoolNotFound
from gnomon.store.pools import DEFAULT_POOL
from gnomon.store.reads import admin as reads
from gnomon.store.reads.listing import Query as Asked

pools = router("Pool", ACCESS, "/pools")
_listing = params.Reader(reads.POOLS)
#: The default pool may get another size, but stays what it is.
_OF_DEFAULT = frozenset({"slots", "include_deferred"})


@pools.get("", openapi_extra=_listing.openapi())
def get_pools(ctx: Ctx, query: Annotated[Asked, Depends(_listing)]) -> models.PoolCollection:
    """Return a page of pools."""
    with ctx.snapshot() as conn:
        page = reads.pools(conn, query)
    return models.PoolCollection(pools=[models.Pool.model_validate(row) for row in page.rows], total_entries=page.total)


@pools.get("/{pool_name:path}")
def get_pool(ctx: Ctx, pool_name: str) -> models.Pool:
    """Return one pool."""
    with ctx.snapshot() as conn:
        row = reads.pool(conn, pool_name)
    if row is None:
        raise PoolNotFound(pool_name)
    return models.Pool.model_validate(row)


@pools.post("", status_code=201)
def post_pool(ctx: Ctx, body: models.PoolBody) -> models.Pool:
    """Create a pool."""
    if ctx.store.pools.get(body.name) is not None:
        raise HTTPException(409, f"pool {body.name!r} already exists")
    ctx.store.pools.import_many([_new(body)])
    return get_pool(ctx, body.name)


@pools.patch("/{pool_name:path}")
def patch_pool(
    ctx: Ctx,
    pool_name: str,
    body: models.PoolPatch,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> models.Pool:
    """Change a pool; its name stays."""
    present = _found(ctx, pool_name)
    sent = _sent(body, update_mask)
    if pool_name == DEFAULT_POOL and (extra := sorted(sent.keys() - _OF_DEFAULT - {"name"})):
        raise HTTPException(400, f"Only slots and include_deferred of the default pool can be changed, not {extra[0]}")
    if sent.pop("name", None) not in (None, pool_name):
        raise HTTPException(400, f"A pool cannot be renamed; pool must be {pool_name!r} or left out")
    ctx.store.pools.import_many([msgspec.structs.replace(present, **sent)])
    return get_pool(ctx, pool_name)


@pools.delete("/{pool_name:path}", status_code=204)
def delete_pool(ctx: Ctx, pool_name: str) -> None:
    """Delete a pool, unless it is the default one."""
    if not ctx.store.pools.delete(pool_name):
        raise PoolNotFound(pool_name)


@pools.patch("")
def bulk_pools(ctx: Ctx, body: BulkBody[models.PoolBody]) -> BulkResponse:
    """Create, change and delete several pools."""
    store = ctx.store.pools

    def present(keys: Iterable[str]) -> dict[str, records.Pool]:
        return {key: found for key in keys if (found := store.get(key)) is not None}

    kind: bulk.Kind[models.PoolBody, records.Pool] = bulk.Kind(
        noun="pool",
        key=lambda entity: entity.name,
        present=present,
        new=_new,
        changed=lambda record, entity, mask: msgspec.structs.replace(record, **_sent(entity, mask)),
        put=store.import_many,
        delete=store.delete,
    )
    return bulk.perform(kind, body)


def _found(ctx: Context, name: str) -> records.Pool:
    found = ctx.store.pools.get(name)
    if found is None:
        raise PoolNotFound(name)
    return found


def _new(body: models.PoolBody) -> records.Pool:
    return records.Pool(body.name, body.slots, body.description, body.include_deferred)


def _sent(body: models.PoolBody | models.PoolPatch, mask: Sequence[str] | None) -> dict[str, Any]:
    fields = changed(body, mask)
    fields.pop("team_name", None)
    # null means "leave it" for what cannot be null
    return {name: value for name, value in fields.items() if value is not None or name == "description"}
