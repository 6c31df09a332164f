"""Human in the loop: the questions of task instances, and answering them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, HTTPException

from gnomon.api.auth import users
from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.auth.roles import User
from gnomon.api.context import Context, Ctx, CurrentUser, router
from gnomon.api.public import params
from gnomon.api.public.errors import not_found
from gnomon.api.public.models import human_input as models
from gnomon.service import clock
from gnomon.store.human_input import AnsweredAlready, Question
from gnomon.store.reads import human_input as reads
from gnomon.store.reads import task_instances
from gnomon.store.reads.listing import Query
from gnomon.wire.human_input import Person

listed = router("Task Instance", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/hitlDetails")
details = router(
    "Task Instance", ACCESS, "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
)
_listing = params.Reader(reads.QUESTIONS)


@listed.get("", openapi_extra=_listing.openapi())
def get_hitl_details(
    ctx: Ctx, dag_id: str, dag_run_id: str, query: Annotated[Query, Depends(_listing)]
) -> models.HITLDetailCollection:
    """Return a page of questions; "~" stands for any DAG or run."""
    where = task_instances.narrow(
        dag_ids=None if dag_id == "~" else [dag_id], run_ids=None if dag_run_id == "~" else [dag_run_id]
    )
    with ctx.snapshot() as conn:
        page = reads.page(conn, ctx.versions, query, *where)
    found = [_detail(row, row["question"]) for row in page.rows]
    return models.HITLDetailCollection(hitl_details=found, total_entries=page.total)


@details.get("")
def get_hitl_detail(ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> models.HITLDetail:
    """Return the question of a task instance's present try."""
    return _detail(*_asked(ctx, dag_id, dag_run_id, task_id, map_index))


@details.get("/tries/{try_number}")
def get_hitl_detail_try_detail(
    ctx: Ctx, dag_id: str, dag_run_id: str, task_id: str, map_index: int, try_number: int
) -> models.HITLDetailHistory:
    """Return what one try of a task instance asked."""
    with ctx.snapshot() as conn:
        where = _narrow(dag_id, dag_run_id, task_id, map_index)
        rows = [row for row in task_instances.tries(conn, ctx.versions, *where) if row["try_number"] == try_number]
        question = reads.of_try(conn, rows[0]["id"], try_number) if rows else None
    if question is None:
        raise _missing(dag_id, dag_run_id, task_id, map_index, asked=bool(rows))
    return models.HITLDetailHistory.model_validate({**models.fields(question), "task_instance": rows[0]})


@details.patch("")
def update_hitl_detail(
    ctx: Ctx,
    user: CurrentUser,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: int,
    body: models.UpdateHITLDetail,
) -> models.HITLDetailResponse:
    """Answer a question; the task goes on at once."""
    row, question = _asked(ctx, dag_id, dag_run_id, task_id, map_index)
    _check(ctx, user, question, body)
    try:
        answered = ctx.store.human_input.answer(
            row["id"],
            chosen=body.chosen_options,
            params_input=body.params_input,
            by=Person(user.name, user.name),
            now=clock.now(),
        )
    except AnsweredAlready:
        raise _answered_already(task_id) from None
    return models.HITLDetailResponse.model_validate(
        {
            "responded_by": {"id": user.name, "name": user.name},
            "responded_at": answered.responded_at,
            "chosen_options": answered.chosen_options,
            "params_input": answered.params_input,
        }
    )


def _check(ctx: Context, user: User, question: Question, body: models.UpdateHITLDetail) -> None:
    """Refuse an answer that is late, not this user's to give, or not among the options."""
    if question.responded_at is not None:
        raise _answered_already(question.subject)
    assigned = {one.id for one in question.assigned_users}
    everybody = ctx.tokens is None or users.everybody_is_admin()
    if assigned and not everybody and user.name not in assigned:
        raise HTTPException(403, f"User={user.name} (id={user.name}) is not a respondent for the task.")
    if unknown := sorted(set(body.chosen_options) - set(question.options)):
        raise HTTPException(400, f"Invalid options {unknown}; allowed options are {sorted(question.options)}.")
    if not question.multiple and len(body.chosen_options) > 1:
        raise HTTPException(400, "Multiple options chosen, but this task accepts a single one.")


def _answered_already(what: str) -> HTTPException:
    return HTTPException(409, f"The question of {what!r} has been answered already and cannot be answered again.")


def _asked(ctx: Context, dag_id: str, run_id: str, task_id: str, map_index: int) -> tuple[dict[str, Any], Question]:
    with ctx.snapshot() as conn:
        where = _narrow(dag_id, run_id, task_id, map_index)
        rows = task_instances.matching(conn, ctx.versions, *where)
        question = reads.of_try(conn, rows[0]["id"], rows[0]["try_number"]) if rows else None
    if question is None:
        raise _missing(dag_id, run_id, task_id, map_index, asked=bool(rows))
    return rows[0], question


def _narrow(dag_id: str, run_id: str, task_id: str, map_index: int) -> list[Any]:
    return task_instances.narrow(dag_ids=[dag_id], run_ids=[run_id], task_ids=[task_id], map_index=map_index)


def _missing(dag_id: str, run_id: str, task_id: str, map_index: int, *, asked: bool) -> HTTPException:
    if asked:
        return not_found(f"Human-in-the-loop detail does not exist for the task instance of {task_id!r}")
    return not_found(
        f"The Task Instance with dag_id: `{dag_id}`, run_id: `{run_id}`, task_id: `{task_id}` and map_index:"
        f" `{map_index}` was not found"
    )


def _detail(row: dict[str, Any], question: Question) -> models.HITLDetail:
    return models.HITLDetail.model_validate({**models.fields(question), "task_instance": row})
