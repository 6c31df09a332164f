"""Deadlines of runs and alerts of DAGs, for the web UI."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, HTTPException, Query

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Ctx, router
from gnomon.api.public import params
from gnomon.api.public.found import require_run
from gnomon.api.public.models import deadlines as models
from gnomon.store.reads import deadlines as reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch

deadlines = router("Deadlines", ACCESS, "/dags/{dag_id}")
_listing = params.Reader(reads.DEADLINES)
_ORDERS = ("id", "created_at", "name")


@deadlines.get("/dagRuns/{dag_run_id}/deadlines", openapi_extra=_listing.openapi())
def get_deadlines(
    ctx: Ctx, dag_id: str, dag_run_id: str, query: Annotated[Asked, Depends(_listing)]
) -> models.DeadlineCollection:
    """Return a page of the deadlines of a run; of all runs, or of all DAGs, with "~"."""
    if dag_run_id != "~":
        if dag_id == "~":
            raise HTTPException(400, "dag_id is required when dag_run_id is specified")
        require_run(ctx, dag_id, dag_run_id)
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.DEADLINES, query, *reads.of_runs(dag_id, dag_run_id))
    for row in page.rows:
        row["alert_id"] = _alert_id(row["version_id"], row["alert_index"])
    rows = [models.Deadline.model_validate(row) for row in page.rows]
    return models.DeadlineCollection(deadlines=rows, total_entries=page.total)


@deadlines.get("/deadlineAlerts")
def get_dag_deadline_alerts(
    ctx: Ctx,
    dag_id: str,
    version_number: int | None = None,
    order_by: str = "created_at",
    limit: Annotated[int, Query(ge=0)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> models.DeadlineAlertCollection:
    """Return what a version of a DAG says about when its runs are due."""
    with ctx.read() as conn:
        version = reads.version_of(conn, dag_id, version_number)
        dag = None if version is None else ctx.versions.dag(conn, version.id)
    if version is None or dag is None:
        number = "" if version_number is None else f" and version number {version_number}"
        raise HTTPException(404, f"Dag with id {dag_id}{number} was not found")
    if order_by.lstrip("-") not in _ORDERS:
        raise HTTPException(400, f"Ordering with '{order_by}' is disallowed or the attribute does not exist")
    alerts = [_alert(version, index, alert) for index, alert in enumerate(dag.deadline)]
    alerts.sort(key=lambda alert: str(getattr(alert, order_by.lstrip("-"))), reverse=order_by.startswith("-"))
    return models.DeadlineAlertCollection(deadline_alerts=alerts[offset : offset + limit], total_entries=len(alerts))


def _alert(version: Any, index: int, alert: dict[str, Any]) -> models.DeadlineAlert:
    interval = alert["interval"]
    return models.DeadlineAlert(
        id=_alert_id(version.id, index),
        name=alert.get("name"),
        reference_type=alert["reference"]["reference_type"],
        interval=None if isinstance(interval, dict) else interval,
        created_at=version.created_at,
    )


def _alert_id(version_id: int | None, index: int) -> UUID:
    """Return the UUID of an alert, made from the DAG version that it is part of and its place there."""
    return UUID(int=((version_id or 0) << 32) + index)
