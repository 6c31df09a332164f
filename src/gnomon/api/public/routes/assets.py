"""Assets, their aliases and events, and what DAGs wait with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request

from gnomon.api.auth.roles import ASSETS as ACCESS
from gnomon.api.auth.roles import DAGS
from gnomon.api.context import Context, Ctx, CurrentUser, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import assets as models
from gnomon.api.public.models.runs import DagRun
from gnomon.api.triggering import TriggerRequest, trigger_run
from gnomon.model.states import DagRunType
from gnomon.model.timetables import DataInterval
from gnomon.service import clock
from gnomon.service.masking import masker
from gnomon.store.errors import AssetNotFound
from gnomon.store.reads import assets as reads
from gnomon.store.reads import runs as run_reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

assets = router("Asset", ACCESS, "/assets")
queues = router("Asset", ACCESS, "/dags/{dag_id}/assets")
upstream = router("DagRun", DAGS, "/dags/{dag_id}/dagRuns/{dag_run_id}")

_assets = params.Reader(reads.ASSETS)
_aliases = params.Reader(reads.ALIASES)
_events = params.Reader(reads.EVENTS)
_Before = Annotated[str | None, Query(description="Only what was queued before this time.")]


@assets.get("", openapi_extra=_assets.openapi())
def get_assets(ctx: Ctx, query: Annotated[Asked, Depends(_assets)]) -> models.AssetCollection:
    """Return a page of assets."""
    with ctx.snapshot() as conn:
        page = reads.assets(conn, query)
    return models.AssetCollection(assets=[_asset(row) for row in page.rows], total_entries=page.total)


@assets.get("/aliases", openapi_extra=_aliases.openapi())
def get_asset_aliases(ctx: Ctx, query: Annotated[Asked, Depends(_aliases)]) -> models.AssetAliasCollection:
    """Return a page of aliases."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.ALIASES, query)
    rows = [models.AssetAlias.model_validate(row) for row in page.rows]
    return models.AssetAliasCollection(asset_aliases=rows, total_entries=page.total)


@assets.get("/aliases/{asset_alias_id}")
def get_asset_alias(ctx: Ctx, asset_alias_id: int) -> models.AssetAlias:
    """Return one alias."""
    with ctx.read() as conn:
        row = reads.one_alias(conn, asset_alias_id)
    if row is None:
        raise not_found(f"The Asset Alias with ID: `{asset_alias_id}` was not found")
    return models.AssetAlias.model_validate(row)


@assets.get("/events", openapi_extra=_events.openapi())
def get_asset_events(ctx: Ctx, query: Annotated[Asked, Depends(_events)]) -> models.AssetEventCollection:
    """Return a page of events."""
    with ctx.snapshot() as conn:
        page = reads.events(conn, query)
    return models.AssetEventCollection(asset_events=[_event(row) for row in page.rows], total_entries=page.total)


@assets.post("/events")
def create_asset_event(ctx: Ctx, body: models.AssetEventBody) -> models.AssetEvent:
    """Make an event, as if a task had updated the asset."""
    extra = {**body.extra, "from_rest_api": True}
    number = ctx.store.assets.emit(body.asset_id, clock.now(), extra=extra, partition_key=body.partition_key)
    with ctx.snapshot() as conn:
        return _event(reads.one_event(conn, number))


@assets.post("/{asset_id}/materialize")
def materialize_asset(
    ctx: Ctx, user: CurrentUser, request: Request, asset_id: int, body: models.MaterializeBody | None = None
) -> DagRun:
    """Run the one DAG that makes the asset."""
    found = ctx.store.assets.producers([asset_id])
    if not found:
        raise not_found(f"No Dag materializes asset with ID: {asset_id}")
    if len(found) > 1:
        raise HTTPException(409, f"More than one Dag materializes asset with ID: {asset_id}")
    asked = body or models.MaterializeBody()
    interval = None
    if asked.data_interval_start is not None and asked.data_interval_end is not None:
        interval = DataInterval(asked.data_interval_start, asked.data_interval_end)
    run = trigger_run(
        ctx.store,
        ctx.versions,
        TriggerRequest(
            dag_id=found[0],
            now=clock.now(),
            run_id=asked.dag_run_id,
            run_type=DagRunType.ASSET_MATERIALIZATION,
            logical_date=asked.logical_date,
            run_after=asked.run_after,
            data_interval=interval,
            conf=asked.conf,
            note=asked.note or None,
            partition_key=asked.partition_key,
            triggered_by="ui" if request.headers.get("referer") else "rest_api",
            user=user.name,
        ),
    )
    with ctx.snapshot() as conn:
        return DagRun.model_validate(run_reads.one(conn, run.dag_id, run.run_id))


