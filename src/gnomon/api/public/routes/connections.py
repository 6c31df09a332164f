"""Connections; their secrets are never shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query

from gnomon.api.auth.roles import CONNECTIONS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import bulk, params
from gnomon.api.public.models import admin as models
from gnomon.api.public.models.base import BulkBody, BulkResponse, changed
from gnomon.service.masking import MASK, masker
from gnomon.store import records
from gnomon.store.errors import ConnectionNotFound
from gnomon.store.reads import admin as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

connections = router("Connection", ACCESS, "/connections")
_listing = params.Reader(reads.CONNECTIONS)


@connections.get("", openapi_extra=_listing.openapi())
def get_connections(ctx: Ctx, query: Annotated[Asked, Depends(_listing)]) -> models.ConnectionCollection:
    """Return a page of connections."""
    with ctx.read() as conn:
        page = fetch(conn, reads.CONNECTIONS, query)
    rows = [shown(_opened(ctx, row)) for row in page.rows]
    return models.ConnectionCollection(connections=rows, total_entries=page.total)


@connections.get("/{connection_id}")
def get_connection(ctx: Ctx, connection_id: str) -> models.Connection:
    """Return one connection."""
    return shown(_found(ctx, connection_id))


@connections.post("", status_code=201)
def post_connection(ctx: Ctx, body: models.ConnectionBody) -> models.Connection:
    """Create a connection."""
    ctx.store.connections.add(new_record(body))
    return shown(_found(ctx, body.connection_id))


@connections.patch("/{connection_id}")
def patch_connection(
    ctx: Ctx,
    connection_id: str,
    body: models.ConnectionBody,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> models.Connection:
    """Change a connection; its id stays."""
    if body.connection_id != connection_id:
        raise params.invalid(
            "body", "connection_id", f"must be that of the path, {connection_id!r}", body.connection_id
        )
    changes = changes_of(_found(ctx, connection_id), body, update_mask)
    return shown(ctx.store.connections.update(connection_id, **changes))


@connections.delete("/{connection_id}", status_code=204)
def delete_connection(ctx: Ctx, connection_id: str) -> None:
    """Delete a connection."""
    if not ctx.store.connections.delete(connection_id):
        raise ConnectionNotFound(connection_id)


@connections.patch("")
def bulk_connections(ctx: Ctx, body: BulkBody[models.ConnectionBody]) -> BulkResponse:
    """Create, change and delete several connections."""
    store = ctx.store.connections

    def present(keys: Iterable[str]) -> dict[str, records.Connection]:
        return {key: found for key in keys if (found := store.get(key)) is not None}

    kind: bulk.Kind[models.ConnectionBody, records.Connection] = bulk.Kind(
        noun="connection",
        key=lambda entity: entity.connection_id,
        present=present,
        new=new_record,
        changed=lambda record, entity, mask: msgspec.structs.replace(record, **changes_of(record, entity, mask)),
        put=store.import_many,
        delete=store.delete,
    )
    return bulk.perform(kind, body)


@connections.post("/defaults", status_code=204)
def create_default_connections(ctx: Ctx) -> None:
    """Create the connections that Airflow offers to begin with; those that are there stay as they are."""
    from gnomon.store.default_connections import default_connections

    ctx.store.connections.import_many(default_connections(), "skip")


def shown(record: records.Connection) -> models.Connection:
    """Return a connection as it may be shown."""
    return models.Connection(
        connection_id=record.conn_id,
        conn_type=record.conn_type,
        description=record.description,
        host=record.host,
        login=record.login,
        schema=record.schema,
        port=record.port,
        password=MASK if record.password else record.password,
        extra=_masked_extra(record.extra),
    )


def _masked_extra(extra: str | None) -> str | None:
    if not extra:
        return extra
    try:
        return json.dumps(masker.redact(json.loads(extra)))
    except (ValueError, RecursionError):
        return MASK


def new_record(body: models.ConnectionBody) -> records.Connection:
    """Return the connection that a body describes."""
    return records.Connection(conn_id=body.connection_id, **_fields(body, type(body).model_fields))


def changes_of(present: records.Connection, body: models.ConnectionBody, mask: Sequence[str] | None) -> dict[str, Any]:
    """Return what a body changes in a connection that is there."""
    changes = _fields(body, changed(body, mask))
    # What was shown masked comes back masked when only another field was edited: then it stays.
    if changes.get("password") == MASK:
        del changes["password"]
    if "extra" in changes:
        changes["extra"] = _unmasked(changes["extra"], present.extra)
    return changes


def _unmasked(sent: str | None, present: str | None) -> str | None:
    try:
        new, old = json.loads(sent or "null"), json.loads(present or "null")
    except ValueError:
        return sent
    return sent if not sent or not isinstance(old, dict) else json.dumps(_merge(new, old))


def _merge(new: Any, old: Any) -> Any:
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: _merge(value, old.get(key)) for key, value in new.items()}
    return old if new == MASK and old is not None else new


def _fields(body: models.ConnectionBody, names: Iterable[str]) -> dict[str, Any]:
    known = models.ConnectionBody.model_fields.keys() - {"connection_id", "team_name"}
    return {name.rstrip("_"): getattr(body, name) for name in names if name in known}


def _found(ctx: Context, conn_id: str) -> records.Connection:
    found = ctx.store.connections.get(conn_id)
    if found is None:
        raise ConnectionNotFound(conn_id)
    return found


def _opened(ctx: Context, row: dict[str, Any]) -> records.Connection:
    # Of the secrets only whether there is a password is shown, so only `extra` needs to be opened.
    extra = row["extra"]
    if extra and row["is_extra_encrypted"]:
        extra = ctx.store.cipher.decrypt(extra, f"the extra of connection {row['conn_id']!r}")
    fields = {name: row[name] for name in records.Connection.__struct_fields__}
    return records.Connection(**{**fields, "extra": extra})
