"""DAGs: lists, details, pausing, deleting, favourites."""

from __future__ import annotations

import inspect
import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.auth.tokens import sign
from gnomon.api.context import Context, Ctx, CurrentUser, router
from gnomon.api.public import params
from gnomon.api.public.models import dags as models
from gnomon.model.assets import shown
from gnomon.store.errors import DagNotFound
from gnomon.store.reads import dags as reads
from gnomon.store.reads import versions
from gnomon.store.reads.listing import Query as Asked
from gnomon.wire.dag import SerializedDag

dags = router("DAG", ACCESS, "/dags")
_listing = params.Reader(reads.DAGS)
Mask = Annotated[list[str] | None, Query()]


@dags.get("", openapi_extra=_listing.openapi())
def get_dags(ctx: Ctx, user: CurrentUser, query: Annotated[Asked, Depends(_listing)]) -> models.DagCollection:
    """Return a page of DAGs."""
    with ctx.snapshot() as conn:
        page = reads.page(conn, ctx.versions, query, user.name)
    return _collection(ctx, page.rows, page.total)


@dags.patch("", openapi_extra=_listing.openapi())
def patch_dags(
    ctx: Ctx, query: Annotated[Asked, Depends(_listing)], body: models.DagPatch, update_mask: Mask = None
) -> models.DagCollection:
    """Pause or unpause the DAGs that match; a pattern must be given, "~" matches all."""
    _check_mask(update_mask)
    with ctx.snapshot() as conn:
        matching = reads.matching_ids(conn, query)
    for dag_id in matching:
        ctx.store.dags.set_paused(dag_id, body.is_paused)
    with ctx.snapshot() as conn:
        found = [reads.one(conn, ctx.versions, dag_id) for dag_id in matching]
    rows = [row for row in found if row is not None]
    return _collection(ctx, rows, len(rows))


@dags.get("/{dag_id}")
def get_dag(ctx: Ctx, dag_id: str) -> models.Dag:
    """Return one DAG."""
    return models.Dag.model_validate(_one(ctx, dag_id))


@dags.patch("/{dag_id}")
def patch_dag(ctx: Ctx, dag_id: str, body: models.DagPatch, update_mask: Mask = None) -> models.Dag:
    """Pause or unpause a DAG."""
    _check_mask(update_mask)
    ctx.store.dags.set_paused(dag_id, body.is_paused)
    return get_dag(ctx, dag_id)


@dags.delete("/{dag_id}", status_code=204)
def delete_dag(ctx: Ctx, dag_id: str) -> None:
    """Delete a DAG with its runs; it comes back if its file still defines it."""
    ctx.store.dags.delete(dag_id)


@dags.get("/{dag_id}/details")
def get_dag_details(ctx: Ctx, user: CurrentUser, dag_id: str) -> models.DagDetails:
    """Return one DAG with what only its code says."""
    row = _one(ctx, dag_id)
    with ctx.snapshot() as conn:
        dag = ctx.versions.dag(conn, row["version_id"])
        if dag is None:
            raise DagNotFound(dag_id)
        version = versions.by_ids(conn, [row["version_id"]]).get(row["version_id"])
        row["is_favorite"] = reads.is_favorite(conn, dag_id, user.name)
        row["active_runs_count"] = reads.running_count(conn, dag_id)
    return models.DagDetails.model_validate(
        {
            **row,
            **_details(dag),
            "latest_dag_version": version,
            "last_parsed": row["last_parsed_time"],
            "concurrency": row["max_active_tasks"],
        }
    )


@dags.post("/{dag_id}/favorite", status_code=204)
def favorite_dag(ctx: Ctx, user: CurrentUser, dag_id: str) -> None:
    """Mark a DAG as one of the user's favourites."""
    ctx.store.dags.set_favorite(dag_id, user.name, True)


@dags.post("/{dag_id}/unfavorite", status_code=204)
def unfavorite_dag(ctx: Ctx, user: CurrentUser, dag_id: str) -> None:
    """Take a DAG out of the user's favourites."""
    ctx.store.dags.set_favorite(dag_id, user.name, False)


def param_specs(dag_params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as Airflow writes them."""
    return {
        name: {
            "value": spec.get("value"),
            "schema": spec.get("schema") or {},
            "description": spec.get("description"),
            "source": spec.get("source"),
        }
        if isinstance(spec, dict) and ("schema" in spec or "value" in spec)
        else {"value": spec, "schema": {}, "description": None, "source": None}
        for name, spec in dag_params.items()
    }


def instant(text: str | None) -> datetime | None:
    """Return a time of the serialized DAG."""
    return None if text is None else datetime.fromisoformat(text)


def _details(dag: SerializedDag) -> dict[str, Any]:
    return {
        "catchup": dag.catchup,
        "dag_run_timeout": dag.dagrun_timeout,
        "asset_expression": shown(dag.timetable.assets),
        "doc_md": inspect.cleandoc(dag.doc_md) if dag.doc_md else dag.doc_md,
        "start_date": instant(dag.start_date),
        "end_date": instant(dag.end_date),
        "is_paused_upon_creation": dag.is_paused_upon_creation,
        "params": param_specs(dag.params),
        "render_template_as_native_obj": dag.render_template_as_native_obj,
        "template_search_path": None,
        "timezone": dag.timezone,
        "default_args": dag.default_args,
        "rerun_with_latest_version": dag.rerun_with_latest_version,
        "owner_links": dag.owner_links,
    }


def _one(ctx: Context, dag_id: str) -> dict[str, Any]:
    with ctx.snapshot() as conn:
        row = reads.one(conn, ctx.versions, dag_id)
    if row is None:
        raise DagNotFound(dag_id)
    _add_token(ctx, row)
    return row


def _add_token(ctx: Context, row: dict[str, Any]) -> None:
    where = {"bundle_name": row["bundle_name"], "relative_fileloc": row["relative_fileloc"]}
    row["file_token"] = sign(json.dumps(where), ctx.signing_key)


def _collection(ctx: Context, rows: list[dict[str, Any]], total: int) -> models.DagCollection:
    for row in rows:
        _add_token(ctx, row)
    return models.DagCollection(dags=[models.Dag.model_validate(row) for row in rows], total_entries=total)


def _check_mask(mask: list[str] | None) -> None:
    if mask and mask != ["is_paused"]:
        raise HTTPException(400, "Only `is_paused` field can be updated through the REST API")
