"""Questions of human-in-the-loop operators in `gnomon run` and `dags test`: there is no UI, so the terminal asks."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from typing import TYPE_CHECKING, Any

from gnomon.cli.errors import CommandError
from gnomon.service import clock
from gnomon.wire.human_input import Person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gnomon.store.engine import Store
    from gnomon.store.human_input import Question
    from gnomon.store.records import TaskInstance


async def answer_open(store: Store, instances: Iterable[TaskInstance], *, at_terminal: bool) -> None:
    """Have every question answered that a task of the run waits for.

    Somebody at the terminal is asked. Where nobody is, the defaults are taken at once.

    Raises:
        CommandError: nobody is there, and a question has no defaults.
    """
    for ti in instances:
        question = store.human_input.get(ti.id) if ti.state == "awaiting_input" else None
        if question is None or question.responded_at is not None:
            continue
        if at_terminal:
            chosen, form = await _ask(ti.task_id, question)
            user = getpass.getuser()
            store.human_input.answer(ti.id, chosen=chosen, params_input=form, by=Person(user, user), now=clock.now())
        elif question.defaults is not None:
            store.human_input.answer(
                ti.id, chosen=question.defaults, params_input=question.default_input, by=None, now=clock.now()
            )
        else:
            raise CommandError(
                f"task {ti.task_id} asks {question.subject!r}, and nobody is here to answer",
                hint="run it at a terminal, give the operator defaults, or answer in a started project (gnomon dev start)",
            )


async def _ask(task_id: str, question: Question) -> tuple[list[str], dict[str, Any]]:
    print(f"\n{task_id} asks: {question.subject}")
    if question.body:
        print(question.body)
    for number, option in enumerate(question.options, 1):
        print(f"  {number}  {option}")
    several = "numbers with commas" if question.multiple else "number"
    default = ", ".join(question.defaults or ())
    while True:
        text = await _line(f"{several}{f' [{default}]' if default else ''}: ")
        try:
            chosen = _chosen(question, text)
            break
        except ValueError as error:
            print(error)
    return chosen, {name: await _field(name, field) for name, field in question.params.items()}


def _chosen(question: Question, text: str) -> list[str]:
    """Return the options that somebody has typed, by number or name.

    Raises:
        ValueError: one does not exist, or there are too many.
    """
    if not text.strip() and question.defaults:
        return question.defaults
    chosen = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        by_number = part.isdigit() and 0 < int(part) <= len(question.options)
        option = question.options[int(part) - 1] if by_number else part
        if option not in question.options:
            raise ValueError(f"{part!r} is not one of the options")
        chosen.append(option)
    if not chosen or (len(chosen) > 1 and not question.multiple):
        raise ValueError("choose one option" if not question.multiple else "choose at least one option")
    return chosen


async def _field(name: str, field: Any) -> Any:
    known = field if isinstance(field, dict) and "value" in field else {"value": field}
    schema, default = known.get("schema") or {}, known.get("value")
    is_text = schema.get("type", "string") == "string" and isinstance(default, str | None)
    about = f" ({known['description']})" if known.get("description") else ""
    while True:
        text = await _line(f"{name}{about}{'' if default is None else f' [{default}]'}: ")
        if not text:
            return default
        if is_text:
            return text
        try:
            return json.loads(text)
        except ValueError:
            print(f"{name} has to be JSON: a number, true, [1, 2] …")


async def _line(prompt: str) -> str:
    """Return a line from the terminal, while the run goes on."""
    print(prompt, end="", flush=True)
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sys.stdin, lambda: None if typed.done() else typed.set_result(None))
    try:
        await typed
    finally:
        loop.remove_reader(sys.stdin)
    line = sys.stdin.readline()
    if not line:
        raise CommandError("the terminal was closed while a task waited for an answer")
    return line.strip()
