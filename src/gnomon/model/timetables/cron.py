"""Cron expressions in a time zone, with Airflow's answers where clocks change.

croniter counts on naive local time. How its answer becomes a moment decides what happens when clocks change:
a time that the clock skips is taken as far after the gap as it lies in it; a time that occurs twice is the second
one. Only an expression whose hour field is `*` counts real elapsed time instead, so that it also ticks through the
repeated hour.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from gnomon.model.timetables.base import TimetableError

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2}):?(\d{2})(?::?(\d{2}))?")


def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name or of a fixed offset such as "+02:00".

    Raises:
        TimetableError: there is no such zone.
    """
    if name.upper() in ("UTC", "Z"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes, seconds = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
        return timezone(offset if sign == "+" else -offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TimetableError(f"{name!r} is not a time zone (an IANA name or an offset such as +02:00)") from None


class CronSchedule:
    """The moments, in UTC, at which a cron expression is due in a time zone."""

    def __init__(self, expression: str, timezone: str) -> None:
        self.expression = PRESETS.get(expression, expression)
        self.zone = zone(timezone)
        try:
            self._elapsed = _every_hour(self.expression)
        except (CroniterError, AttributeError, TypeError) as error:
            raise TimetableError(f"{expression!r} is not a cron expression: {error}") from None

    def after(self, moment: datetime) -> datetime:
        """Return the first tick later than `moment`."""
        return self._step(moment, forward=True)

    def before(self, moment: datetime) -> datetime:
        """Return the last tick earlier than `moment`."""
        return self._step(moment, forward=False)

    def at_or_after(self, moment: datetime) -> datetime:
        """Return `moment` if it is a tick, else the next one."""
        following = self.after(moment)
        return moment if self.before(following) == moment else following

    def at_or_before(self, moment: datetime) -> datetime:
        """Return `moment` if it is a tick, else the one before it."""
        previous = self.before(moment)
        return moment if self.after(previous) == moment else previous

    def _step(self, moment: datetime, *, forward: bool) -> datetime:
        local = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        try:
            cron = croniter(self.expression, local)
            tick: datetime = cron.get_next(datetime) if forward else cron.get_prev(datetime)
        except CroniterError as error:  # the 30th of February
            raise TimetableError(f"{self.expression!r} never comes due: {error}") from None
        if self._elapsed:
            return moment.astimezone(UTC) + (tick - local)
        return self.moment(tick)

    def moment(self, local: datetime) -> datetime:
        """Return the moment a wall clock shows `local`; the second one, or just after the gap."""
        early = local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        late = local.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        return max(early, late)


@lru_cache(maxsize=1024)
def _every_hour(expression: str) -> bool:
    return bool(croniter(expression).expanded[1] == ["*"])


@lru_cache(maxsize=1024)
def describe(expression: str) -> str:
    """Return a cron expression in words; an empty text if there are none for it."""
    from cron_descriptor import (  # type: ignore[import-untyped]
        CasingTypeEnum,
        ExpressionDescriptor,
        FormatException,
        MissingFieldException,
    )

    def words(fields: list[str]) -> str:
        return str(
            ExpressionDescriptor(
                " ".join(fields), casing_type=CasingTypeEnum.Sentence, use_24hour_time_format=True
            ).get_description()
        )

    fields = PRESETS.get(expression, expression).split()
    try:
        if len(fields) == 5 and fields[2] != "*" and fields[4] != "*":
            # cron takes either of the two day fields, which a reader would not guess from one sentence
            return f"{words([*fields[:4], '*'])} (or) {words([*fields[:2], '*', *fields[3:]])}"
        return words(fields) if len(fields) == 5 else ""
    except (FormatException, MissingFieldException, ValueError):
        return ""
