"""From a schedule as data to a timetable that can be asked."""

from __future__ import annotations

from datetime import UTC, datetime

from gnomon.model.timetables.base import Profile, Timetable, TimetableError, TimetableSpec
from gnomon.model.timetables.delta import Delta, DeltaSchedule, delta
from gnomon.model.timetables.interval import CronInterval, DeltaInterval
from gnomon.model.timetables.simple import AssetOrTime, Assets, Continuous, Events, Null, Once
from gnomon.model.timetables.trigger import CronTrigger, DeltaTrigger, MultipleCronTrigger


def build(spec: TimetableSpec, profile: Profile = 3) -> Timetable:
    """Return the timetable of a spec.

    Raises:
        TimetableError: the kind is unknown, or a field of the spec cannot be used.
    """
    match spec.kind:
        case "null":
            return Null()
        case "once":
            return Once(profile)
        case "continuous":
            return Continuous(profile)
        case "cron_trigger":
            return _cron_trigger(spec, _single_cron(spec), profile)
        case "multiple_cron_trigger":
            if not spec.crons:
                raise TimetableError("a multiple cron schedule needs at least one expression")
            return MultipleCronTrigger([_cron_trigger(spec, cron, profile) for cron in spec.crons])
        case "cron_interval":
            return CronInterval(_single_cron(spec), spec.timezone)
        case "delta_trigger":
            return DeltaTrigger(DeltaSchedule(delta(spec.delta, spec.relative)), _interval(spec), profile)
        case "delta_interval":
            return DeltaInterval(DeltaSchedule(delta(spec.delta, spec.relative)), profile)
        case "events":
            moments = [_moment(text) for text in spec.events]
            return Events(moments, restrict_to_events=spec.restrict_to_events, description=spec.description)
        case "assets":
            return Assets()
        case "asset_or_time":
            return _asset_or_time(spec, profile)
        case "custom":
            raise TimetableError(f"the custom timetable {spec.classpath} cannot be evaluated yet")
    raise TimetableError(f"{spec.kind!r} is not a kind of timetable")


def _asset_or_time(spec: TimetableSpec, profile: Profile) -> Timetable:
    if spec.base is None:
        raise TimetableError("an asset-or-time schedule needs its time part")
    if spec.base.kind in ("assets", "asset_or_time"):
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