@assets.get("/{asset_id}/queuedEvents")
def get_asset_queued_events(ctx: Ctx, asset_id: int, before: _Before = None) -> models.QueuedEventCollection:
    """Return the DAGs that wait with the asset."""
    return _queued(ctx, asset_id=asset_id, before=before)


@assets.delete("/{asset_id}/queuedEvents", status_code=204)
def delete_asset_queued_events(ctx: Ctx, asset_id: int, before: _Before = None) -> None:
    """Let no DAG wait with the asset any more."""
    if not ctx.store.assets.empty_queue(asset_id=asset_id, before=_moment(before)):
        raise not_found(f"Queue event with asset_id: `{asset_id}` was not found")


@assets.get("/{asset_id}")
def get_asset(ctx: Ctx, asset_id: int) -> models.Asset:
    """Return one asset."""
    with ctx.snapshot() as conn:
        row = reads.one_asset(conn, asset_id)
    if row is None:
        raise AssetNotFound(str(asset_id))
    return _asset(row)


@queues.get("/queuedEvents")
def get_dag_asset_queued_events(ctx: Ctx, dag_id: str, before: _Before = None) -> models.QueuedEventCollection:
    """Return what a DAG waits with."""
    return _queued(ctx, dag_id=dag_id, before=before)


@queues.delete("/queuedEvents", status_code=204)
def delete_dag_asset_queued_events(ctx: Ctx, dag_id: str, before: _Before = None) -> None:
    """Forget what a DAG waits with."""
    if not ctx.store.assets.empty_queue(dag_id=dag_id, before=_moment(before)):
        raise not_found(f"Queue event with dag_id: `{dag_id}` was not found")


@queues.get("/{asset_id}/queuedEvents")
def get_dag_asset_queued_event(ctx: Ctx, dag_id: str, asset_id: int, before: _Before = None) -> models.QueuedEvent:
    """Return whether a DAG waits with an asset."""
    found = ctx.store.assets.queue(dag_id=dag_id, asset_id=asset_id, before=_moment(before))
    if not found:
        raise not_found(f"Queued event with dag_id: `{dag_id}` and asset_id: `{asset_id}` was not found")
    return models.QueuedEvent.model_validate(found[0])


@queues.delete("/{asset_id}/queuedEvents", status_code=204)
def delete_dag_asset_queued_event(ctx: Ctx, dag_id: str, asset_id: int, before: _Before = None) -> None:
    """Forget that a DAG waits with an asset."""
    if not ctx.store.assets.empty_queue(dag_id=dag_id, asset_id=asset_id, before=_moment(before)):
        raise not_found(f"Queued event with dag_id: `{dag_id}` and asset_id: `{asset_id}` was not found")


@upstream.get("/upstreamAssetEvents")
def get_upstream_asset_events(ctx: Ctx, dag_id: str, dag_run_id: str) -> models.AssetEventCollection:
    """Return the events that a run was created for."""
    run = ctx.store.runs.by_run_id(dag_id, dag_run_id)
    if run is None:
        raise not_found(f"The DagRun with dag_id: `{dag_id}` and run_id: `{dag_run_id}` was not found")
    with ctx.snapshot() as conn:
        rows = reads.consumed(conn, run.id)
    return models.AssetEventCollection(asset_events=[_event(row) for row in rows], total_entries=len(rows))


def _queued(
    ctx: Context, *, dag_id: str | None = None, asset_id: int | None = None, before: str | None
) -> models.QueuedEventCollection:
    found = ctx.store.assets.queue(dag_id=dag_id, asset_id=asset_id, before=_moment(before))
    rows = [models.QueuedEvent.model_validate(row) for row in found]
    return models.QueuedEventCollection(queued_events=rows, total_entries=len(rows))


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else params.moment(text)
    except params.Invalid as error:
        raise params.invalid("query", "before", str(error), text) from None


def _asset(row: dict[str, object]) -> models.Asset:
    return models.Asset.model_validate({**row, "extra": masker.redact(row["extra"])})


def _event(row: dict[str, object]) -> models.AssetEvent:
    return models.AssetEvent.model_validate({**row, "extra": masker.redact(row["extra"])})
