"""What tasks and triggers say about questions to people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from gnomon.service import clock
from gnomon.store import errors
from gnomon.wire import execution as wire
from gnomon.wire import human_input as asked

if TYPE_CHECKING:
    from gnomon.api.execution.handlers import Handlers


def ask_people(self: Handlers, key: wire.TryKey | None, ask: asked.AskPeople) -> wire.Reply:
    """Store the question of the calling try."""
    if key is None:
        return wire.Problem("forbidden", "only a task can ask people")
    if not ask.options:
        return wire.Problem("invalid", f"the question {ask.subject!r} has no options")
    self.store.human_input.ask(key.ti, key.seq, ask, clock.now())
    return wire.Done()


def get_answer(self: Handlers, key: wire.TryKey | None, ask: asked.GetAnswer) -> wire.Reply:
    """The answer so far."""
    found = self.store.human_input.get(_whose(key, ask.ti))
    if found is None:
        raise errors.TaskInstanceNotFound("the task instance has no question to people; it may have been cleared")
    return _found(found.answer())


def give_answer(self: Handlers, key: wire.TryKey | None, ask: asked.GiveAnswer) -> wire.Reply:
    """Answer in nobody's name."""
    form = msgspec.json.decode(ask.params_input, type=dict[str, Any])
    question = self.store.human_input.answer(
        _whose(key, ask.ti), chosen=ask.chosen_options, params_input=form, by=None, now=clock.now()
    )
    return _found(question.answer())


def _whose(key: wire.TryKey | None, ti: int | None) -> int:
    number = ti if ti is not None else key.ti if key is not None else None
    if number is None:
        raise errors.Invalid("a trigger has to name the task instance it asks about")
    return number


def _found(answer: asked.Answer) -> wire.Found:
    return wire.Found(msgspec.json.encode(answer))


#: Which function answers which message.
TABLE: dict[type, Callable[[Handlers, wire.TryKey | None, Any], wire.Reply]] = {
    asked.AskPeople: ask_people,
    asked.GetAnswer: get_answer,
    asked.GiveAnswer: give_answer,
}
