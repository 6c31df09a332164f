"""A user's own timetable, as far as the control side can know it: by the answers that its class has given."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from gnomon.model.timetables.base import Bare, DataInterval, ManualQuestion, NextRun, Timetable


class NextQuestion(NamedTuple):
    """Asks when the run after the last one is."""

    last: DataInterval | None
    earliest: datetime | None
    latest: datetime | None
    catchup: bool


class BetweenQuestion(NamedTuple):
    """Asks for all runs with logical dates in these bounds, both inclusive."""

    earliest: datetime
    latest: datetime


Question = NextQuestion | ManualQuestion | BetweenQuestion


class AnswerNeededError(Exception):
    """A timetable has to be asked outside of this process, then the same decision can be made again.

    Attributes:
        timetable: whose answer is missing; put it into its `answers`.
        question: what to ask.
    """

    def __init__(self, timetable: Custom, question: Question) -> None:
        super().__init__(f"the timetable {timetable.classpath} has not answered yet")
        self.timetable = timetable
        self.question = question


class Custom(Timetable):
    """Answers what it has been told the answers of; anything else raises AnswerNeededError.

    Args:
        classpath: the import path of the class.
        data: what its `serialize` gave.
    """

    is_custom = True

    def __init__(
        self,
        classpath: str,
        data: dict[str, Any],
        *,
        summary: str,
        description: str,
        can_be_scheduled: bool,
        periodic: bool,
        active_runs_limit: int | None,
        names_runs: bool = False,
    ) -> None:
        self.classpath = classpath
        self.data = data
        self.answers: dict[Question, NextRun | None] = {}
        self.answers_between: dict[BetweenQuestion, list[NextRun]] = {}
        self._summary = summary
        self._description = description
        self.can_be_scheduled = can_be_scheduled
        self.periodic = periodic
        self.active_runs_limit = active_runs_limit
        self._names_runs = names_runs

    @property
    def summary(self) -> str:
        return self._summary

    @property
    def description(self) -> str:
        return self._description

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        if not self.can_be_scheduled:
            return None
        question = NextQuestion(last_automated, earliest, latest, catchup)
        if question not in self.answers:
            raise AnswerNeededError(self, question)
        return self.answers[question]

    def runs_between(self, earliest: datetime, latest: datetime, *, now: datetime) -> list[NextRun]:
        question = BetweenQuestion(earliest, latest)
        if question not in self.answers_between:
            raise AnswerNeededError(self, question)
        return [run for run in self.answers_between[question] if run.data_interval.end < now]

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        return self._answer(ManualQuestion(at)).data_interval

    def manual(self, asked: ManualQuestion) -> tuple[DataInterval | None, str | None]:
        if not self._names_runs:
            asked = ManualQuestion(asked.infer_at, asked.interval)
        if asked.run_after is None and asked.infer_at is None:
            return asked.interval, None
        answer = self._answer(asked)
        return None if isinstance(answer.data_interval, Bare) else answer.data_interval, answer.run_id

    def _answer(self, question: ManualQuestion) -> NextRun:
        answer = self.answers.get(question)
        if answer is None:
            raise AnswerNeededError(self, question)
        return answer
