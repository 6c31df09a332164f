"""Timetables without a rhythm: never, once, always, at listed moments, and when assets change."""

from __future__ import annotations

from datetime import datetime

from gnomon.model.timetables.base import DataInterval, ManualQuestion, NextRun, Profile, Timetable


class Null(Timetable):
    """`schedule=None`: runs are triggered from outside only."""

    can_be_scheduled = False
    periodic = False

    @property
    def summary(self) -> str:
        return "None"

    @property
    def description(self) -> str:
        return "Never, external triggers only"


class Once(Timetable):
    """`schedule="@once"`: one run, at the start date or at once."""

    periodic = False

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    @property
    def summary(self) -> str:
        return "@once"

    @property
    def description(self) -> str:
        return "Once, as soon as possible"

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        if last_automated is not None:
            return None
        if earliest is None and self._profile == 2:  # Airflow 2 runs nothing that has no start date
            return None
        at = earliest or now
        return None if latest is not None and at > latest else NextRun.over(at, at)


class Continuous(Timetable):
    """`schedule="@continuous"`: the next run begins when the last one is over; their intervals join up."""

    periodic = False
    active_runs_limit = 1

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    @property
    def summary(self) -> str:
        return "@continuous"

    @property
    def description(self) -> str:
        return "As frequently as possible, but only one run at a time."

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        if earliest is None and self._profile == 2:
            return None
        begin = earliest or now
        if last_automated is None:
            start, end = begin, max(begin, now)
        elif last_automated.end <= now or self._profile == 2:
            start, end = last_automated.end, now
        else:  # the start date was moved into the future
            start, end = begin, begin + (last_automated.end - last_automated.start)
        return None if latest is not None and end > latest else NextRun.over(start, end)


class Events(Timetable):
    """A run at each of some listed moments."""

    def __init__(self, moments: list[datetime], *, restrict_to_events: bool, description: str | None) -> None:
        self._moments = sorted(moments)
        self._restrict = restrict_to_events
        self._description = description

    @property
    def summary(self) -> str:
        return f"{len(self._moments)} events" if self._description is None else self._description

    @property
    def description(self) -> str:
        if self._description is not None:
            return self._description
        if not self._moments:
            return "No events"
        first, last = self._moments[0].isoformat(), self._moments[-1].isoformat()
        return f"{len(self._moments)} events between {first} and {last}"

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        if not catchup:
            earliest = now if earliest is None else max(earliest, now)
        for moment in self._moments:
            if earliest is not None and moment < earliest:
                continue
            if last_automated is not None and moment <= last_automated.end:
                continue
            return None if latest is not None and moment > latest else NextRun.over(moment, moment)
        return None

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        if not self._restrict or not self._moments:
            return DataInterval(at, at)
        past = [moment for moment in self._moments if moment <= at]
        moment = past[-1] if past else self._moments[0]
        return DataInterval(moment, moment)


class Assets(Timetable):
    """Runs when assets are updated; never due by time."""

    periodic = False

    def __init__(self, summary: str = "Asset") -> None:
        self._summary = summary

    @property
    def summary(self) -> str:
        return self._summary

    @property
    def description(self) -> str:
        return "Triggered by assets"


class AssetOrTime(Timetable):
    """Runs when assets are updated, and by time as well."""

    def __init__(self, base: Timetable) -> None:
        self._base = base
        self.can_be_scheduled = base.can_be_scheduled
        self.periodic = base.periodic
        self.active_runs_limit = base.active_runs_limit
        self.is_custom = base.is_custom

    @property
    def summary(self) -> str:
        return f"Asset or {self._base.summary}"

    @property
    def description(self) -> str:
        return f"Triggered by assets or {self._base.description}"

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        return self._base.next_run(last_automated, earliest=earliest, latest=latest, catchup=catchup, now=now)

    def runs_between(self, earliest: datetime, latest: datetime, *, now: datetime) -> list[NextRun]:
        return self._base.runs_between(earliest, latest, now=now)

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        return self._base.infer_manual_interval(at)

    def manual(self, asked: ManualQuestion) -> tuple[DataInterval | None, str | None]:
        return self._base.manual(asked)
