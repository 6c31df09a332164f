"""When a DAG's runs are created: pure decisions over its timetable, its dates and what its row remembers.

The loop of `scheduler.create_runs` is, for each DAG whose `next_run_after` is due or whose version is new:

    schedule = schedule_of(serialized_dag, profile)            # keep it as long as the version is current
    plan = plan_next(schedule, row, now)                       # row: `RowState`
    store, in one transaction: insert plan.run if there is one; next_* of the row := plan.next;
                               exceeds_max_non_backfill := plan.at_limit
    look again at plan.next.run_after                          # due at once while catching up

If the run's logical date is taken (a manual or backfilled run has it), store `plan.next` without inserting. A row at
its limit keeps its next run and is looked at again when one of its runs has finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from gnomon.model.states import DagRunType
from gnomon.model.timetables import (
    AnswerNeededError,
    Bare,
    DataInterval,
    ManualQuestion,
    NextRun,
    Partition,
    Profile,
    Timetable,
    build,
    run_id,
)
from gnomon.model.timetables.simple import Continuous


class _Dated(Protocol):
    start_date: str | None
    end_date: str | None


class ScheduledDag(Protocol):
    """The fields of a serialized DAG that its schedule depends on."""

    timetable: Any
    start_date: str | None
    end_date: str | None
    catchup: bool
    max_active_runs: int
    allowed_run_types: list[str] | None

    @property
    def tasks(self) -> Sequence[_Dated]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A DAG's timetable with the bounds its dates set."""

    timetable: Timetable
    earliest: datetime | None
    latest: datetime | None
    catchup: bool
    max_active_runs: int
    profile: Profile
    #: False if the DAG's allowed_run_types leave scheduled runs out
    allowed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class RowState:
    """What the DAG's row and its runs say at the moment."""

    #: the stored next run; None if none is stored
    next: NextRun | None
    #: data interval of the latest scheduled or backfilled run (manual ones do not count)
    last_automated: DataInterval | None
    #: queued and running runs without backfills
    active_runs: int = 0
    #: the DAG has a new version since `next` was stored, so that it has to be worked out anew
    changed: bool = False


class RunToCreate(NamedTuple):
    """A run to insert, queued."""

    run_id: str
    run_type: DagRunType
    run_after: datetime
    logical_date: datetime | None
    data_interval: DataInterval | None
    partition: Partition | None = None


class Plan(NamedTuple):
    """What to do about a DAG now."""

    run: RunToCreate | None
    #: the next values of the row: its next_run_after, next_logical_date, next_interval_start and next_interval_end
    next: NextRun | None
    #: a run is due that the DAG's max_active_runs holds back
    at_limit: bool = False
    #: what a custom timetable has to be asked before `next`, or anything, is known
    asks: AnswerNeededError | None = None


def schedule_of(dag: ScheduledDag, profile: Profile) -> Schedule:
    """Return the schedule of a serialized DAG.

    Raises:
        TimetableError: its timetable cannot be used.
    """
    timetable = build(dag.timetable, profile)
    earliest, latest = earliest_latest(
        moment(dag.start_date),
        moment(dag.end_date),
        [(moment(task.start_date), moment(task.end_date)) for task in dag.tasks],
    )
    return Schedule(
        timetable=timetable,
        earliest=earliest,
        latest=latest,
        catchup=dag.catchup,
        max_active_runs=min(dag.max_active_runs, timetable.active_runs_limit or dag.max_active_runs),
        profile=profile,
        allowed=dag.allowed_run_types is None or DagRunType.SCHEDULED in dag.allowed_run_types,
    )


