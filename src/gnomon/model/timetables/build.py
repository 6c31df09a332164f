"""From a schedule as data to a timetable that can be asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gnomon.model.timetables.base import Profile, Timetable, TimetableError, TimetableSpec
from gnomon.model.timetables.custom import Custom
from gnomon.model.timetables.delta import Delta, DeltaSchedule, delta
from gnomon.model.timetables.interval import CronInterval, DeltaInterval
from gnomon.model.timetables.partitioned import CronPartition, PartitionedAssets, PartitionedAtRuntime
from gnomon.model.timetables.simple import AssetOrTime, Assets, Continuous, Events, Null, Once
from gnomon.model.timetables.trigger import CronTrigger, DeltaTrigger, MultipleCronTrigger


def build(spec: TimetableSpec, profile: Profile = 3) -> Timetable:
    """Return the timetable of a spec.

    Raises:
        TimetableError: the kind is unknown, or a field of the spec cannot be used.
    """
    make = _KINDS.get(spec.kind)
    if make is None:
        raise TimetableError(f"{spec.kind!r} is not a kind of timetable")
    return make(spec, profile)


def _cron_interval(spec: TimetableSpec, profile: Profile) -> Timetable:
    return CronInterval(_single_cron(spec), spec.timezone)


def _single_cron_trigger(spec: TimetableSpec, profile: Profile) -> Timetable:
    if spec.data is not None and "key_format" in spec.data:
        form, offset = spec.data["key_format"], spec.data.get("run_offset") or 0
        cron = _single_cron(spec)
        return CronPartition(cron, spec.timezone, spec.run_immediately, profile, form=form, offset=offset)
    return _cron_trigger(spec, _single_cron(spec), profile)


def _multiple_cron_trigger(spec: TimetableSpec, profile: Profile) -> Timetable:
    if not spec.crons:
        raise TimetableError("a multiple cron schedule needs at least one expression")
    return MultipleCronTrigger([_cron_trigger(spec, cron, profile) for cron in spec.crons])


def _delta_trigger(spec: TimetableSpec, profile: Profile) -> Timetable:
    return DeltaTrigger(DeltaSchedule(delta(spec.delta, spec.relative)), _interval(spec), profile)


def _delta_interval(spec: TimetableSpec, profile: Profile) -> Timetable:
    return DeltaInterval(DeltaSchedule(delta(spec.delta, spec.relative)), profile)


def _events(spec: TimetableSpec, profile: Profile) -> Timetable:
    moments = [_moment(text) for text in spec.events]
    return Events(moments, restrict_to_events=spec.restrict_to_events, description=spec.description)


def _custom(spec: TimetableSpec, profile: Profile) -> Timetable:
    if not spec.classpath:
        raise TimetableError("a custom timetable needs the import path of its class")
    return Custom(
        spec.classpath,
        spec.data or {},
        summary=spec.summary or spec.classpath.rpartition(".")[2],
        description=spec.description or "",
        can_be_scheduled=spec.can_be_scheduled,
        periodic=spec.periodic,
        active_runs_limit=spec.active_runs_limit,
        names_runs=spec.names_runs,
    )


def _asset_or_time(spec: TimetableSpec, profile: Profile) -> Timetable:
    if spec.base is None:
        raise TimetableError("an asset-or-time schedule needs its time part")
    if spec.base.kind in ("assets", "partitioned_assets", "asset_or_time"):
        raise TimetableError("an asset-or-time schedule cannot have assets as its time part")
    return AssetOrTime(build(spec.base, profile))


def _cron_trigger(spec: TimetableSpec, expression: str, profile: Profile) -> CronTrigger:
    return CronTrigger(expression, spec.timezone, _interval(spec), spec.run_immediately, profile)


def _single_cron(spec: TimetableSpec) -> str:
    if len(spec.crons) != 1:
        raise TimetableError(f"a {spec.kind} schedule has one cron expression, not {len(spec.crons)}")
    return spec.crons[0]


def _interval(spec: TimetableSpec) -> Delta:
    return delta(spec.interval, spec.interval_relative, field="interval")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TimetableError(f"the event {text!r} is not an ISO 8601 time") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_KINDS: dict[str, Callable[[TimetableSpec, Profile], Timetable]] = {
    "null": lambda spec, profile: Null(),
    "once": lambda spec, profile: Once(profile),
    "continuous": lambda spec, profile: Continuous(profile),
    "cron_trigger": _single_cron_trigger,
    "multiple_cron_trigger": _multiple_cron_trigger,
    "cron_interval": _cron_interval,
    "delta_trigger": _delta_trigger,
    "delta_interval": _delta_interval,
    "events": _events,
    "assets": lambda spec, profile: Assets(),
    "partitioned_assets": lambda spec, profile: PartitionedAssets(spec.assets, spec.data),
    "partitioned_at_runtime": lambda spec, profile: PartitionedAtRuntime(),
    "asset_or_time": _asset_or_time,
    "custom": _custom,
}
