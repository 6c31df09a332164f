"""Questions of tasks to people, and their answers, at run time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.channel import require_channel
from gnomon.wire import execution as wire
from gnomon.wire.human_input import AskPeople, GetAnswer, GiveAnswer, Person
from gnomon.wire.identity import ti_number

if TYPE_CHECKING:
    from uuid import UUID


class HITLUser(TypedDict):
    """Somebody who may answer, or has."""

    id: str
    name: str


class Responder(NamedTuple):
    """Who answered."""

    id: str
    name: str


class HITLAnswer(NamedTuple):
    """What is known of the answer to a question."""

    response_received: bool
    chosen_options: list[str] | None
    responded_at: datetime | None
    responded_by_user: Responder | None
    params_input: dict[str, Any]


def upsert_hitl_detail(
    ti_id: UUID,
    options: Sequence[str],
    subject: str,
    body: str | None = None,
    defaults: Sequence[str] | None = None,
    multiple: bool = False,
    params: dict[str, Any] | None = None,
    assigned_users: Sequence[HITLUser] | None = None,
) -> None:
    """Ask people a question in the name of the task that runs here; a question it has asked before is replaced.

    Raises:
        RuntimeError: the question could not be stored.
    """
    question = AskPeople(
        subject=subject,
        options=list(options),
        body=body,
        defaults=None if defaults is None else list(defaults),
        multiple=multiple,
        params=values.encode(params or {}),
        assigned_users=[Person(str(user["id"]), str(user["name"])) for user in assigned_users or ()],
    )
    _check(require_channel().ask(question))


def get_hitl_detail_content_detail(ti_id: UUID | str) -> HITLAnswer:
    """Return the answer to a task instance's question.

    Raises:
        RuntimeError: it has asked nothing.
    """
    return _answer_of(_check(require_channel().ask(GetAnswer(ti=_number(ti_id)))))


def update_hitl_detail_response(
    ti_id: UUID | str, chosen_options: Sequence[str], params_input: dict[str, Any]
) -> HITLAnswer:
    """Answer a task instance's question in nobody's name, and return the answer.

    Raises:
        RuntimeError: it has asked nothing, or has an answer.
    """
    request = GiveAnswer(
        ti=_number(ti_id), chosen_options=list(chosen_options), params_input=json.dumps(params_input).encode()
    )
    return _answer_of(_check(require_channel().ask(request)))


def _number(ti_id: UUID | str) -> int:
    number = ti_number(ti_id)
    if number is None:
        raise ValueError(f"{ti_id} is no task instance")
    return number


def _check(reply: wire.Reply) -> wire.Reply:
    if isinstance(reply, wire.Problem):
        raise RuntimeError(reply.message)
    return reply


def _answer_of(reply: wire.Reply) -> HITLAnswer:
    if not isinstance(reply, wire.Found):
        raise RuntimeError(f"an answer was asked for and a {type(reply).__name__} came back")
    from gnomon.sdk.runtime.dag_run import moment

    found = json.loads(reply.value)
    by, at = found["responded_by_user"], found["responded_at"]
    return HITLAnswer(
        response_received=found["response_received"],
        chosen_options=found["chosen_options"],
        responded_at=None if at is None else moment(at),
        responded_by_user=None if by is None else Responder(by["id"], by["name"]),
        params_input=found["params_input"],
    )
