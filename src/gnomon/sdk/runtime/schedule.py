"""The logical dates before and after a run's, which Airflow 2 had in the context."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gnomon.model.timetables.base import DataInterval
from gnomon.model.timetables.build import build
from gnomon.sdk.runtime.dag_run import DagRun, micros, moment

if TYPE_CHECKING:
    from pendulum import DateTime


def neighbouring_logical_date(dag: Any, run: DagRun, direction: int) -> DateTime | None:
    """Return the logical date of the next (1) or previous (-1) run of the schedule; None if it has none.

    Start and end dates and catchup do not matter: this is about the schedule, not about the runs there are.
    """
    start, end = run.data_interval_start, run.data_interval_end
    if start is None or end is None:
        return None
    timetable = build(dag.timetable.to_spec(), 2)
    if timetable.is_custom:
        return _of_custom(dag.timetable, DataInterval(start, end), direction)
    if direction < 0:
        return moment(micros(_before(timetable, run.logical_date)))
    found = timetable.next_run(DataInterval(start, end), earliest=None, latest=None, catchup=True, now=end)
    return None if found is None else moment(micros(found.logical_date))


def _of_custom(timetable: Any, interval: DataInterval, direction: int) -> DateTime | None:
    """Ask a user's class; it says what comes next, and nobody can say what came before."""
    from gnomon.sdk.timetable import TimeRestriction

    if direction < 0:
        return None
    found = timetable.next_dagrun_info(
        last_automated_data_interval=interval, restriction=TimeRestriction(None, None, catchup=True)
    )
    return None if found is None else moment(micros(found.logical_date))


def _before(timetable: Any, date: datetime) -> datetime | None:
    schedule = getattr(timetable, "schedule", None)
    if schedule is None:
        return None
    interval = getattr(timetable, "interval", timedelta(0))
    earlier: datetime = schedule.before(date + interval) - interval
    return earlier
