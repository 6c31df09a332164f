"""The data interval of a run that somebody triggers, where only a timetable of a user's knows it.

The question is answered by the dag-processor. Whoever may wait does so here; the scheduler, which answers tasks, may
not, and has the task ask again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gnomon.api.refusals import AnswerPending, TriggerRefused
from gnomon.model.schedule import RunToCreate
from gnomon.model.timetables import AnswerNeededError, DataInterval, ManualQuestion, NextRun
from gnomon.service import clock
from gnomon.store.questions import Ask
from gnomon.store.types import from_micros, to_micros
from gnomon.wire.questions import AskedOf, ManualAsked, RunTold

if TYPE_CHECKING:
    from gnomon.store.engine import Store

#: How long somebody who triggers a run waits for the timetable.
PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.02


def planned(store: Store, dag_id: str, plan: Callable[[], RunToCreate], *, patience: float) -> RunToCreate:
    """Return the run that is planned, asking the timetable first where it is a user's class.

    Raises:
        AnswerPending: it has not answered within `patience` seconds.
        TriggerRefused: it cannot answer.
    """
    try:
        return plan()
    except AnswerNeededError as needed:
        question, timetable = needed.question, needed.timetable
        assert isinstance(question, ManualQuestion)
        at = to_micros(question.at)
        ask = Ask("manual", dag_id, timetable.classpath, AskedOf(timetable.data, ManualAsked(at)), about=str(at))
        told = _wait(store, ask, patience)
        interval = DataInterval(from_micros(told.start), from_micros(told.end))
        timetable.answers[question] = NextRun(from_micros(told.run_after), interval.start, interval, told.run_id)
        return plan()


def _wait(store: Store, ask: Ask, patience: float) -> RunTold:
    questions, until = store.questions, clock.monotonic() + patience
    found = questions.get(ask.kind, ask.dag_id, ask.about)
    if found is None or found.body != ask.body or found.classpath != ask.classpath:
        questions.ask(ask, clock.now())
        found = None
    while found is None or (found.told is None and found.error is None):
        if clock.monotonic() >= until:
            raise AnswerPending(
                f"the timetable {ask.classpath} of DAG {ask.dag_id} was asked for the data interval of this run, and"
                f" has not answered within {patience:g} s; is the dag-processor running?"
            )
        time.sleep(_LOOK_SECONDS)
        found = questions.get(ask.kind, ask.dag_id, ask.about)
    questions.forget(ask.kind, ask.dag_id, ask.about)
    if not isinstance(found.told, RunTold):
        raise TriggerRefused(f"the data interval of this run is not known: {found.error}")
    return found.told
