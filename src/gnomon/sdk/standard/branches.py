"""Branches on the date, on the day of the week, and on whether the run is the latest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from gnomon.sdk.branch import BaseBranchOperator
from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.standard.weekday import WeekDay
from gnomon.sdk.timezone import coerce_datetime, utcnow


class BranchDateTimeOperator(BaseBranchOperator):
    """Goes on with one task inside a time range and with another outside.

    Args:
        follow_task_ids_if_true: the tasks to go on with inside.
        follow_task_ids_if_false: the tasks to go on with outside.
        target_lower: the beginning; a datetime, or a time of the day.
        target_upper: the end.
        use_task_logical_date: look at the logical date instead of the clock.

    Raises:
        AirflowException: neither end was given.
    """

    __module__ = "airflow.providers.standard.operators.datetime"

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        target_lower: datetime | time | None,
        target_upper: datetime | time | None,
        use_task_logical_date: bool = False,
        use_task_execution_date: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if target_lower is None and target_upper is None:
            raise AirflowException(
                "Both target_upper and target_lower are None. At least one must be defined to be compared to the"
                " current datetime"
            )
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.target_lower = target_lower
        self.target_upper = target_upper
        self.use_task_logical_date = use_task_logical_date or use_task_execution_date

    def choose_branch(self, context: Any) -> str | Iterable[str]:
        """Return the tasks to go on with."""
        now = context.get("logical_date") if self.use_task_logical_date else None
        now = coerce_datetime(now if now is not None else utcnow())
        lower, upper = target_times_as_dates(now, self.target_lower, self.target_upper)
        inside = not (upper is not None and upper < now) and not (lower is not None and lower > now)
        return self.follow_task_ids_if_true if inside else self.follow_task_ids_if_false


def target_times_as_dates(base: Any, lower: datetime | time | None, upper: datetime | time | None) -> tuple[Any, Any]:
    """Return both ends as dates; a time of the day is that of `base`, and an end before the beginning is a day later."""
    ends = [
        datetime.combine(date(base.year, base.month, base.day), end) if isinstance(end, time) else end
        for end in (lower, upper)
    ]
    first, last = (coerce_datetime(end, base.tzinfo) if end is not None and end.tzinfo is None else end for end in ends)
    if lower is None or upper is None:
        return first, last
    if upper and isinstance(upper, time) and first is not None and last is not None and last < first:
        last += timedelta(days=1)
    return first, last


class BranchDayOfWeekOperator(BaseBranchOperator):
    """Goes on with one task on some days of the week and with another on the others.

    Args:
        follow_task_ids_if_true: the tasks to go on with on those days.
        follow_task_ids_if_false: the tasks to go on with on the others.
        week_day: a name, a WeekDay, or several.
        use_task_logical_date: look at the logical date instead of the clock.
    """

    __module__ = "airflow.providers.standard.operators.weekday"

    def __init__(
        self,
        *,
        follow_task_ids_if_true: str | Iterable[str],
        follow_task_ids_if_false: str | Iterable[str],
        week_day: str | WeekDay | Iterable[str] | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def choose_branch(self, context: Any) -> str | Iterable[str]:
        """Return the tasks to go on with."""
        moment = context.get("logical_date") if self.use_task_logical_date else None
        moment = moment if moment is not None else utcnow()
        day = moment.isoweekday()
        return self.follow_task_ids_if_true if day in self._week_day_num else self.follow_task_ids_if_false


class LatestOnlyOperator(BaseBranchOperator):
    """Skips what is downstream unless the run is the latest that is due; runs made by hand always go on."""

    __module__ = "airflow.providers.standard.operators.latest_only"

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Any) -> str | Iterable[str]:
        """Return the tasks to go on with."""
        run = context["dag_run"]
        everything = list(context["task"].downstream_task_ids)
        if run.run_type in ("manual", "operator_triggered", "asset_materialization"):
            self.log.info("Externally triggered DAG Run: allowing execution to proceed.")
            return everything
        end = self._end_of_next(context, run)
        now = utcnow()
        if end is None or now < end:
            return everything
        self.log.info("Not latest execution, skipping downstream (the next run was due at %s).", end)
        return []

    def _end_of_next(self, context: Any, run: Any) -> Any:
        """Return when the run after this one was due, or None if there is none."""
        from gnomon.sdk.timetable import DataInterval, TimeRestriction

        start, end = run.data_interval_start, run.data_interval_end
        if start is None or end is None:
            return None
        info = context["dag"].timetable.next_dagrun_info(
            last_automated_data_interval=DataInterval(start, end),
            restriction=TimeRestriction(None, None, catchup=True),
        )
        return None if info is None else info.run_after
