"""Connections; their secrets are never shown."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Query

from gnomon.api.auth.roles import CONNECTIONS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import bulk, params
from gnomon.api.public.models import admin as models
from gnomon.api.public.models.base import BulkBody, BulkResponse, changed
from gnomon.service.config import conf
from gnomon.service.inspection import InspectionError, inspect
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
    ctx.store.connections.add(_new(body))
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
    changes = _changes(_found(ctx, connection_id), body, update_mask)
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
        new=_new,
        changed=lambda record, entity, mask: msgspec.structs.replace(record, **_changes(record, entity, mask)),
        put=store.import_many,
        delete=store.delete,
    )
    return bulk.perform(kind, body)


@connections.post("/test")
def test_connection(ctx: Ctx, body: models.ConnectionBody) -> models.ConnectionTest:
    """Let the hook of a connection's type test it, in a process of user code; nothing is stored."""
    setting = str(conf.get("core", "test_connection", fallback="Disabled"))
    if setting.lower() != "enabled":
        raise HTTPException(
            403,
            "Testing connections is disabled in Airflow configuration."
            " Contact your deployment admin to enable it ([core] test_connection).",
        )
    tested = _to_test(ctx.store.connections.get(body.connection_id), body)
    # Under an id that nothing else has: hooks look their connection up by it.
    fields = {**msgspec.structs.asdict(tested), "conn_id": f"test_{secrets.token_hex(8)}"}
    try:
        answer = inspect("test-connection", fields, seconds=conf.getfloat("connection_test", "timeout", fallback=60.0))
    except InspectionError as error:
        answer = {"status": False, "message": str(error)}
    known = [tested.password, *_secrets_in(tested.extra)]
    message = str(answer["message"])
    for secret in filter(None, known):
        message = message.replace(str(secret), MASK)
    return models.ConnectionTest(status=answer["status"], message=message)


def _to_test(present: records.Connection | None, body: models.ConnectionBody) -> records.Connection:
    """Return what is to be tested: the body, and for what it leaves out the connection that is stored.

    Stored secrets go to the stored place only, whoever asks.
    """
    if present is None:
        return _new(body)
    sent = changed(body, None)
    elsewhere = any(name in sent and getattr(body, name) != getattr(present, name) for name in ("host", "port"))
    if not elsewhere:
        return msgspec.structs.replace(present, **_changes(present, body, None))
    if body.password in (None, MASK) and MASK in (body.extra or MASK):
        raise HTTPException(
            400,
            "The host or port to test differs from the stored connection."
            " Include the credentials to test in the request body.",
        )
    return _new(body)


def _secrets_in(extra: str | None) -> Iterable[str]:
    try:
        found = json.loads(extra or "{}")
    except ValueError:
        return
    if isinstance(found, dict):
        yield from (str(value) for key, value in found.items() if value and masker.is_sensitive(key))


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


def _new(body: models.ConnectionBody) -> records.Connection:
    return records.Connection(conn_id=body.connection_id, **_fields(body, type(body).model_fields))


def _changes(present: records.Connection, body: models.ConnectionBody, mask: Sequence[str] | None) -> dict[str, Any]:
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
    left_out = {"connection_id", "team_name"}
    return {name.rstrip("_"): getattr(body, name) for name in names if name not in left_out}


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
