"""What only a class of a user's knows: the interval of a run by hand, the date of its partition, a backfill's runs.

The question is answered by the dag-processor. Whoever may wait does so here; the scheduler, which answers tasks, may
not, and has the task ask again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from gnomon.api.refusals import AnswerPending, TriggerRefused
from gnomon.model.partitions import definition_of
from gnomon.model.schedule import RunToCreate
from gnomon.model.timetables import (
    AnswerNeededError,
    Bare,
    BetweenQuestion,
    DataInterval,
    ManualQuestion,
    NextRun,
    Timetable,
)
from gnomon.model.timetables.partitioned import PartitionAnswerNeededError, PartitionedAssets
from gnomon.service import clock
from gnomon.store.questions import Ask
from gnomon.store.types import from_micros, to_micros
from gnomon.wire.questions import (
    AskedOf,
    BetweenAsked,
    KeyAsked,
    ManualAsked,
    PartitionsAsked,
    PartitionsTold,
    RunsTold,
    RunTold,
    Told,
)

if TYPE_CHECKING:
    from gnomon.store.engine import Store

#: How long somebody who triggers a run waits for the timetable.
PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.02

_Planned = TypeVar("_Planned", RunToCreate, list[RunToCreate])


def planned(store: Store, dag_id: str, plan: Callable[[], _Planned], *, patience: float) -> _Planned:
    """Return what is planned, asking the timetable first where it is a user's class.

    Raises:
        AnswerPending: it has not answered within `patience` seconds.
        TriggerRefused: it cannot answer.
    """
    try:
        return plan()
    except AnswerNeededError as needed:
        question, timetable = needed.question, needed.timetable
        if isinstance(question, BetweenQuestion):
            bounds = to_micros(question.earliest), to_micros(question.latest)
            body, what = AskedOf(timetable.data, BetweenAsked(*bounds)), "the runs of this backfill"
            ask = Ask("between", dag_id, timetable.classpath, body, about="{}-{}".format(*bounds))
            told = _wait(store, ask, what, patience)
            if not isinstance(told, RunsTold):
                raise TriggerRefused(f"{what} are not known: {told}") from None
            timetable.answers_between[question] = [next_run(one) for one in told.runs]
        else:
            assert isinstance(question, ManualQuestion)
            asked = manual_asked(question)
            body, what = AskedOf(timetable.data, asked), "the data interval of this run"
            about = f"{asked.at or ''}/{asked.run_after or ''}"
            told = _wait(store, Ask("manual", dag_id, timetable.classpath, body, about=about), what, patience)
            if not isinstance(told, RunTold):
                raise TriggerRefused(f"{what} is not known: {told}") from None
            timetable.answers[question] = next_run(told)
        return plan()


def manual_asked(question: ManualQuestion) -> ManualAsked:
    """Return a question about a run by hand as it travels."""

    def micros(at: datetime | None) -> int | None:
        return None if at is None else to_micros(at)

    interval = question.interval
    return ManualAsked(
        at=micros(question.infer_at),
        interval=None if interval is None else (to_micros(interval.start), to_micros(interval.end)),
        run_after=micros(question.run_after),
        logical_date=micros(question.logical_date),
        run_type=question.run_type,
    )


def next_run(told: RunTold) -> NextRun:
    """Return a run as a timetable of the model gives it."""
    kind = Bare if told.bare else DataInterval
    interval = kind(from_micros(told.start), from_micros(told.end))
    return NextRun(from_micros(told.run_after), interval.start, interval, told.run_id)


def date_of_partition(store: Store, dag_id: str, timetable: Timetable, key: str, *, patience: float) -> datetime | None:
    """Return the date of a partition, asking the timetable's mappers where they are users' classes.

    Raises:
        AnswerPending: they have not answered within `patience` seconds.
        TriggerRefused: they cannot answer, or the key does not fit them.
        TimetableError: the key does not fit the timetable.
    """
    try:
        return timetable.date_of(key)
    except PartitionAnswerNeededError as needed:
        assert isinstance(timetable, PartitionedAssets)
        runs = [KeyAsked(0, name, uri, key) for name, uri in needed.assets]
        asked = PartitionsAsked(definition_of(needed.data), 1, runs=runs)
        about = f"partition {hashlib.sha256(key.encode()).hexdigest()}"
        ask = Ask("manual", dag_id, needed.classpath, AskedOf({}, asked), about=about)
        told = _wait(store, ask, "the date of this partition", patience)
        if not isinstance(told, PartitionsTold):
            raise TriggerRefused(f"the date of the partition {key!r} is not known: {told}") from None
        if errors := [one.date_error for one in told.runs if one.date_error is not None]:
            raise TriggerRefused(
                f"Partition key {key!r} is invalid for this timetable's mappers: {errors[0]}"
            ) from None
        timetable.own_dates = [None if one.date is None else from_micros(one.date) for one in told.runs]
        return timetable.date_of(key)


def _wait(store: Store, ask: Ask, what: str, patience: float) -> Told | str | None:
    """Return the answer, or why there is none."""
    questions, until = store.questions, clock.monotonic() + patience
    found = questions.get(ask.kind, ask.dag_id, ask.about)
    if found is None or found.body != ask.body or found.classpath != ask.classpath:
        questions.ask(ask, clock.now())
        found = None
    while found is None or (found.told is None and found.error is None):
        if clock.monotonic() >= until:
            raise AnswerPending(
                f"the class {ask.classpath} of DAG {ask.dag_id} was asked for {what}, and has not answered within"
                f" {patience:g} s; is the dag-processor running?"
            )
        time.sleep(_LOOK_SECONDS)
        found = questions.get(ask.kind, ask.dag_id, ask.about)
    questions.forget(ask.kind, ask.dag_id, ask.about)
    return found.error if found.told is None else found.told
