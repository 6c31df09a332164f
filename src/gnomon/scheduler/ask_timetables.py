"""Ask users' timetables: what they have answered, and what they have to be asked next.

The class of a user's timetable is not imported here. A question is written together with the decision that needs its
answer; the dag-processor has it answered and rings `reply`; then the decision is made again.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Connection

from gnomon.model.timetables import AnswerNeededError, Bare, Custom, DataInterval, NextQuestion, NextRun
from gnomon.scheduler.world import World
from gnomon.store.questions import Ask
from gnomon.store.scheduling import Write
from gnomon.store.types import from_micros, to_micros
from gnomon.wire.questions import AskedOf, NextAsked, RunTold

log = structlog.get_logger("scheduler")


class AskTimetables:
    """Questions to the timetables of users, one at a time per DAG."""

    def __init__(self, world: World) -> None:
        self._world = world

    def told(self, dag_id: str, needed: AnswerNeededError) -> bool:
        """Give the timetable the answer it needs; False if the database does not hold it."""
        found = self._world.store.questions.get("next", dag_id)
        if found is None or found.classpath != needed.timetable.classpath or found.body != _body(needed):
            return False
        if found.told is None:
            return False
        needed.timetable.answers = {needed.question: as_next_run(found.told)}
        return True

    def asking(self, dag_id: str, needed: AnswerNeededError, now: int) -> Write:
        """Return what writes the question down."""
        ask = Ask("next", dag_id, needed.timetable.classpath, _body(needed))
        return lambda connection: self._world.store.questions.ask_in(connection, ask, now)

    def taking(self, dag_id: str) -> Write:
        """Return what notes that the answer was seen."""

        def take(connection: Connection) -> None:
            self._world.store.questions.take_in(connection, "next", dag_id)

        return take

    def failed(self, dag_id: str) -> bool:
        """Tell whether the timetable has given an error in place of its last answer, and log it once."""
        found = self._world.store.questions.get("next", dag_id)
        if found is None or found.error is None:
            return False
        log.error("the timetable of a DAG does not answer", dag_id=dag_id, error=found.error)
        return True

    def run_id(self, dag_id: str, run_after: datetime) -> str | None:
        """Return the run id that the timetable itself has given to the run that is due, if it has."""
        found = self._world.store.questions.get("next", dag_id)
        if found is None or not isinstance(found.told, RunTold) or found.told.run_after != to_micros(run_after):
            return None
        return found.told.run_id


def as_next_run(told: object) -> NextRun | None:
    """Return an answer as the model's timetables give it."""
    if not isinstance(told, RunTold):
        return None
    kind = Bare if told.bare else DataInterval
    interval = kind(from_micros(told.start), from_micros(told.end))
    return NextRun(from_micros(told.run_after), interval.start, interval, told.run_id)


def _body(needed: AnswerNeededError) -> AskedOf:
    question, timetable = needed.question, needed.timetable
    assert isinstance(question, NextQuestion)
    assert isinstance(timetable, Custom)
    last = question.last
    return AskedOf(
        timetable.data,
        NextAsked(
            last=None if last is None else (to_micros(last.start), to_micros(last.end)),
            earliest=None if question.earliest is None else to_micros(question.earliest),
            latest=None if question.latest is None else to_micros(question.latest),
            catchup=question.catchup,
            bare=isinstance(last, Bare),
        ),
    )
