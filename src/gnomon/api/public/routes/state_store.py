"""The state stores of task instances."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi import Query as QueryParam

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import state_store as models
from gnomon.api.public.params import default_limit, page_limit
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.reads import task_instances
from gnomon.store.state_store import StateNotFound, TaskPlace

tasks = router("Task State Store", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store")

MapIndex = Annotated[int, QueryParam(ge=-1)]
Limit = Annotated[int | None, QueryParam(ge=0)]
Offset = Annotated[int, QueryParam(ge=0)]


def _place(dag_id: str, dag_run_id: str, task_id: str, map_index: MapIndex = -1) -> TaskPlace:
    return TaskPlace(dag_id, dag_run_id, task_id, map_index)


Place = Annotated[TaskPlace, Depends(_place)]


@tasks.get("")
def list_task_state_store(
    ctx: Ctx, place: Place, limit: Limit = None, offset: Offset = 0
) -> models.TaskStateCollection:
    """Return a page of what a task instance keeps, by key."""
    rows, total = ctx.store.task_states.page(place, limit=page_length(limit), offset=offset)
    return models.TaskStateCollection(task_state_store=[_task_state(row) for row in rows], total_entries=total)


@tasks.get("/{key:path}")
def get_task_state_store(ctx: Ctx, place: Place, key: str) -> models.TaskState:
    """Return one value."""
    return _task_state(_kept(ctx, place, key))


@tasks.put("/{key:path}", status_code=204)
def set_task_state_store(ctx: Ctx, place: Place, key: str, body: models.TaskStateBody) -> None:
    """Keep a value, new or not."""
    _require(ctx, place)
    expires = _default_expiry() if body.expires_at == "default" else body.expires_at
    ctx.store.task_states.set(place, key, json.dumps(body.value), expires_at=expires, now=clock.now())


@tasks.patch("/{key:path}")
def patch_task_state_store(ctx: Ctx, place: Place, key: str, body: models.StateBody) -> None:
    """Change a value that is there; it expires when it did before."""
    _require(ctx, place)
    expires = _kept(ctx, place, key).expires_at
    ctx.store.task_states.set(place, key, json.dumps(body.value), expires_at=expires, now=clock.now())


@tasks.delete("/{key:path}", status_code=204)
def delete_task_state_store(ctx: Ctx, place: Place, key: str) -> None:
    """Forget a key, if it is there."""
    _require(ctx, place)
    ctx.store.task_states.delete(place, key)


@tasks.delete("", status_code=204)
def clear_task_state_store(ctx: Ctx, place: Place, all_map_indices: bool = False) -> None:
    """Forget all that a task instance keeps; with all_map_indices, all that any instance of the task does."""
    if all_map_indices:
        place = TaskPlace(place.dag_id, place.run_id, place.task_id, None)
    _require(ctx, place)
    ctx.store.task_states.delete(place, None)


def _kept(ctx: Context, place: TaskPlace, key: str) -> Any:
    try:
        return ctx.store.task_states.get(place, key)
    except StateNotFound:
        raise not_found(f"Task state store key {key!r} not found") from None


def _require(ctx: Context, place: TaskPlace) -> None:
    where = task_instances.narrow(
        dag_ids=[place.dag_id], run_ids=[place.run_id], task_ids=[place.task_id], map_index=place.map_index
    )
    with ctx.read() as conn:
        found = conn.execute(task_instances.TASK_INSTANCES.select.where(*where).limit(1)).first()
    if found is None:
        index = "all_map_indices=True" if place.map_index is None else f"map_index={place.map_index}"
        raise not_found(
            f"Task instance not found for dag_id={place.dag_id!r}, run_id={place.run_id!r},"
            f" task_id={place.task_id!r}, {index}"
        )


def _default_expiry() -> datetime | None:
    days = conf.getint("state_store", "default_retention_days", fallback=30)
    if days < 0:
        raise HTTPException(400, f"[state_store] default_retention_days must not be negative (it is {days})")
    return None if days == 0 else clock.now() + timedelta(days=days)


def _task_state(row: Any) -> models.TaskState:
    return models.TaskState(
        key=row.key, value=json.loads(row.value), updated_at=row.updated_at, expires_at=row.expires_at
    )


def page_length(given: int | None) -> int:
    """Return how many rows a page has when the client asks for so many."""
    return min(default_limit() if given is None else given, page_limit())
