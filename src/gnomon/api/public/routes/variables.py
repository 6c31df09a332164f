"""Variables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query

from gnomon.api.auth.roles import VARIABLES as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import bulk, params
from gnomon.api.public.models import admin as models
from gnomon.api.public.models.base import BulkBody, BulkResponse, changed
from gnomon.service.masking import masker
from gnomon.store import records
from gnomon.store.errors import VariableNotFound
from gnomon.store.reads import admin as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

variables = router("Variable", ACCESS, "/variables")
_listing = params.Reader(reads.VARIABLES)


@variables.get("", openapi_extra=_listing.openapi())
def get_variables(ctx: Ctx, query: Annotated[Asked, Depends(_listing)]) -> models.VariableCollection:
    """Return a page of variables."""
    with ctx.read() as conn:
        page = fetch(conn, reads.VARIABLES, query)
    rows = [shown(_opened(ctx, row)) for row in page.rows]
    return models.VariableCollection(variables=rows, total_entries=page.total)


@variables.get("/{variable_key:path}")
def get_variable(ctx: Ctx, variable_key: str) -> models.Variable:
    """Return one variable."""
    return shown(_found(ctx, variable_key))


@variables.post("", status_code=201)
def post_variable(ctx: Ctx, body: models.VariableBody) -> models.Variable:
    """Create a variable."""
    ctx.store.variables.add(body.key, body.text(), body.description)
    return shown(_found(ctx, body.key))


@variables.patch("/{variable_key:path}")
def patch_variable(
    ctx: Ctx,
    variable_key: str,
    body: models.VariableBody,
    update_mask: Annotated[list[str] | None, Query()] = None,
) -> models.Variable:
    """Change a variable; its key stays."""
    if body.key != variable_key:
        raise params.invalid("body", "key", f"must be that of the path, {variable_key!r}", body.key)
    record = _merged(_found(ctx, variable_key), body, update_mask)
    ctx.store.variables.import_many([record])
    return shown(_found(ctx, variable_key))


@variables.delete("/{variable_key:path}", status_code=204)
def delete_variable(ctx: Ctx, variable_key: str) -> None:
    """Delete a variable."""
    if not ctx.store.variables.delete(variable_key):
        raise VariableNotFound(variable_key)


@variables.patch("")
def bulk_variables(ctx: Ctx, body: BulkBody[models.VariableBody]) -> BulkResponse:
    """Create, change and delete several variables."""
    store = ctx.store.variables

    def present(keys: Iterable[str]) -> dict[str, records.Variable]:
        return {key: found for key in keys if (found := store.get(key)) is not None}

    kind: bulk.Kind[models.VariableBody, records.Variable] = bulk.Kind(
        noun="variable",
        key=lambda entity: entity.key,
        present=present,
        new=lambda entity: records.Variable(entity.key, entity.text(), description=entity.description),
        changed=_merged,
        put=store.import_many,
        delete=store.delete,
    )
    return bulk.perform(kind, body)


def shown(record: records.Variable) -> models.Variable:
    """Return a variable as it may be shown: masked under a sensitive key, and under sensitive keys of a JSON value."""
    try:
        value: str = json.dumps(masker.redact(json.loads(record.value), record.key))
    except (ValueError, RecursionError):
        value = str(masker.redact(record.value, record.key))
    return models.Variable(
        key=record.key, value=value, description=record.description, is_encrypted=record.is_encrypted
    )


def _found(ctx: Context, key: str) -> records.Variable:
    found = ctx.store.variables.get(key)
    if found is None:
        raise VariableNotFound(key)
    return found


def _opened(ctx: Context, row: dict[str, Any]) -> records.Variable:
    value = row["value"]
    if row["is_encrypted"]:
        value = ctx.store.cipher.decrypt(value, f"variable {row['key']!r}")
    return records.Variable(row["key"], value, bool(row["is_encrypted"]), row["description"])


def _merged(present: records.Variable, body: models.VariableBody, mask: Sequence[str] | None) -> records.Variable:
    sent = changed(body, mask)
    changes: dict[str, Any] = {}
    if "value" in sent:
        changes["value"] = body.text()
    if "description" in sent:
        changes["description"] = body.description or ""
    return msgspec.structs.replace(present, **changes)
