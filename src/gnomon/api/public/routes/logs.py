"""Logs of tries, also while they are being written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException

from gnomon.api import remote_logs
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.auth.tokens import BadToken, sign, unsign
from gnomon.api.context import Context, Ctx, router
from gnomon.api.public.errors import not_found
from gnomon.api.public.models.task_instances import TaskInstanceLog
from gnomon.model.states import TaskInstanceState as S
from gnomon.service import task_logs

logs = router("Task Instance", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances")

NDJSON = "application/x-ndjson"
#: Lines of one answer, unless all are asked for.
_CHUNK = 5000
#: While a try is in one of these, its log may grow.
_GROWING = frozenset(
    {None, S.SCHEDULED, S.QUEUED, S.RUNNING, S.RESTARTING, S.DEFERRED, S.UP_FOR_RESCHEDULE, S.AWAITING_INPUT}
)


@logs.get("/{task_id}/logs/{try_number}", response_model=TaskInstanceLog)
def get_log(
    ctx: Ctx,
    request: Request,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    try_number: int,
    full_content: bool = False,
    map_index: Annotated[int, Query(ge=-1)] = -1,
    token: str | None = None,
) -> Any:
    """Return the log of a try from the beginning, or from where a token says.

    The answer has a token for as long as there may be more: the try goes on, or there was more than one answer takes.
    With `Accept: application/x-ndjson` each line is a JSON object of its own.
    """
    growing = _may_grow(ctx, dag_id, dag_run_id, task_id, map_index, try_number)
    path = task_logs.try_log_path(dag_id, dag_run_id, task_id, map_index, try_number)
    start = _offset(ctx, token, path)
    entries = task_logs.read(path, start)
    ndjson = NDJSON in request.headers.get("accept", "")
    if not growing and start == 0 and remote_logs.are_wanted():
        about = {"dag_id": dag_id, "run_id": dag_run_id, "task_id": task_id, "map_index": map_index}
        elsewhere = remote_logs.read(ctx.store, path, {**about, "try_number": try_number})
        # What is here came after the copy was made, or could not be copied.
        whole = [*elsewhere, *(entry for entry in task_logs.read_all(path) if entry not in elsewhere)]
        if ndjson:
            return Response(b"".join(msgspec.json.encode(entry) + b"\n" for entry in whole), media_type=NDJSON)
        return TaskInstanceLog(content=whole, continuation_token=None)
    if ndjson and full_content and not growing:
        return StreamingResponse(_lines(_whole(path, start)), media_type=NDJSON)
    taken = list(entries if full_content else itertools.islice(entries, _CHUNK))
    end = taken[-1][0] if taken else start
    more = growing or (not full_content and len(taken) == _CHUNK)
    if not more:
        taken += _torn_line(path, end)
    next_token = sign(f"{path}:{end}", ctx.signing_key) if more else None
    if ndjson:
        headers = {"Airflow-Continuation-Token": next_token} if next_token else None
        return Response(b"".join(_lines(iter(taken))), media_type=NDJSON, headers=headers)
    return TaskInstanceLog(content=[entry for _, entry in taken], continuation_token=next_token)


def _may_grow(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> bool:
    present = ctx.store.task_instances.get(dag_id, run_id, task_id, map_index)
    if present is None or not 0 <= try_number <= max(present.try_number, 1):
        raise not_found("TaskInstance not found")
    return try_number >= present.try_number and present.state in _GROWING


def _offset(ctx: Context, token: str | None, path: str) -> int:
    if not token:
        return 0
    try:
        of_path, _, offset = unsign(token, ctx.signing_key).rpartition(":")
    except (BadToken, ValueError):
        of_path = offset = ""
    if of_path != path or not offset.isdigit():
        raise HTTPException(400, "Bad Signature. Please use only the tokens provided by the API.")
    return int(offset)


def _whole(path: str, start: int) -> Iterator[tuple[int, dict[str, Any]]]:
    end = start
    for end, entry in task_logs.read(path, start):
        yield end, entry
    yield from _torn_line(path, end)


def _torn_line(path: str, offset: int) -> list[tuple[int, dict[str, Any]]]:
    """The last line of a try that was killed while it wrote it."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        return []
    return [(offset + len(text), task_logs.parse(text))] if text.strip() else []


def _lines(entries: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[bytes]:
    for _, entry in entries:
        yield msgspec.json.encode(entry) + b"\n"
