"""Days of the week."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any


class WeekDay(IntEnum):
    """Days of the week, Monday is 1."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

    @classmethod
    def get_weekday_number(cls, week_day_str: str) -> WeekDay:
        """Return the day of a name.

        Raises:
            AttributeError: there is no such day.
        """
        try:
            return cls[week_day_str.upper()]
        except KeyError:
            raise AttributeError(f'Invalid Week Day passed: "{week_day_str}"') from None

    @classmethod
    def convert(cls, day: str | WeekDay) -> int:
        """Return the number of a day."""
        return int(day) if isinstance(day, WeekDay) else int(cls.get_weekday_number(day))

    @classmethod
    def validate_week_day(cls, week_day: str | WeekDay | Iterable[Any]) -> set[int]:
        """Return the numbers of one day or several.

        Raises:
            TypeError: it is something else.
        """
        if isinstance(week_day, (str, WeekDay)):
            return {cls.convert(week_day)}
        if not isinstance(week_day, Iterable):
            raise TypeError(
                f"Unsupported Type for week_day parameter: {type(week_day)}. Input should be iterable type: str, set,"
                " list, dict or Weekday enum type"
            )
        return {cls.convert(day) for day in week_day}
