"""Human in the loop: what a task asks people, what they answered, and the event with which the task goes on.

A part of `gnomon.wire.execution`; times and JSON are as there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

Json = bytes


class Person(msgspec.Struct, frozen=True):
    """Somebody who may answer, or has."""

    id: str
    name: str


class AskPeople(msgspec.Struct, kw_only=True, tag="ask_people"):
    """The calling try has a question for people; asking again takes an earlier answer to it back."""

    subject: str
    options: list[str]
    body: str | None = None
    defaults: list[str] | None = None
    multiple: bool = False
    #: the fields of a form: {name: {"value", "schema", "description", …}}
    params: Json = b"{}"
    assigned_users: list[Person] = []


class GetAnswer(msgspec.Struct, kw_only=True, tag="get_answer"):
    """Answered by Found: an `Answer` as JSON. Without `ti` it is about the calling task instance."""

    ti: int | None = None


class GiveAnswer(msgspec.Struct, kw_only=True, tag="give_answer"):
    """Answer in nobody's name, as a trigger does when nobody did in time. Answered by Found: an `Answer`."""

    ti: int | None = None
    chosen_options: list[str]
    params_input: Json = b"{}"


class Answer(msgspec.Struct, kw_only=True):
    """What is known of an answer."""

    response_received: bool
    responded_at: int | None = None
    responded_by_user: Person | None = None
    chosen_options: list[str] | None = None
    params_input: dict[str, Any] = {}


def answered_event(
    *, chosen: list[str], params_input: Any, responded_at: datetime, responded_by: Person | None, timed_out: bool
) -> Json:
    """Return the event with which a task goes on after an answer, as `gnomon.sdk.runtime.values` reads it."""
    moment = {
        "__classname__": "datetime.datetime",
        "__version__": 1,
        "__data__": [responded_at.astimezone(UTC).isoformat(), "UTC"],
    }
    return msgspec.json.encode(
        {
            "chosen_options": chosen,
            "params_input": params_input,
            "responded_at": moment,
            "responded_by_user": None if responded_by is None else msgspec.structs.asdict(responded_by),
            "timedout": timed_out,
        }
    )


def timeout_event() -> Json:
    """Return the event with which a task goes on when nobody has answered in time and there are no defaults."""
    message = "nobody has answered within the response timeout, and there are no default options"
    return msgspec.json.encode({"error": message, "error_type": "timeout"})
