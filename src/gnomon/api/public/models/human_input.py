"""Questions to people, and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from gnomon.api.public.models.base import Body, Response
from gnomon.api.public.models.task_instances import TaskInstance, TaskInstanceTry
from gnomon.store.human_input import Question


class Person(Response):
    """Somebody who may answer, or has."""

    id: str
    name: str


class _Detail(Response):
    options: list[str]
    subject: str
    body: str | None
    defaults: list[str] | None
    multiple: bool
    params: dict[str, Any]
    assigned_users: list[Person]
    created_at: datetime
    responded_by_user: Person | None
    responded_at: datetime | None
    chosen_options: list[str] | None
    params_input: dict[str, Any]
    response_received: bool


class HITLDetail(_Detail):
    """A question and its answer, if there is one."""

    task_instance: TaskInstance


class HITLDetailHistory(_Detail):
    """What one try asked."""

    task_instance: TaskInstanceTry


class HITLDetailCollection(Response):
    """A page of questions."""

    hitl_details: list[HITLDetail]
    total_entries: int


class UpdateHITLDetail(Body):
    """An answer."""

    chosen_options: list[str] = Field(min_length=1)
    params_input: dict[str, Any] = Field(default_factory=dict)


class HITLDetailResponse(Response):
    """The answer as it was stored."""

    responded_by: Person
    responded_at: datetime
    chosen_options: list[str]
    params_input: dict[str, Any]


def fields(question: Question) -> dict[str, Any]:
    """Return the fields that both forms of a question share."""
    by = question.responded_by
    return {
        "options": question.options,
        "subject": question.subject,
        "body": question.body,
        "defaults": question.defaults,
        "multiple": question.multiple,
        "params": {name: _field(value) for name, value in question.params.items()},
        "assigned_users": [{"id": one.id, "name": one.name} for one in question.assigned_users],
        "created_at": question.created_at,
        "responded_by_user": None if by is None else {"id": by.id, "name": by.name},
        "responded_at": question.responded_at,
        "chosen_options": question.chosen_options,
        "params_input": question.params_input,
        "response_received": question.responded_at is not None,
    }


def _field(value: Any) -> Any:
    if isinstance(value, dict) and {"description", "schema", "value"} <= value.keys():
        return value
    return {"value": value, "description": None, "schema": {}}
