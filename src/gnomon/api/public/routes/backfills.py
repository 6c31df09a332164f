"""Backfills."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import NonNegativeInt

from gnomon.api import backfilling
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, CurrentUser, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import backfills as models
from gnomon.service import clock
from gnomon.store.reads import backfills as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

backfills = router("Backfill", ACCESS, "/backfills")
_listing = params.Reader(reads.BACKFILLS)


@backfills.get("", openapi_extra=_listing.openapi())
def list_backfills(ctx: Ctx, dag_id: str, query: Annotated[Asked, Depends(_listing)]) -> models.BackfillCollection:
    """Return a page of the backfills of a DAG."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.BACKFILLS, query, reads.of_dag(dag_id))
    rows = [models.Backfill.model_validate(row) for row in page.rows]
    return models.BackfillCollection(backfills=rows, total_entries=page.total)


@backfills.get("/{backfill_id}")
def get_backfill(ctx: Ctx, backfill_id: NonNegativeInt) -> models.Backfill:
    """Return one backfill."""
    return _shown(ctx, backfill_id)


@backfills.post("")
def create_backfill(ctx: Ctx, user: CurrentUser, body: models.NewBackfill) -> models.Backfill:
    """Create a backfill with all its runs; the scheduler starts them as the limits allow."""
    made = backfilling.create_backfill(ctx.store, ctx.versions, _request(body, user.name))
    return _shown(ctx, made.backfill.id)


@backfills.post("/dry_run")
def create_backfill_dry_run(ctx: Ctx, user: CurrentUser, body: models.NewBackfill) -> models.DryRunBackfillCollection:
    """Say which runs a backfill would make, or make again."""
    runs = backfilling.dry_run(ctx.store, ctx.versions, _request(body, user.name))
    rows = [
        models.DryRunBackfill(
            logical_date=run.logical_date,
            partition_key=run.partition.key if run.partition else None,
            partition_date=run.partition.date if run.partition else None,
        )
        for run in runs
    ]
    return models.DryRunBackfillCollection(backfills=rows, total_entries=len(rows))


@backfills.put("/{backfill_id}/pause")
def pause_backfill(ctx: Ctx, backfill_id: NonNegativeInt) -> models.Backfill:
    """Let no further run of a backfill begin; those that run go on."""
    ctx.store.backfills.set_paused(backfill_id, True, clock.now())
    return _shown(ctx, backfill_id)


@backfills.put("/{backfill_id}/unpause")
def unpause_backfill(ctx: Ctx, backfill_id: NonNegativeInt) -> models.Backfill:
    """Let the runs of a backfill begin again."""
    ctx.store.backfills.set_paused(backfill_id, False, clock.now())
    return _shown(ctx, backfill_id)


@backfills.put("/{backfill_id}/cancel")
def cancel_backfill(ctx: Ctx, backfill_id: NonNegativeInt) -> models.Backfill:
    """End a backfill: its queued runs fail, those that run go on."""
    ctx.store.backfills.cancel(backfill_id, clock.now())
    return _shown(ctx, backfill_id)


def _request(body: models.NewBackfill, user: str) -> backfilling.BackfillRequest:
    return backfilling.BackfillRequest(
        dag_id=body.dag_id,
        from_date=body.from_date,
        to_date=body.to_date,
        now=clock.now(),
        conf=body.dag_run_conf,
        backwards=body.run_backwards,
        reprocess=body.reprocess_behavior,
        max_active_runs=body.max_active_runs,
        user=user,
        latest_version=body.run_on_latest_version,
    )


def _shown(ctx: Context, backfill_id: int) -> models.Backfill:
    with ctx.read() as conn:
        row = reads.one(conn, backfill_id)
    if row is None:
        raise not_found("Backfill not found")
    return models.Backfill.model_validate(row)
