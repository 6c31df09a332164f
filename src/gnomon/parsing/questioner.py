"""Has open questions about users' classes answered by the parser, and stores the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from gnomon.service import clock
from gnomon.wire.questions import Answered, Question, Told

log = logging.getLogger(__name__)

#: How often it looks for itself, should a notice have got lost.
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = 1.0


class Desk(Protocol):
    """Where questions are written and answers stored; `store.questions` is one. Its methods block."""

    def open(self, now: datetime) -> Sequence[Question]:
        """Return the questions to be asked now."""

    def next_due(self) -> datetime | None:
        """Return when the next question is to be asked."""

    def answer(self, question: Question, now: datetime, *, told: Told | None = None, error: str | None = None) -> None:
        """Store an answer, or why there is none."""


class Questioner:
    """Asks each open question once at a time; one whose answer was lost is asked again.

    Args:
        desk: the questions.
        send: hands a question to the parser; False if there is none at the moment.
        outage: exceptions of the desk that say "try again later".
    """

    def __init__(self, desk: Desk, send: Callable[[Question], bool], outage: tuple[type[Exception], ...]) -> None:
        self._desk = desk
        self._send = send
        self._outage = outage
        self._asked: dict[int, Question] = {}
        self._answers: list[Answered] = []
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """Look for questions now."""
        self._bell.set()

    def on_answered(self, answered: Answered) -> None:
        """Take an answer of the parser."""
        self._answers.append(answered)
        self._bell.set()

    def on_lost(self) -> None:
        """The parser has died: whatever it was asked is asked again."""
        self._asked.clear()
        self._bell.set()

    async def run(self) -> None:
        """Ask and store until cancelled."""
        while True:
            self._bell.clear()
            try:
                await self._store()
                await self._ask()
                wait = await asyncio.to_thread(self._until_next)
            except self._outage as error:
                log.warning("the database cannot be reached; questions wait: %s", error)
                wait = _RETRY_SECONDS
            try:
                async with asyncio.timeout(wait):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _store(self) -> None:
        while self._answers:
            answered = self._answers[0]
            question = self._asked.get(answered.id)
            if question is not None:
                await asyncio.to_thread(self._keep, question, answered)
                self._asked.pop(answered.id, None)
            self._answers.pop(0)

    def _keep(self, question: Question, answered: Answered) -> None:
        if answered.error is not None:
            log.warning("a question about DAG %s was not answered: %s", question.dag_id, answered.error)
        self._desk.answer(question, clock.now(), told=answered.told, error=answered.error)

    async def _ask(self) -> None:
        for question in await asyncio.to_thread(self._desk.open, clock.now()):
            before = self._asked.get(question.id)
            if before is None and self._send(question):
                self._asked[question.id] = question
            # One that was replaced while it was being answered is asked when that answer, now void, has come.

    def _until_next(self) -> float:
        due = self._desk.next_due()
        wait = 0.0 if due is None else (due - clock.now()).total_seconds()
        # What is due and was not sent waits for a parser, and the parser's coming rings the bell.
        return min(_LOOK_SECONDS, wait) if wait > 0 else _LOOK_SECONDS
