"""Schedules as authors write them. Each becomes a wire.dag.TimetableSpec; `gnomon.model.timetables` works it out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from gnomon.sdk.asset_timetables import AssetOrTimeSchedule as AssetOrTimeSchedule  # noqa: PLC0414 - its known home
from gnomon.sdk.asset_timetables import AssetTriggeredTimetable as AssetTriggeredTimetable  # noqa: PLC0414
from gnomon.sdk.asset_timetables import PartitionedAssetTimetable as PartitionedAssetTimetable  # noqa: PLC0414
from gnomon.sdk.assets import AssetAll, BaseAsset
from gnomon.sdk.cron import check_cron, describe_cron
from gnomon.sdk.exceptions import AirflowTimetableInvalid
from gnomon.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable

#: Names for the cron expressions that people write most.
CRON_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class _ByTime(Timetable):
    """Worked out by the scheduler; asked here, it builds the scheduler's own."""

    def _built(self) -> Any:
        from gnomon.model.timetables import build
        from gnomon.sdk.settings import profile

        return build(super().to_spec(), 2 if profile() == 2 else 3)

    def to_spec(self) -> Any:
        """Return the wire.dag.TimetableSpec; a subclass of a user's has rules that only its own code knows."""
        if type(self).__module__.startswith("gnomon."):
            return super().to_spec()
        from gnomon.wire.dag import TimetableSpec

        return TimetableSpec(kind="custom", **Timetable.fields(self))

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return the interval of a manual run."""
        return _as_pendulum(self._built().infer_manual_interval(run_after))

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: TimeRestriction) -> DagRunInfo | None:
        """Return the next run, or None."""
        from gnomon.sdk.timezone import coerce_datetime, utcnow

        found = self._built().next_run(
            last_automated_data_interval,
            earliest=restriction.earliest,
            latest=restriction.latest,
            catchup=restriction.catchup,
            now=utcnow(),
        )
        return (
            None if found is None else DagRunInfo(coerce_datetime(found.run_after), _as_pendulum(found.data_interval))
        )


def _as_pendulum(interval: Any) -> DataInterval:
    from gnomon.sdk.timezone import coerce_datetime

    return DataInterval(coerce_datetime(interval.start), coerce_datetime(interval.end))


class NullTimetable(_ByTime):
    """Never; only by hand."""

    kind = "null"
    can_be_scheduled = False
    periodic = False
    description = "Never, external triggers only"

    @property
    def summary(self) -> str:
        """A short text to show."""
        return "None"

    def fields(self) -> dict[str, Any]:
        """Return nothing: there is nothing to say."""
        return {}


class OnceTimetable(NullTimetable):
    """Once, as soon as possible."""

    kind = "once"
    can_be_scheduled = True
    description = "Once, as soon as possible"

    @property
    def summary(self) -> str:
        """A short text to show."""
        return "@once"


class ContinuousTimetable(NullTimetable):
    """Again and again, one after the other."""

    kind = "continuous"
    can_be_scheduled = True
    active_runs_limit = 1
    description = "As frequently as possible while still obeying max_active_runs"

    @property
    def summary(self) -> str:
        """A short text to show."""
        return "@continuous"


def _zone_name(zone: Any) -> str:
    from gnomon.sdk.timezone import name_of

    return zone if isinstance(zone, str) else name_of(zone)


def _delta_fields(name: str, delta: Any) -> dict[str, Any]:
    """Return a timedelta as seconds, a relativedelta as its arguments."""
    if isinstance(delta, dt.timedelta):
        return {name: delta.total_seconds()}
    relative = {
        part: getattr(delta, part)
        for part in (
            "years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds",
            "year", "month", "day", "hour", "minute", "second", "microsecond",
        )
        if getattr(delta, part, None) not in (None, 0) or (part in ("hour", "minute", "second") and getattr(delta, part) == 0)
    }  # fmt: skip
    if (weekday := getattr(delta, "weekday", None)) is not None:
        relative["weekday"] = weekday.weekday
        relative["weekday_n"] = weekday.n or 1
    return {"relative" if name == "delta" else "interval_relative": relative}


def _is_delta(value: Any) -> bool:
    return isinstance(value, dt.timedelta) or type(value).__name__ == "relativedelta"


def _immediately(value: bool | dt.timedelta) -> bool | float:
    return value.total_seconds() if isinstance(value, dt.timedelta) else value


class _Cron(_ByTime):
    def __init__(self, cron: str, timezone: Any) -> None:
        self._given = cron
        self.expression = CRON_PRESETS.get(cron, cron)
        self.timezone = timezone
        self._zone = _zone_name(timezone)

    @property
    def summary(self) -> str:
        """The cron expression."""
        return self.expression

    @property
    def description(self) -> str:  # type: ignore[override]
        """The cron expression in words."""
        return describe_cron(self.expression)

    def validate(self) -> None:
        """Check the cron expression."""
        check_cron(self.expression)

    def fields(self) -> dict[str, Any]:
        """Return the cron expression and its time zone."""
        return {"crons": [self.expression], "timezone": self._zone}


class CronDataIntervalTimetable(_Cron):
    """A run at the end of each interval between two ticks of a cron expression, about that interval."""

    kind = "cron_interval"

    def __init__(self, cron: str, timezone: Any) -> None:
        super().__init__(cron, timezone)


class CronTriggerTimetable(_Cron):
    """A run at each tick of a cron expression.

    Args:
        cron: the expression or a preset.
        timezone: where its clock hangs.
        interval: how long before the tick the data interval begins.
        run_immediately: what to do about the tick before the first; True, False, or at most how long ago.
    """

    kind = "cron_trigger"

    def __init__(
        self,
        cron: str,
        timezone: Any,
        *,
        interval: Any = dt.timedelta(),
        run_immediately: bool | dt.timedelta = False,
    ) -> None:
        super().__init__(cron, timezone)
        self.interval = interval
        self.run_immediately = run_immediately

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {
            **super().fields(),
            **_delta_fields("interval", self.interval),
            "run_immediately": _immediately(self.run_immediately),
        }


class MultipleCronTriggerTimetable(_ByTime):
    """A run at each tick of any of several cron expressions."""

    kind = "multiple_cron_trigger"

    def __init__(
        self,
        *crons: str,
        timezone: Any,
        interval: Any = dt.timedelta(),
        run_immediately: bool | dt.timedelta = False,
    ) -> None:
        if not crons:
            raise ValueError("cron expression required")
        self._timetables = [
            CronTriggerTimetable(cron, timezone, interval=interval, run_immediately=run_immediately) for cron in crons
        ]

    @property
    def summary(self) -> str:
        """The cron expressions."""
        return ", ".join(one.summary for one in self._timetables)

    @property
    def description(self) -> str:  # type: ignore[override]
        """The cron expressions in words."""
        return " and ".join(one.description for one in self._timetables)

    def validate(self) -> None:
        """Check the cron expressions."""
        for one in self._timetables:
            one.validate()

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {**self._timetables[0].fields(), "crons": [one.expression for one in self._timetables]}


class CronPartitionTimetable(CronTriggerTimetable):
    """A run at each tick of a cron expression, for the partition of that date."""

    partitioned = True

    def __init__(
        self,
        cron: str,
        *,
        timezone: Any,
        run_offset: int | None = None,
        run_immediately: bool | dt.timedelta = False,
        key_format: str = "%Y-%m-%dT%H:%M:%S",
    ) -> None:
        if run_offset is not None and not isinstance(run_offset, int):
            raise ValueError("Run offset other than integer not supported yet.")
        super().__init__(cron, timezone, run_immediately=run_immediately)
        self.run_offset = run_offset
        self.key_format = key_format

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {**super().fields(), "data": {"run_offset": self.run_offset or 0, "key_format": self.key_format}}


class _Delta(_ByTime):
    def __init__(self, delta: Any) -> None:
        if not _is_delta(delta):
            raise AirflowTimetableInvalid(f"{delta!r} is neither a timedelta nor a relativedelta")
        self._delta = delta

    @property
    def summary(self) -> str:
        """The delta."""
        return str(self._delta)

    def validate(self) -> None:
        """Check that the delta goes forward."""
        start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        if start + self._delta <= start:
            raise AirflowTimetableInvalid(f"schedule interval must be positive, not {self._delta!r}")

    def fields(self) -> dict[str, Any]:
        """Return the delta."""
        return _delta_fields("delta", self._delta)


class DeltaDataIntervalTimetable(_Delta):
    """A run at the end of each interval of a fixed length, about that interval."""

    kind = "delta_interval"


class DeltaTriggerTimetable(_Delta):
    """A run every so often.

    Args:
        delta: how often.
        interval: how long before that the data interval begins.
    """

    kind = "delta_trigger"

    def __init__(self, delta: Any, *, interval: Any = dt.timedelta()) -> None:
        super().__init__(delta)
        self.interval = interval

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {**super().fields(), **_delta_fields("interval", self.interval)}


class EventsTimetable(_ByTime):
    """A run at each of a list of dates.

    Args:
        event_dates: the dates.
        restrict_to_events: a manual run is about the latest of them, rather than about now.
        presorted: the dates are in order.
        description: what they are.
    """

    kind = "events"

    def __init__(
        self,
        event_dates: Iterable[dt.datetime],
        restrict_to_events: bool = False,
        presorted: bool = False,
        description: str | None = None,
    ) -> None:
        from gnomon.sdk.timezone import coerce_datetime

        dates = [coerce_datetime(date) for date in event_dates]
        self.event_dates: list[Any] = dates if presorted else sorted(dates)
        self.restrict_to_events = restrict_to_events
        self._description = description

    @property
    def summary(self) -> str:
        """How many dates."""
        return f"{len(self.event_dates)} events"

    @property
    def description(self) -> str:  # type: ignore[override]
        """What the dates are."""
        if self._description:
            return self._description
        if not self.event_dates:
            return "No events"
        return f"{len(self.event_dates)} events between {self.event_dates[0]} and {self.event_dates[-1]}"

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {
            "events": [date.isoformat() for date in self.event_dates],
            "restrict_to_events": self.restrict_to_events,
            "description": self._description,
        }


class PartitionedAtRuntime(NullTimetable):
    """Never by itself; whoever triggers a run says which partition it is about."""

    kind = "partitioned_at_runtime"
    partitioned = True
    description = "Never, partition key(s) set at runtime"

    @property
    def summary(self) -> str:
        """The name of the class."""
        return "PartitionedAtRuntime"


DatasetOrTimeSchedule = AssetOrTimeSchedule


def interpret(schedule: Any, timezone: Any) -> Timetable:
    """Return the timetable of a DAG's `schedule`.

    Args:
        schedule: None, a preset, a cron expression, a timedelta or relativedelta, an asset, several, or a Timetable.
        timezone: where the clock of a cron expression hangs; called without arguments if it is a function.

    Raises:
        ValueError: it is none of these.
    """
    if schedule is None or schedule == "None":
        return NullTimetable()
    if isinstance(schedule, Timetable):
        return schedule
    if schedule == "@once":
        return OnceTimetable()
    if schedule == "@continuous":
        return ContinuousTimetable()
    if isinstance(schedule, BaseAsset):
        return AssetTriggeredTimetable(schedule)
    intervals = _data_intervals()
    if isinstance(schedule, str):
        zone = timezone() if callable(timezone) else timezone
        return CronDataIntervalTimetable(schedule, zone) if intervals else CronTriggerTimetable(schedule, zone)
    if _is_delta(schedule):
        return DeltaDataIntervalTimetable(schedule) if intervals else DeltaTriggerTimetable(schedule)
    if isinstance(schedule, Collection):
        if not all(isinstance(one, BaseAsset) for one in schedule):
            raise ValueError("All elements in 'schedule' should be either assets, asset references, or asset aliases")
        return AssetTriggeredTimetable(AssetAll(*schedule))
    raise ValueError(f"{schedule!r} is not a valid schedule.")


def _data_intervals() -> bool:
    from gnomon.sdk.settings import profile, setting

    return bool(setting("scheduler", "create_cron_data_intervals", profile() == 2))
