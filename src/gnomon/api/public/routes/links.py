"""Links from task instances to pages elsewhere, and where else their logs can be read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import HTTPException, Query
from pydantic import PositiveInt

from gnomon.api import remote_logs
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public.errors import not_found
from gnomon.api.public.found import dag_of, require_run
from gnomon.api.public.models import task_instances as models
from gnomon.service.inspection import InspectionError
from gnomon.store.records import TaskInstance

_INSTANCES = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
links = router("Extra Links", ACCESS, _INSTANCES)
log_urls = router("Task Instance", ACCESS, _INSTANCES)

_MapIndex = Annotated[int, Query(ge=-1)]


@links.get("/{task_id}/links")
def get_extra_links(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: _MapIndex = -1, try_number: int | None = None
) -> models.ExtraLinkCollection:
    """Return the links of a task instance by name; null for one that the task has not made."""
    ti = _found(ctx, dag_id, dag_run_id, task_id, map_index)
    run = require_run(ctx, dag_id, dag_run_id)
    task = next((task for task in dag_of(ctx, run).tasks if task.task_id == task_id), None)
    if task is None:
        raise not_found(f"Task with ID = {task_id} not found")
    if try_number is not None and try_number != ti.try_number:
        tries = ctx.store.task_instances.history(dag_id, dag_run_id, task_id, map_index)
        if all(one.try_number != try_number for one in tries):
            raise not_found(f"TaskInstanceHistory not found for try_number={try_number}")
    found: dict[str, str | None] = dict.fromkeys(sorted(task.extra_links))
    for name, key in task.link_keys.items():
        text = ctx.store.xcoms.get(dag_id, dag_run_id, task_id, key, map_index)
        value = None if text is None else msgspec.json.decode(text)
        found[name] = str(value) if value else None
    return models.ExtraLinkCollection(extra_links=found, total_entries=len(found))


@log_urls.get("/{task_id}/externalLogUrl/{try_number}")
def get_external_log_url(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, try_number: PositiveInt, map_index: _MapIndex = -1
) -> models.ExternalLogUrl:
    """Return where the log of a try is read in a browser, if the place where logs are kept has such pages."""
    ti = _found(ctx, dag_id, dag_run_id, task_id, map_index)
    about = {"dag_id": dag_id, "run_id": dag_run_id, "task_id": task_id, "map_index": map_index}
    try:
        url = remote_logs.url({**about, "try_number": try_number, "id": ti.id}) if remote_logs.are_wanted() else None
    except InspectionError as error:
        raise HTTPException(503, str(error)) from None
    if url is None:
        raise HTTPException(400, "Task log handler does not support external logs.")
    return models.ExternalLogUrl(url=url)


def _found(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> TaskInstance:
    ti = ctx.store.task_instances.get(dag_id, run_id, task_id, map_index)
    if ti is None:
        raise not_found("TaskInstance not found")
    return ti
