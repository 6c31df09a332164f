"""Trigger timetables: a run is created at each tick, and its data interval is a length of its own, usually none."""

from __future__ import annotations

from datetime import datetime, timedelta

from gnomon.model.timetables.base import DataInterval, NextRun, Profile, Timetable
from gnomon.model.timetables.cron import CronSchedule, describe
from gnomon.model.timetables.delta import Delta, DeltaSchedule


class _TriggerTimetable(Timetable):
    schedule: CronSchedule | DeltaSchedule
    interval: Delta

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        candidates = [] if catchup else [self.schedule.at_or_before(now)]
        if last_automated is not None:
            candidates.append(self.schedule.after(last_automated.end))
        if earliest is not None and (last_automated is None or not catchup):
            candidates.append(self.schedule.at_or_after(earliest))
        if last_automated is None and earliest is None and self._profile == 3:
            candidates.append(self._first_tick(now))
        if not candidates:  # Airflow 2 does not know from where to catch up
            return None
        tick = max(candidates)
        if latest is not None and latest < tick:
            return None
        return NextRun.over(tick - self.interval, tick)

    def _first_tick(self, now: datetime) -> datetime:
        """Return the first tick of a DAG that has no start date."""
        return self.schedule.at_or_before(now)

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        return DataInterval(at - self.interval, at)


class CronTrigger(_TriggerTimetable):
    """A run at each tick of a cron expression (Airflow 3's reading of `schedule="0 0 * * *"`).

    Args:
        run_immediately: for a DAG without a start date, whether its first run may be that of the tick just past: True
            always; a number of seconds: if it is not longer ago; False: if it is not longer ago than a tenth of the
            distance of two ticks, and at least five minutes.
    """

    def __init__(
        self, expression: str, timezone: str, interval: Delta, run_immediately: bool | float, profile: Profile
    ) -> None:
        super().__init__(profile)
        self.schedule: CronSchedule = CronSchedule(expression, timezone)
        self.interval = interval
        self._run_immediately = run_immediately

    @property
    def summary(self) -> str:
        return self.schedule.expression

    @property
    def description(self) -> str:
        return describe(self.schedule.expression)

    def _first_tick(self, now: datetime) -> datetime:
        past, coming = self.schedule.at_or_before(now), self.schedule.at_or_after(now)
        if self._run_immediately is True:
            return past
        if self._run_immediately is False:
            tolerance = max((coming - past) / 10, timedelta(minutes=5))
        else:
            tolerance = timedelta(seconds=self._run_immediately)
        return past if now - past <= tolerance else coming


class DeltaTrigger(_TriggerTimetable):
    """A run each time a fixed distance has passed since the last one (Airflow 3's reading of `schedule=timedelta(…)`)."""

    def __init__(self, schedule: DeltaSchedule, interval: Delta, profile: Profile) -> None:
        super().__init__(profile)
        self.schedule: DeltaSchedule = schedule
        self.interval = interval

    @property
    def summary(self) -> str:
        return str(self.schedule.delta)


class MultipleCronTrigger(Timetable):
    """A run whenever one of several cron expressions ticks; one only, if several tick at once."""

    def __init__(self, parts: list[CronTrigger]) -> None:
        self._parts = parts

    @property
    def summary(self) -> str:
        return ", ".join(part.summary for part in self._parts)

    @property
    def description(self) -> str:
        return ", ".join(part.description for part in self._parts)

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        runs = [
            run
            for part in self._parts
            if (run := part.next_run(last_automated, earliest=earliest, latest=latest, catchup=catchup, now=now))
        ]
        if not runs:
            return None
        if not catchup:
            # of the runs that are due only the latest counts, before any that is to come
            due = [run for run in runs if run.logical_date <= now]
            if due:
                return max(due, key=_by_logical_date)
        return min(runs, key=_by_logical_date)

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        return min((part.infer_manual_interval(at) for part in self._parts), key=lambda interval: interval.start)


def _by_logical_date(run: NextRun) -> datetime:
    return run.logical_date
