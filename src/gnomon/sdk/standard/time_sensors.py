"""Sensors that wait for a moment, a delay, a time of the day or a day of the week."""

from __future__ import annotations

import time as time_module
from collections.abc import Collection, Iterable
from datetime import datetime, time, timedelta
from typing import Any

from gnomon.sdk.sensor import BaseSensorOperator
from gnomon.sdk.standard.timing import base_time, default_deferrable
from gnomon.sdk.standard.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger
from gnomon.sdk.standard.weekday import WeekDay
from gnomon.sdk.timezone import convert_to_utc, parse, utcnow
from gnomon.sdk.trigger import StartTriggerArgs

_DATE_TIME_TRIGGER = "gnomon.sdk.standard.triggers.temporal.DateTimeTrigger"


class TimeDeltaSensor(BaseSensorOperator):
    """Waits until `delta` after the end of the data interval.

    Args:
        delta: how long after it; minutes, if it is a number or a template.
        deferrable: wait without holding a slot.
        end_from_trigger: succeed right from the trigger.
    """

    __module__ = "airflow.providers.standard.sensors.time_delta"

    template_fields: Collection[str] = ("delta",)

    def __init__(
        self,
        *,
        delta: timedelta | int | str,
        deferrable: bool | None = None,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.delta = delta
        self.deferrable = default_deferrable(deferrable)
        self.end_from_trigger = end_from_trigger

    def _target(self, context: Any) -> Any:
        return base_time(context) + _minutes(self.delta)

    def poke(self, context: Any) -> bool:
        """Return whether the moment has come."""
        target = self._target(context)
        self.log.info("Checking if %s has come", target)
        return bool(utcnow() > target)

    def execute(self, context: Any) -> Any:
        """Wait, or defer."""
        if not self.deferrable:
            return super().execute(context)
        target = self._target(context)
        if utcnow() > target:
            return True
        trigger = DateTimeTrigger(moment=target, end_from_trigger=self.end_from_trigger)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
        return None

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Succeed."""


class TimeDeltaSensorAsync(TimeDeltaSensor):
    """TimeDeltaSensor that always defers."""

    __module__ = "airflow.providers.standard.sensors.time_delta"

    def __init__(self, *, delta: timedelta | int | str, end_from_trigger: bool = False, **kwargs: Any) -> None:
        kwargs.pop("deferrable", None)
        super().__init__(delta=delta, deferrable=True, end_from_trigger=end_from_trigger, **kwargs)


class WaitSensor(BaseSensorOperator):
    """Waits for a while, from when it starts.

    Args:
        time_to_wait: how long; minutes, if it is a number or a template.
        deferrable: wait without holding a slot.
    """

    __module__ = "airflow.providers.standard.sensors.time_delta"

    template_fields: Collection[str] = ("time_to_wait",)

    def __init__(self, time_to_wait: timedelta | int | str, deferrable: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = default_deferrable(deferrable)
        self.time_to_wait = time_to_wait

    def execute(self, context: Any) -> None:
        """Wait, or defer."""
        wait = _minutes(self.time_to_wait)
        if self.deferrable:
            self.defer(trigger=TimeDeltaTrigger(wait, end_from_trigger=True), method_name="execute_complete")
        time_module.sleep(wait.total_seconds())

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Succeed."""


class DateTimeSensor(BaseSensorOperator):
    """Waits until a moment.

    Args:
        target_time: a datetime, or text (templated).

    Raises:
        TypeError: it is neither.
    """

    __module__ = "airflow.providers.standard.sensors.date_time"

    template_fields: Collection[str] = ("target_time",)

    def __init__(self, *, target_time: str | datetime, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(target_time, datetime):
            target_time = target_time.isoformat()
        elif not isinstance(target_time, str):
            raise TypeError(f"Expected str or datetime.datetime type for target_time. Got {type(target_time)}")
        self.target_time = target_time

    @property
    def _moment(self) -> Any:
        target: Any = self.target_time  # a native template may have made a datetime of it
        return convert_to_utc(target if isinstance(target, datetime) else parse(target))

    def poke(self, context: Any) -> bool:
        """Return whether the moment has come."""
        self.log.info("Checking if the time (%s) has come", self.target_time)
        return bool(self._moment < utcnow())


class DateTimeSensorAsync(DateTimeSensor):
    """DateTimeSensor that defers.

    Args:
        start_from_trigger: wait without ever starting a process.
        end_from_trigger: succeed right from the trigger.
        trigger_kwargs: further arguments of the trigger.
    """

    __module__ = "airflow.providers.standard.sensors.date_time"

    def __init__(
        self,
        *,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.end_from_trigger = end_from_trigger
        self.start_from_trigger = start_from_trigger
        if start_from_trigger:
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls=_DATE_TIME_TRIGGER,
                trigger_kwargs={"target_time": self.target_time, "end_from_trigger": end_from_trigger},
                next_method="execute_complete",
            )

    def execute(self, context: Any) -> None:
        """Defer until the moment."""
        self.defer(
            trigger=DateTimeTrigger(moment=self._moment, end_from_trigger=self.end_from_trigger),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Succeed."""


class TimeSensor(BaseSensorOperator):
    """Waits until a time of the day, in the DAG's time zone, of the day on which the file was read.

    Args:
        target_time: the time.
        deferrable: wait without holding a slot.
        start_from_trigger: wait without ever starting a process.
        end_from_trigger: succeed right from the trigger.
        trigger_kwargs: further arguments of the trigger.
    """

    __module__ = "airflow.providers.standard.sensors.time"

    def __init__(
        self,
        *,
        target_time: time,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_time = target_time
        self.deferrable = default_deferrable(deferrable)
        self.start_from_trigger = start_from_trigger
        self.end_from_trigger = end_from_trigger
        if start_from_trigger:
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls=_DATE_TIME_TRIGGER,
                trigger_kwargs={"moment": self.target_datetime, "end_from_trigger": end_from_trigger},
                next_method="execute_complete",
            )

    @property
    def target_datetime(self) -> Any:
        """The time of today, in UTC."""
        zone = self.dag.timezone if self.has_dag() else None
        now = utcnow() if zone is None else utcnow().in_timezone(zone)
        target = self.target_time
        at = now.replace(hour=target.hour, minute=target.minute, second=target.second, microsecond=target.microsecond)
        return convert_to_utc(at)

    def poke(self, context: Any) -> bool:
        """Return whether the time has come."""
        self.log.info("Checking if the time (%s) has come", self.target_datetime)
        return bool(self.target_datetime < utcnow())

    def execute(self, context: Any) -> Any:
        """Wait, or defer; `timeout` counts in the former case only, as in Airflow."""
        if not self.deferrable:
            return super().execute(context)
        trigger = DateTimeTrigger(moment=self.target_datetime, end_from_trigger=self.end_from_trigger)
        self.defer(trigger=trigger, method_name="execute_complete")
        return None

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """Succeed."""


class TimeSensorAsync(TimeSensor):
    """TimeSensor that always defers."""

    __module__ = "airflow.providers.standard.sensors.time"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("deferrable", None)
        super().__init__(deferrable=True, **kwargs)


class DayOfWeekSensor(BaseSensorOperator):
    """Waits for a day of the week.

    Args:
        week_day: a name, a WeekDay, or several.
        use_task_logical_date: look at the logical date instead of the clock.
    """

    __module__ = "airflow.providers.standard.sensors.weekday"

    def __init__(
        self,
        *,
        week_day: str | WeekDay | Iterable[str] | Iterable[WeekDay],
        use_task_logical_date: bool = False,
        use_task_execution_day: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.week_day = week_day
        self.use_task_logical_date = use_task_logical_date or use_task_execution_day
        self._week_day_num = WeekDay.validate_week_day(week_day)

    def poke(self, context: Any) -> bool:
        """Return whether it is the day."""
        self.log.info("Poking until weekday is in %s, today is %s", self.week_day, utcnow().isoweekday())
        if self.use_task_logical_date and context.get("logical_date") is not None:
            return context["logical_date"].isoweekday() in self._week_day_num
        return utcnow().isoweekday() in self._week_day_num


def _minutes(value: timedelta | int | str) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(minutes=int(value))
