"""What a backfill is: which runs it asks for, which of them it makes, and what it refuses. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gnomon.model.schedule import RunToCreate
from gnomon.model.states import RUN_FINISHED, DagRunState, DagRunType
from gnomon.model.timetables import Profile, Timetable, run_id


class ReprocessBehavior(StrEnum):
    """Which runs that are over already a backfill runs again."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"


class BackfillRefused(ValueError):
    """What was asked for cannot be done; the text says why."""


class _Task(Protocol):
    depends_on_past: bool


class BackfilledDag(Protocol):
    """The fields of a serialized DAG that a backfill looks at."""

    dag_id: str
    timetable: Any

    @property
    def tasks(self) -> Sequence[_Task]: ...


def check(
    dag: BackfilledDag,
    timetable: Timetable,
    *,
    earliest: datetime,
    latest: datetime,
    backwards: bool,
    reprocess: ReprocessBehavior,
    now: datetime,
) -> None:
    """Do nothing if a DAG can be backfilled like this.

    Raises:
        BackfillRefused: it cannot.
    """
    if not timetable.periodic:
        raise BackfillRefused(f"DAG {dag.dag_id!r} has no periodic schedule, so there is nothing to backfill")
    if earliest > latest:
        raise BackfillRefused(f"from_date ({earliest.isoformat()}) is after to_date ({latest.isoformat()})")
    if earliest >= now:
        raise BackfillRefused("a backfill is about the past: from_date and to_date are in the future")
    if not any(task.depends_on_past for task in dag.tasks):
        return
    if backwards:
        raise BackfillRefused("tasks of the DAG have depends_on_past=True, so it cannot be backfilled backwards")
    if reprocess is ReprocessBehavior.NONE:
        raise BackfillRefused(
            "tasks of the DAG have depends_on_past=True, so its backfill needs the reprocess behavior failed or completed"
        )


def runs_of(
    timetable: Timetable,
    *,
    earliest: datetime,
    latest: datetime,
    backwards: bool,
    now: datetime,
    profile: Profile,
    salt: str,
) -> list[RunToCreate]:
    """Return the runs that a backfill asks for, in the order in which it makes them.

    Args:
        salt: some random letters; a partition may be backfilled again, so it is part of the names of such runs.

    Raises:
        AnswerNeededError: a custom timetable has to be asked first.
    """
    kind = DagRunType.BACKFILL
    if timetable.partitioned:
        runs = [
            RunToCreate(f"{kind}__{part.date.isoformat()}__{part.key}__{salt}", kind, part.date, None, None, part)
            for part in timetable.partitions_between(earliest, latest)
            if part.date <= now
        ]
    else:
        runs = [
            RunToCreate(
                run_id(kind, run_after=run.run_after, logical_date=run.logical_date, salt=salt, profile=profile),
                kind,
                run.run_after,
                run.logical_date,
                run.data_interval,
            )
            for run in timetable.runs_between(earliest, latest, now=now)
        ]
    return runs[::-1] if backwards else runs


def wanted(state: str | None, reprocess: ReprocessBehavior) -> bool:
    """Say whether a backfill runs a date whose run has this state; None: it has no run."""
    if state is None:
        return True
    if state not in RUN_FINISHED or reprocess is ReprocessBehavior.NONE:
        return False
    return reprocess is ReprocessBehavior.COMPLETED or state == DagRunState.FAILED
