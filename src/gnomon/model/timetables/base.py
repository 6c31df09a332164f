"""What a timetable is: the answer to "when does this DAG run next, and over which data interval?"."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

Profile = Literal[2, 3]


class TimetableError(ValueError):
    """A schedule cannot be used; the message says which part of it, and why."""


class DataInterval(NamedTuple):
    """The period a run works on; start and end are aware."""

    start: datetime
    end: datetime


class Bare(DataInterval):
    """Stands for the data interval of a run that has none: the moment after which it runs, twice."""


class ManualQuestion(NamedTuple):
    """A run by hand, whose data interval and name are to be worked out."""

    #: infer the interval of a run triggered at, or for, this time; None where it is given, or there is to be none
    infer_at: datetime | None
    interval: DataInterval | None = None
    #: None where no name is wanted
    run_after: datetime | None = None
    logical_date: datetime | None = None
    run_type: str = "manual"


class NextRun(NamedTuple):
    """A run that a timetable asks for: not to be created before `run_after`."""

    run_after: datetime
    logical_date: datetime
    data_interval: DataInterval
    #: where the timetable makes run ids of its own
    run_id: str | None = None

    @classmethod
    def over(cls, start: datetime, end: datetime) -> NextRun:
        """Return the run over a data interval: created at its end, named after its start."""
        return cls(end, start, DataInterval(start, end))


class Partition(NamedTuple):
    """The partition of its assets that a run is about."""

    key: str
    date: datetime


class TimetableSpec(Protocol):
    """The schedule as data; `gnomon.wire.dag.TimetableSpec` says what the fields mean."""

    kind: str
    crons: list[str]
    timezone: str
    delta: float | None
    relative: dict[str, int] | None
    interval: float
    interval_relative: dict[str, int] | None
    run_immediately: bool | float
    events: list[str]
    restrict_to_events: bool
    description: str | None
    assets: dict[str, Any] | None
    base: Any
    classpath: str | None
    data: dict[str, Any] | None
    summary: str | None
    can_be_scheduled: bool
    periodic: bool
    active_runs_limit: int | None
    names_runs: bool


class Timetable:
    """A schedule that can be asked. This base never runs by itself: `schedule=None`."""

    #: False only if nothing but a manual trigger ever makes a run
    can_be_scheduled = True
    #: runs at regular times, so that a calendar of them makes sense
    periodic = True
    #: runs are about partitions, so that somebody who triggers one may say which
    partitioned = False
    #: at most this many runs at a time, whatever the DAG says
    active_runs_limit: int | None = None
    #: a user's class works it out, outside of this process
    is_custom = False

    @property
    def summary(self) -> str:
        """The schedule as screens show it in a word: "0 0 * * *", "@once"."""
        return type(self).__name__

    @property
    def description(self) -> str:
        """The schedule in a sentence, or nothing."""
        return ""

    def next_run(
        self,
        last_automated: DataInterval | None,
        *,
        earliest: datetime | None,
        latest: datetime | None,
        catchup: bool,
        now: datetime,
    ) -> NextRun | None:
        """Return the run after the last one, or None if there is none.

        Args:
            last_automated: data interval of the last scheduled or backfilled run; manual runs do not shift a schedule.
            earliest, latest: the bounds that start and end dates set, both inclusive.
            catchup: whether runs that were missed are made up for.
        """
        return None

    def runs_between(self, earliest: datetime, latest: datetime, *, now: datetime) -> list[NextRun]:
        """Return the runs with logical dates in these bounds, both inclusive, whose data intervals are over, in order."""
        runs: list[NextRun] = []
        last: DataInterval | None = None
        while run := self.next_run(last, earliest=earliest, latest=latest, catchup=True, now=now):
            if run.data_interval.end >= now:
                break
            runs.append(run)
            last = run.data_interval
        return runs

    def partitions_between(self, earliest: datetime, latest: datetime) -> list[Partition]:
        """Return the partitions with dates in these bounds, both inclusive; they are read on the schedule's own clock."""
        return []

    def infer_manual_interval(self, at: datetime) -> DataInterval:
        """Return the data interval of a run triggered by hand at, or for, this time."""
        return DataInterval(at, at)

    def manual(self, asked: ManualQuestion) -> tuple[DataInterval | None, str | None]:
        """Return the data interval of a run by hand, and the run id that the timetable itself gives it, if it does."""
        if asked.infer_at is None:
            return asked.interval, None
        return self.infer_manual_interval(asked.infer_at), None

    def partition_of(self, run_after: datetime) -> Partition | None:
        """Return the partition that the run of a tick is about, if there is one."""
        return None

    def date_of(self, partition_key: str) -> datetime | None:
        """Return the date that a partition's key stands for, if it does.

        Raises:
            TimetableError: the key does not have the form that it should.
        """
        return None
