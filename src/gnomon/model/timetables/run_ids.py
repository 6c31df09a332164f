"""How runs are named, in both generations of Airflow."""

from __future__ import annotations

from datetime import datetime

from gnomon.model.states import DagRunType
from gnomon.model.timetables.base import Profile, TimetableError


def run_id(
    run_type: DagRunType, *, run_after: datetime, logical_date: datetime | None, salt: str, profile: Profile
) -> str:
    """Return the id of a run that was given none.

    Airflow 2 names a run after its logical date, Airflow 3 after the time from which it may run; a run without a
    logical date may share that time with another one, so it gets the salt too.

    Args:
        salt: some random letters.
    """
    if profile == 2:
        return f"{run_type}__{(logical_date or run_after).isoformat()}"
    suffix = "" if logical_date is not None else f"_{salt}"
    return f"{run_type}__{run_after.isoformat()}{suffix}"


def type_of(run_id: str) -> DagRunType:
    """Return the run type that an id's prefix stands for; manual, if for none."""
    for run_type in DagRunType:
        if run_id.startswith(f"{run_type}__"):
            return run_type
    return DagRunType.MANUAL


def check_manual_run_id(run_id: str) -> None:
    """Refuse an id for a manual run that looks like another type's.

    Raises:
        TimetableError: the prefix is reserved.
    """
    reserved = type_of(run_id)
    if reserved is not DagRunType.MANUAL:
        raise TimetableError(
            f"a manual DAG run cannot have the id {run_id!r}: {reserved}__ is reserved for {reserved} runs"
        )
