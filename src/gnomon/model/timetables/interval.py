"""Timetables of data intervals: a run works on a period, and is created when that period is over."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime

from gnomon.model.timetables.base import DataInterval, NextRun, Profile, Timetable, TimetableError
from gnomon.model.timetables.cron import CronSchedule, describe
from gnomon.model.timetables.delta import DeltaSchedule


class _IntervalTimetable(Timetable):
    schedule: CronSchedule | DeltaSchedule

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        floor = self._first_start(earliest, catchup=catchup, now=now)
        if last_automated is None:
            if floor is None:
                return None
            start = floor
        else:
            start = self.schedule.at_or_before(last_automated.end)
            if floor is not None:
                start = max(start, floor)
            start = self._beyond(start, last_automated.start)
        if latest is not None and start > latest:
            return None
        return NextRun.over(start, self.schedule.after(start))

    def _first_start(self, earliest: datetime | None, *, catchup: bool, now: datetime) -> datetime | None:
        if not catchup:
            return self._latest_complete(earliest, now)
        return None if earliest is None else self.schedule.at_or_after(earliest)

    def _beyond(self, start: datetime, previous: datetime) -> datetime:
        """Push a start past the previous run's.

        A changed schedule may line up with that one again, and two runs of a DAG cannot have one logical date.
        """
        if start > previous:
            return start
        start = self.schedule.after(start)
        if start <= previous:
            raise TimetableError(f"the schedule {self.summary} does not get past the run of {previous.isoformat()}")
        return start

    @abstractmethod
    def _latest_complete(self, earliest: datetime | None, now: datetime) -> datetime:
        """Return the start of the latest period that is over at `now`, or the first one after `earliest`."""


class CronInterval(_IntervalTimetable):
    """Periods between the ticks of a cron expression (Airflow 2's reading of `schedule="0 0 * * *"`)."""

    def __init__(self, expression: str, timezone: str) -> None:
        self.schedule: CronSchedule = CronSchedule(expression, timezone)

    @property
    def summary(self) -> str:
        return self.schedule.expression

    @property
    def description(self) -> str:
        return describe(self.schedule.expression)

    def _latest_complete(self, earliest: datetime | None, now: datetime) -> datetime:
        start = self.schedule.before(now)
        if self.schedule.after(start) > now:  # `now` is between two ticks: that period is not over yet
            start = self.schedule.before(start)
        return start if earliest is None else max(start, self.schedule.at_or_after(earliest))

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        end = self.schedule.at_or_before(at)
        return DataInterval(self.schedule.before(end), end)


class DeltaInterval(_IntervalTimetable):
    """Periods of a fixed length from the start date on."""

    def __init__(self, schedule: DeltaSchedule, profile: Profile) -> None:
        self.schedule: DeltaSchedule = schedule
        self._profile = profile

    @property
    def summary(self) -> str:
        return str(self.schedule.delta)

    def _latest_complete(self, earliest: datetime | None, now: datetime) -> datetime:
        anchor = now if earliest is None else min(earliest, now)
        start = self.schedule.before(self.schedule.floor(now, anchor, self._profile))
        return start if earliest is None else max(start, earliest)

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        return DataInterval(self.schedule.before(at), at)
