"""Time zones as Airflow's authors use them; pendulum is imported with the first date."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pendulum import DateTime
    from pendulum.tz.timezone import FixedTimezone, Timezone

#: UTC, until somebody asks for pendulum's own through `timezone.utc`.
_UTC = dt.UTC


def __getattr__(name: str) -> Any:
    if name in ("utc", "TIMEZONE"):
        import pendulum

        value = pendulum.UTC if name == "utc" else default_timezone()
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def default_timezone() -> Timezone | FixedTimezone:
    """Return the zone of dates without one: `[core] default_timezone`, UTC unless set."""
    import pendulum

    from gnomon.sdk.settings import setting

    name = setting("core", "default_timezone", "utc")
    if name == "system":
        return pendulum.tz.get_local_timezone()
    return parse_timezone(name)


local_timezone = default_timezone


def parse_timezone(name: str | int) -> Timezone | FixedTimezone:
    """Return the zone of an IANA name, "UTC", an offset such as "+02:00", or seconds east of Greenwich."""
    import pendulum

    if isinstance(name, str):
        if name.lower() == "utc":
            return pendulum.UTC
        if name[:1] in "+-" and ":" in name:
            hours, minutes = name[1:].split(":")[:2]
            sign = -1 if name[0] == "-" else 1
            return pendulum.timezone(sign * (int(hours) * 3600 + int(minutes) * 60))
    return pendulum.timezone(name)


def name_of(zone: Any) -> str:
    """Return the name by which `parse_timezone` and the scheduler find a zone again."""
    for attribute in ("key", "zone", "name"):
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and name:
            return "UTC" if name.upper() in ("UTC", "+00:00") else name
    offset = zone.utcoffset(dt.datetime(2000, 1, 1))
    if not offset:
        return "UTC"
    seconds = int(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    return f"{sign}{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def is_localized(value: dt.datetime) -> bool:
    """Tell whether a date has a time zone."""
    return value.utcoffset() is not None


def is_naive(value: dt.datetime) -> bool:
    """Tell whether a date lacks a time zone."""
    return value.utcoffset() is None


def utcnow() -> DateTime:
    """Return the current time, in UTC."""
    import pendulum

    return pendulum.now("UTC")


def utc_epoch() -> DateTime:
    """Return 1970-01-01, in UTC."""
    import pendulum

    return pendulum.datetime(1970, 1, 1)


def convert_to_utc(value: dt.datetime | None) -> DateTime | None:
    """Return a date in UTC; one without a zone is taken to be in the default zone."""
    if value is None:
        return None
    import pendulum

    if value.utcoffset() is None:
        value = pendulum.instance(value, tz=default_timezone())
    return pendulum.instance(value).in_timezone("UTC")


def make_aware(value: dt.datetime | None, timezone: Any = None) -> Any:
    """Return a date without a zone as the same wall clock time in `timezone`.

    Raises:
        ValueError: the date has a zone already.
    """
    if value is None:
        return None
    if is_localized(value):
        raise ValueError(f"make_aware expects a naive datetime, got {value}")
    import pendulum

    zone = timezone if timezone is not None else default_timezone()
    fold = getattr(value, "fold", 1)
    return pendulum.instance(value.replace(fold=fold), tz=zone)


def make_naive(value: dt.datetime, timezone: Any = None) -> dt.datetime:
    """Return the wall clock time of a date in `timezone`, without a zone.

    Raises:
        ValueError: the date has no zone.
    """
    if is_naive(value):
        raise ValueError("make_naive() cannot be applied to a naive datetime")
    local = value.astimezone(timezone if timezone is not None else default_timezone())
    return dt.datetime(*local.timetuple()[:6], microsecond=local.microsecond)


def coerce_datetime(value: dt.datetime | None, tz: Any = None) -> DateTime | None:
    """Return any date as pendulum's, with a time zone."""
    if value is None:
        return None
    import pendulum

    if value.utcoffset() is None:
        return pendulum.instance(value, tz=tz if tz is not None else default_timezone())
    return pendulum.instance(value if tz is None else value.astimezone(tz))


def datetime(*args: Any, **kwargs: Any) -> Any:
    """Return `datetime(…)` in the default time zone unless `tzinfo` is given."""
    if "tzinfo" in kwargs:
        return dt.datetime(*args, **kwargs)
    import pendulum

    return pendulum.instance(dt.datetime(*args, **kwargs), tz=default_timezone())


def parse(string: str, timezone: Any = None, *, strict: bool = False) -> DateTime:
    """Read a date."""
    import pendulum

    return pendulum.parse(string, tz=timezone or default_timezone(), strict=strict)  # type: ignore[return-value]


def from_timestamp(timestamp: float, tz: Any = None) -> DateTime:
    """Return the date of seconds since the epoch."""
    import pendulum

    zone: Any = default_timezone() if tz == "local" else parse_timezone(tz) if isinstance(tz, str) else tz
    return pendulum.from_timestamp(timestamp, tz=zone or pendulum.UTC)


def td_format(td_object: dt.timedelta | float | None) -> str | None:
    """Return a duration in words: "1d:2h:3m"."""
    if not td_object:
        return None
    seconds = td_object.total_seconds() if isinstance(td_object, dt.timedelta) else td_object
    whole = int(seconds)
    parts = []
    for label, size in (("yr", 31536000), ("M", 2592000), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{label}")
    return ":".join(parts) or "<1s"
