"""What is known about DAGs besides the list: tasks, versions, sources, tags, statistics, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import dags as models
from gnomon.api.public.routes.dags import instant, param_specs
from gnomon.api.targets import downstream_of
from gnomon.store.errors import DagNotFound
from gnomon.store.reads import dags as reads
from gnomon.store.reads import versions as version_reads
from gnomon.store.reads.listing import Query as Asked
from gnomon.store.reads.listing import fetch
from gnomon.wire.dag import SerializedDag, SerializedTask

tasks = router("Task", ACCESS, "/dags/{dag_id}/tasks")
versions = router("DagVersion", ACCESS, "/dags/{dag_id}/dagVersions")
sources = router("DagSource", ACCESS, "/dagSources")
tags = router("DAG", ACCESS, "/dagTags")
stats = router("DagStats", ACCESS, "/dagStats")
warnings = router("DagWarning", ACCESS, "/dagWarnings")

_versions = params.Reader(version_reads.VERSIONS)
_tags = params.Reader(reads.TAGS)
_warnings = params.Reader(reads.WARNINGS)


@tasks.get("")
def get_tasks(ctx: Ctx, dag_id: str, order_by: str = "task_id") -> models.TaskCollection:
    """Return the tasks of a DAG, ordered by one of their fields."""
    dag = newest(ctx, dag_id)
    field, reverse = order_by.lstrip("-"), order_by.startswith("-")
    if field not in models.Task.model_fields:
        raise HTTPException(400, f"'Task' object has no attribute '{field}'")
    below = downstream_of(dag)
    rows = [_task(task, below) for task in dag.tasks]
    rows.sort(key=lambda row: (row[field] is not None, _sortable(row[field])), reverse=reverse)
    return models.TaskCollection(tasks=[models.Task.model_validate(row) for row in rows], total_entries=len(rows))


@tasks.get("/{task_id}")
def get_task(ctx: Ctx, dag_id: str, task_id: str) -> models.Task:
    """Return one task of a DAG."""
    dag = newest(ctx, dag_id)
    for task in dag.tasks:
        if task.task_id == task_id:
            return models.Task.model_validate(_task(task, downstream_of(dag)))
    raise not_found(f"Task with id {task_id} was not found")


@versions.get("", openapi_extra=_versions.openapi())
def get_dag_versions(ctx: Ctx, dag_id: str, query: Annotated[Asked, Depends(_versions)]) -> models.DagVersionCollection:
    """Return a page of the versions of a DAG, or of all with "~"."""
    where = [] if dag_id == "~" else [version_reads.of_dag(dag_id)]
    if dag_id != "~":
        newest(ctx, dag_id)
    with ctx.snapshot() as conn:
        page = fetch(conn, version_reads.VERSIONS, query, *where)
    rows = [models.DagVersion.model_validate(row) for row in page.rows]
    return models.DagVersionCollection(dag_versions=rows, total_entries=page.total)


@versions.get("/{version_number}")
def get_dag_version(ctx: Ctx, dag_id: str, version_number: int) -> models.DagVersion:
    """Return one version of a DAG."""
    with ctx.read() as conn:
        row = version_reads.one(conn, dag_id, version_number)
    if row is None:
        raise not_found(f"The DagVersion with dag_id: `{dag_id}` and version_number: `{version_number}` was not found")
    return models.DagVersion.model_validate(row)


@sources.get("/{dag_id}", response_model=models.DagSource)
def get_dag_source(ctx: Ctx, request: Request, dag_id: str, version_number: int | None = None) -> Any:
    """Return the source of a DAG's newest or given version, as JSON or as plain text."""
    with ctx.read() as conn:
        row = version_reads.source(conn, dag_id, version_number)
    if row is None:
        raise not_found(f"The source of DAG {dag_id!r}, version {version_number or 'latest'}, was not found")
    if request.headers.get("accept", "").startswith("text/plain"):
        return PlainTextResponse(row["content"] or "")
    return row


@tags.get("", openapi_extra=_tags.openapi())
def get_dag_tags(ctx: Ctx, query: Annotated[Asked, Depends(_tags)]) -> models.DagTagCollection:
    """Return a page of the tags that DAGs have."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.TAGS, query)
    return models.DagTagCollection(tags=[row["name"] for row in page.rows], total_entries=page.total)


@stats.get("")
def get_dag_stats(ctx: Ctx, dag_ids: Annotated[list[str] | None, Query()] = None) -> models.DagStatsCollection:
    """Return how many runs are in which state, per DAG."""
    with ctx.snapshot() as conn:
        rows = reads.stats(conn, dag_ids or [])
    found = [models.DagStats.model_validate(row) for row in rows]
    return models.DagStatsCollection(dags=found, total_entries=len(found))


@warnings.get("", openapi_extra=_warnings.openapi())
def list_dag_warnings(ctx: Ctx, query: Annotated[Asked, Depends(_warnings)]) -> models.DagWarningCollection:
    """Return a page of warnings about DAGs."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.WARNINGS, query)
    rows = [models.DagWarning.model_validate(row) for row in page.rows]
    return models.DagWarningCollection(dag_warnings=rows, total_entries=page.total)


def newest(ctx: Context, dag_id: str) -> SerializedDag:
    """Return the newest version of a DAG.

    Raises:
        DagNotFound: there is none.
    """
    found = ctx.store.dags.get(dag_id)
    with ctx.read() as conn:
        dag = None if found is None else ctx.versions.dag(conn, found.version_id)
    if dag is None:
        raise DagNotFound(dag_id)
    return dag


def _task(task: SerializedTask, below: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "task_display_name": task.task_display_name or task.task_id,
        "owner": task.owner,
        "start_date": instant(task.start_date),
        "end_date": instant(task.end_date),
        "trigger_rule": task.trigger_rule,
        "depends_on_past": task.depends_on_past,
        "wait_for_downstream": task.wait_for_downstream,
        "retries": task.retries,
        "queue": task.queue,
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "execution_timeout": _length(task.execution_timeout),
        "retry_delay": _length(task.retry_delay),
        "retry_exponential_backoff": task.retry_exponential_backoff,
        "priority_weight": task.priority_weight,
        "weight_rule": task.weight_rule,
        "ui_color": task.ui_color,
        "ui_fgcolor": task.ui_fgcolor,
        "template_fields": task.template_fields,
        "downstream_task_ids": sorted(below.get(task.task_id, ())),
        "doc_md": task.doc_md,
        "operator_name": task.operator_name or task.task_type,
        "params": param_specs(task.params),
        "class_ref": {"module_path": task.task_module, "class_name": task.task_type},
        "is_mapped": task.expand is not None,
        "extra_links": task.extra_links,
    }


def _length(seconds: float | None) -> dict[str, int] | None:
    if seconds is None:
        return None
    length = timedelta(seconds=seconds)
    return {"days": length.days, "seconds": length.seconds, "microseconds": length.microseconds}


def _sortable(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value
