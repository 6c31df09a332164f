"""Fixed distances: a timedelta, or a relativedelta for months and years. Both are added to UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta, weekday

from gnomon.model.timetables.base import Profile, TimetableError

Delta = timedelta | relativedelta
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)


def delta(seconds: float | None, relative: dict[str, int] | None, *, field: str = "schedule") -> Delta:
    """Return the distance that the two fields of a spec mean.

    Args:
        relative: the arguments of a relativedelta; `weekday` is a number, and `weekday_n` which one of them.

    Raises:
        TimetableError: `relative` has names that relativedelta does not know.
    """
    if relative is None:
        return timedelta(seconds=seconds or 0.0)
    arguments: dict[str, Any] = dict(relative)
    nth = arguments.pop("weekday_n", 1)
    try:
        if "weekday" in arguments:
            arguments["weekday"] = weekday(arguments["weekday"], nth)
        return relativedelta(**arguments)
    except (TypeError, ValueError) as error:
        raise TimetableError(f"the {field} {relative!r} is not a relativedelta: {error}") from None


class DeltaSchedule:
    """Steps of a fixed distance from wherever one stands; every moment is on it."""

    def __init__(self, delta: Delta) -> None:
        if _SOME_DAY + delta <= _SOME_DAY:
            raise TimetableError(f"a schedule must be a positive distance, not {delta!r}")
        self.delta = delta

    def after(self, moment: datetime) -> datetime:
        """Return the moment one step later."""
        return moment + self.delta

    def before(self, moment: datetime) -> datetime:
        """Return the moment one step earlier."""
        return moment - self.delta

    def at_or_after(self, moment: datetime) -> datetime:
        """Return `moment`."""
        return moment

    def at_or_before(self, moment: datetime) -> datetime:
        """Return `moment`."""
        return moment

    def floor(self, moment: datetime, anchor: datetime, profile: Profile) -> datetime:
        """Return the last step at or before `moment`.

        Steps of a fixed length are counted from the epoch. Months and years have none: Airflow 3 counts them from
        `anchor`, the start date, step by step (31 January, 28 February, 28 March …); Airflow 2 takes months of 30 days.
        """
        if profile == 3 and isinstance(self.delta, relativedelta) and (self.delta.months or self.delta.years):
            step = anchor
            while (following := self.after(step)) <= moment:
                step = following
            return step
        return moment - (moment - _EPOCH) % self._length()

    def _length(self) -> timedelta:
        if isinstance(self.delta, timedelta):
            return self.delta
        days = self.delta.years * 365 + self.delta.months * 30 + self.delta.days
        length = timedelta(days=days, hours=self.delta.hours, minutes=self.delta.minutes, seconds=self.delta.seconds)
        if length <= timedelta():
            raise TimetableError(f"the schedule {self.delta!r} has no length that runs could be lined up by")
        return length