def moment(text: str | None) -> datetime | None:
    """Return the time of an ISO 8601 text in UTC."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def earliest_latest(
    start: datetime | None, end: datetime | None, tasks: Iterable[tuple[datetime | None, datetime | None]]
) -> tuple[datetime | None, datetime | None]:
    """Return the bounds of a DAG's runs, both inclusive.

    The first may be as early as the earliest start date of the DAG or of any task. The DAG's end date bounds the last,
    unless every task has one of its own: then the latest of them all does.
    """
    dates = list(tasks)
    starts = [date for date in (start, *(task_start for task_start, _ in dates)) if date is not None]
    ends = [task_end for _, task_end in dates if task_end is not None]
    if ends and len(ends) == len(dates):
        end = max([*ends, end] if end is not None else ends)
    return min(starts, default=None), end


def next_after(schedule: Schedule, last_automated: DataInterval | None, now: datetime) -> NextRun | None:
    """Return the run that follows the last automated one."""
    if not schedule.allowed:
        return None
    return schedule.timetable.next_run(
        last_automated, earliest=schedule.earliest, latest=schedule.latest, catchup=schedule.catchup, now=now
    )


def plan_next(schedule: Schedule, row: RowState, now: datetime, *, salt: str = "") -> Plan:
    """Decide whether a run is created now, and which one the row has to wait for next.

    A custom timetable may have to be asked first (`Plan.asks`); the decision is then made again with its answer. What
    is due is created without waiting for the answer about what follows it.
    """
    try:
        due = row.next if row.next is not None and not row.changed else next_after(schedule, row.last_automated, now)
    except AnswerNeededError as needed:
        return Plan(None, None, asks=needed)
    if due is None or due.run_after > now or not schedule.allowed:
        return Plan(None, due if schedule.allowed else None)
    if row.active_runs >= schedule.max_active_runs:
        return Plan(None, due, at_limit=True)
    due = _overtaken(schedule, due, row.last_automated, now)
    run = _to_create(schedule, due, salt)
    try:
        return Plan(run, next_after(schedule, due.data_interval, now))
    except AnswerNeededError as needed:
        return Plan(run, None, asks=needed)


def _overtaken(schedule: Schedule, due: NextRun, last: DataInterval | None, now: datetime) -> NextRun:
    """Return what runs in place of a due run: itself, unless runs are not caught up and a later one is due too.

    The scheduler may have been away, or the DAG paused. A continuous DAG has one interval up to now instead, so
    that its intervals still join up.
    """
    if isinstance(schedule.timetable, Continuous):
        return next_after(schedule, last, now) or due
    if schedule.catchup or schedule.timetable.is_custom:
        return due  # a custom timetable is asked what follows when this run exists, and then knows how late it is
    later = next_after(schedule, due.data_interval, now)
    return later if later is not None and later.run_after <= now else due


def _to_create(schedule: Schedule, run: NextRun, salt: str) -> RunToCreate:
    kind = DagRunType.SCHEDULED
    partition = schedule.timetable.partition_of(run.run_after)
    if partition is not None:  # it is named after its partition, and stands for no other date
        name = f"{kind}__{run.run_after.isoformat()}__{partition.key}"
        return RunToCreate(name, kind, run.run_after, None, None, partition)
    if isinstance(run.data_interval, Bare):
        return RunToCreate(run.run_id or f"{kind}__{run.run_after.isoformat()}", kind, run.run_after, None, None)
    name = run.run_id or run_id(
        kind, run_after=run.run_after, logical_date=run.logical_date, salt=salt, profile=schedule.profile
    )
    return RunToCreate(name, kind, run.run_after, run.logical_date, run.data_interval)


def plan_manual(
    timetable: Timetable,
    *,
    logical_date: datetime | None,
    run_after: datetime,
    profile: Profile,
    salt: str,
    data_interval: DataInterval | None = None,
    run_type: DagRunType = DagRunType.MANUAL,
    infer_from_logical_date: bool = True,
    is_named: bool = False,
) -> RunToCreate:
    """Return the run that somebody triggers.

    Args:
        logical_date: as given. If it is None, Airflow 2 takes the time of the trigger; Airflow 3 makes a run without
            logical date and without data interval.
        run_after: as given, or the time of the trigger.
        data_interval: as given; inferred, if None.
        infer_from_logical_date: whether the interval is inferred from the logical date, as the REST API does, or from
            run_after, as a trigger from the command line or an operator does.
        is_named: its run id is given, so that it need not be known what the timetable would call it.

    Raises:
        AnswerNeededError: a custom timetable has to be asked first.
    """
    if profile == 2:
        logical_date = logical_date or run_after
        infer_from_logical_date = True
    if logical_date is None:
        data_interval = None
    about = None
    if logical_date is not None and data_interval is None:
        about = logical_date if infer_from_logical_date else run_after
    asked = ManualQuestion(about, data_interval, None if is_named else run_after, logical_date, str(run_type))
    data_interval, name = timetable.manual(asked)
    name = name or run_id(run_type, run_after=run_after, logical_date=logical_date, salt=salt, profile=profile)
    return RunToCreate(name, run_type, run_after, logical_date, data_interval)
