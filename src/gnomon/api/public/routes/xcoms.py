"""XCom entries."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException
from fastapi import Query as QueryParam

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import task_instances as models
from gnomon.service import clock
from gnomon.store.reads import xcoms as reads
from gnomon.store.reads.listing import Query, fetch
from gnomon.wire.execution import XComEntry

xcoms = router("XCom", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries")
_listing = params.Reader(reads.XCOMS)


@xcoms.get("", openapi_extra=_listing.openapi())
def get_xcom_entries(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, query: Annotated[Query, Depends(_listing)]
) -> models.XComCollection:
    """Return a page of XCom entries; "~" stands for any DAG, run or task."""
    with ctx.snapshot() as conn:
        page = fetch(conn, reads.XCOMS, query, *reads.narrow(dag_id, dag_run_id, task_id))
    rows = [models.XCom.model_validate(row) for row in page.rows]
    return models.XComCollection(xcom_entries=rows, total_entries=page.total)


@xcoms.get("/{xcom_key:path}")
def get_xcom_entry(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    xcom_key: str,
    map_index: Annotated[int, QueryParam(ge=-1)] = -1,
    deserialize: bool = False,
    stringify: bool = False,
) -> models.XComNative:
    """Return one entry with its value.

    Args:
        deserialize: show objects as `class@version=…(…)` instead of their fields; nothing is ever imported for it.
        stringify: return the value as text.
    """
    row = _one(ctx, dag_id, dag_run_id, task_id, map_index, xcom_key)
    value = row["value"]
    if deserialize:
        value = readable(value)
    row["value"] = str(value) if stringify and value is not None else value
    return models.XComNative.model_validate(row)


@xcoms.post("", status_code=201)
def create_xcom_entry(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, body: models.XComCreate
) -> models.XComNative:
    """Create an entry of a task that the DAG has."""
    run = ctx.store.runs.by_run_id(dag_id, dag_run_id)
    if run is None:
        raise not_found(f"Dag Run with ID: `{dag_run_id}` not found for dag: `{dag_id}`")
    with ctx.read() as conn:
        dag = ctx.versions.dag(conn, run.version_id)
        present = reads.one(conn, dag_id, dag_run_id, task_id, body.map_index, body.key)
    if dag is None or all(task.task_id != task_id for task in dag.tasks):
        raise not_found(f"Task with ID: `{task_id}` not found in dag: `{dag_id}`")
    if present is not None:
        raise HTTPException(409, f"The XCom with key: `{body.key}` with mentioned task instance already exists.")
    _put(ctx, dag_id, dag_run_id, task_id, body.map_index, body.key, body.value)
    return models.XComNative.model_validate(_one(ctx, dag_id, dag_run_id, task_id, body.map_index, body.key))


@xcoms.patch("/{xcom_key:path}")
def update_xcom_entry(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, xcom_key: str, body: models.XComUpdate
) -> models.XComNative:
    """Give an entry another value."""
    _one(ctx, dag_id, dag_run_id, task_id, body.map_index, xcom_key)
    _put(ctx, dag_id, dag_run_id, task_id, body.map_index, xcom_key, body.value)
    return models.XComNative.model_validate(_one(ctx, dag_id, dag_run_id, task_id, body.map_index, xcom_key))


@xcoms.delete("/{xcom_key:path}", status_code=204)
def delete_xcom_entry(
    ctx: Ctx,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    xcom_key: str,
    map_index: Annotated[int, QueryParam(ge=-1)] = -1,
) -> None:
    """Delete an entry."""
    if not ctx.store.xcoms.delete(dag_id, dag_run_id, task_id, map_index, xcom_key):
        raise not_found(f"XCom entry with key: `{xcom_key}` not found")


def readable(value: Any) -> Any:
    """Return a stored value with each serialized object as one text that names its class and shows its data."""
    if isinstance(value, list):
        return [readable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__classname__" not in value:
        return {key: readable(item) for key, item in value.items()}
    data = value.get("__data__")
    shown = ",".join(f"{k}={readable(v)}" for k, v in data.items()) if isinstance(data, dict) else str(readable(data))
    return f"{value['__classname__']}@version={value.get('__version__', 1)}({shown})"


def _one(ctx: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int, key: str) -> dict[str, Any]:
    with ctx.read() as conn:
        row = reads.one(conn, dag_id, dag_run_id, task_id, map_index, key)
    if row is None:
        raise not_found(f"XCom entry with key: `{key}` not found")
    row["value"] = reads.decoded(row["value"])
    return row


def _put(ctx: Context, dag_id: str, dag_run_id: str, task_id: str, map_index: int, key: str, value: Any) -> None:
    length = len(value) if isinstance(value, list | dict) else None
    entry = XComEntry(key, msgspec.json.encode(value), length)
    ctx.store.xcoms.put(dag_id, dag_run_id, task_id, entry, clock.now(), map_index)
