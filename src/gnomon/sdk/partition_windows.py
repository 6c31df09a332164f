"""What a partition of many partitions is made of, and how much of it has to be there.

What these classes say is data for the scheduler, which works it out with `gnomon.model.partitions`. A window of the
user's own is asked for its members.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from gnomon.sdk.partition_data import custom_data


class WaitPolicy:
    """When a run that collects several partitions may start."""

    def as_data(self) -> dict[str, Any]:
        """Return the policy as data."""
        raise NotImplementedError(f"{type(self).__name__}: use WaitForAll or MinimumCount")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))


class WaitForAll(WaitPolicy):
    """When all of them are there."""

    def as_data(self) -> dict[str, Any]:
        """Return the policy as data."""
        return {"kind": "all"}


class MinimumCount(WaitPolicy):
    """When so many of them are there; a negative number is how many may be missing."""

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or n == 0:
            raise ValueError(f"MinimumCount takes an integer other than 0, not {n!r}: 0 would always fire")
        self.n = n

    def as_data(self) -> dict[str, Any]:
        """Return the policy as data."""
        return {"kind": "minimum", "n": self.n}


class Window:
    """A range of partitions."""

    class Direction(StrEnum):
        """Which way the range goes."""

        FORWARD = "forward"
        BACKWARD = "backward"

    expected_decoded_type: ClassVar[type] = str
    kind: ClassVar[str] = ""

    def __init__(self, *, direction: Window.Direction = Direction.FORWARD) -> None:
        self.direction = self.Direction(direction)

    def serialize(self) -> dict[str, Any]:
        """Return the window as data."""
        return {"direction": self.direction.value}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Window:
        """Return the window that `serialize` wrote."""
        return cls(direction=cls.Direction(data["direction"]))

    def as_data(self) -> dict[str, Any]:
        """Return the window as data; of one of the user's own, its name and what it says of itself."""
        if type(self).__module__ != __name__:
            return custom_data(self, needs="to_upstream", base=Window)
        return {"kind": self.kind, **self.serialize()}

    def to_upstream(self, decoded_downstream: Any) -> Iterable[Any]:
        """Return the members of the period that begins with this one."""
        from gnomon.model.partitions import window

        return window({"kind": self.kind, **self.serialize()}).members(decoded_downstream)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), repr(self.serialize())))


class _TimeWindow(Window):
    expected_decoded_type = datetime


class HourWindow(_TimeWindow):
    """The minutes of an hour."""

    kind = "hour"


class DayWindow(_TimeWindow):
    """The hours of a day."""

    kind = "day"


class WeekWindow(_TimeWindow):
    """The days of a week."""

    kind = "week"


class MonthWindow(_TimeWindow):
    """The days of a month."""

    kind = "month"


class QuarterWindow(_TimeWindow):
    """The months of a quarter."""

    kind = "quarter"


class YearWindow(_TimeWindow):
    """The months of a year."""

    kind = "year"


class SegmentWindow(Window):
    """A fixed set of segments."""

    kind = "segments"

    def __init__(self, segments: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(segments, str):
            raise ValueError("SegmentWindow takes several segment keys, not a string")
        given = list(segments)
        for index, key in enumerate(given):
            if not isinstance(key, str) or not key:
                raise ValueError(f"SegmentWindow segment keys must be non-empty str; got {key!r} at index {index}")
        if not given:
            raise ValueError("SegmentWindow requires at least one segment key; got an empty iterable.")
        self.segments = frozenset(given)

    def serialize(self) -> dict[str, Any]:
        """Return the window as data."""
        return {"segments": sorted(self.segments)}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SegmentWindow:
        """Return the window that `serialize` wrote."""
        return cls(data["segments"])
