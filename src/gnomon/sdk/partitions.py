"""Partitions of assets: how the partition of an upstream event becomes that of the run downstream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar


class PartitionMapper:
    """Turns a key upstream into one or several keys downstream.

    Args:
        max_downstream_keys: how many keys one may become.
    """

    is_rollup: ClassVar[bool] = False
    expected_decoded_type: ClassVar[type] = str

    def __init__(self, *, max_downstream_keys: int | None = None) -> None:
        if max_downstream_keys is not None and max_downstream_keys < 1:
            raise ValueError(f"max_downstream_keys must be at least 1, not {max_downstream_keys}")
        self.max_downstream_keys = max_downstream_keys

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key or keys downstream."""
        raise NotImplementedError(f"{type(self).__name__} does not define to_downstream()")


class IdentityMapper(PartitionMapper):
    """The same key."""

    def to_downstream(self, key: str) -> str:
        """Return the key."""
        return key


class FixedKeyMapper(PartitionMapper):
    """Always one key."""

    def __init__(self, downstream_key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(downstream_key, str) or not downstream_key:
            raise ValueError(f"downstream_key must be a string that is not empty, not {downstream_key!r}")
        self.downstream_key = downstream_key

    def to_downstream(self, key: str) -> str:
        """Return the one key."""
        return self.downstream_key


class AllowedKeyMapper(PartitionMapper):
    """The same key, if it is one of some."""

    def __init__(self, allowed_keys: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed_keys = list(allowed_keys)

    def to_downstream(self, key: str) -> str:
        """Return the key.

        Raises:
            ValueError: it is none of those allowed.
        """
        if key not in self.allowed_keys:
            raise ValueError(f"the partition key {key!r} is none of {self.allowed_keys}")
        return key


class ChainMapper(PartitionMapper):
    """Several mappers, one after the other."""

    def __init__(self, *mappers: PartitionMapper, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.mappers = list(mappers)

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return what the last mapper makes of it."""
        keys = [key]
        for mapper in self.mappers:
            made = [mapper.to_downstream(one) for one in keys]
            keys = [one for each in made for one in ([each] if isinstance(each, str) else each)]
        return keys[0] if len(keys) == 1 else keys


class ProductMapper(PartitionMapper):
    """A key of several parts; each part has a mapper of its own."""

    def __init__(self, *mappers: PartitionMapper, delimiter: str = "|", max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.mappers, self.delimiter = list(mappers), delimiter

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return all combinations of what the mappers make of the parts.

        Raises:
            ValueError: the key has another number of parts.
        """
        from itertools import product

        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            raise ValueError(f"the partition key {key!r} has {len(parts)} parts, not {len(self.mappers)}")
        made = [mapper.to_downstream(part) for mapper, part in zip(self.mappers, parts, strict=True)]
        keys = [self.delimiter.join(one) for one in product(*[[m] if isinstance(m, str) else list(m) for m in made])]
        return keys[0] if len(keys) == 1 else keys


class _StartOf(PartitionMapper):
    expected_decoded_type = datetime
    default_output_format: ClassVar[str] = "%Y-%m-%d"

    def __init__(
        self,
        *,
        timezone: Any = "UTC",
        input_format: str = "%Y-%m-%dT%H:%M:%S",
        output_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timezone = timezone
        self.input_format = input_format
        self.output_format = output_format or self.default_output_format

    def start(self, moment: datetime) -> datetime:
        """Return the start of the period that a moment is in."""
        raise NotImplementedError

    def to_downstream(self, key: str) -> str:
        """Return the start of the period that the key is in."""
        moment = datetime.strptime(key, self.input_format)
        if moment.tzinfo is not None:
            from gnomon.sdk.timezone import parse_timezone

            zone = parse_timezone(self.timezone) if isinstance(self.timezone, str) else self.timezone
            moment = moment.astimezone(zone)
        start = self.start(moment)
        text = self.output_format.replace("{quarter}", str((start.month + 2) // 3))
        return start.strftime(text)


_MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}


class StartOfHourMapper(_StartOf):
    """The hour."""

    default_output_format = "%Y-%m-%dT%H"

    def start(self, moment: datetime) -> datetime:
        """Return the start of the hour."""
        return moment.replace(minute=0, second=0, microsecond=0)


class StartOfDayMapper(_StartOf):
    """The day."""

    def start(self, moment: datetime) -> datetime:
        """Return the start of the day."""
        return moment.replace(**_MIDNIGHT)  # type: ignore[arg-type]


class StartOfWeekMapper(_StartOf):
    """The week; it begins on Monday."""

    default_output_format = "%Y-%m-%d (W%V)"

    def start(self, moment: datetime) -> datetime:
        """Return the start of the week."""
        return (moment - timedelta(days=moment.weekday())).replace(**_MIDNIGHT)  # type: ignore[arg-type]


class StartOfMonthMapper(_StartOf):
    """The month."""

    default_output_format = "%Y-%m"

    def start(self, moment: datetime) -> datetime:
        """Return the start of the month."""
        return moment.replace(day=1, **_MIDNIGHT)  # type: ignore[arg-type]


class StartOfQuarterMapper(_StartOf):
    """The quarter."""

    default_output_format = "%Y-Q{quarter}"

    def start(self, moment: datetime) -> datetime:
        """Return the start of the quarter."""
        return moment.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1, **_MIDNIGHT)  # type: ignore[arg-type]


class StartOfYearMapper(_StartOf):
    """The year."""

    default_output_format = "%Y"

    def start(self, moment: datetime) -> datetime:
        """Return the start of the year."""
        return moment.replace(month=1, day=1, **_MIDNIGHT)  # type: ignore[arg-type]


class WaitPolicy:
    """When a run that collects several partitions may start."""


class WaitForAll(WaitPolicy):
    """When all of them are there."""


class MinimumCount(WaitPolicy):
    """When so many of them are there."""

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or n == 0:
            raise ValueError(f"MinimumCount takes an integer other than 0, not {n!r}")
        self.n = n


class Window:
    """A range of partitions."""

    class Direction(Enum):
        """Which way the range goes."""

        FORWARD = "forward"
        BACKWARD = "backward"

    expected_decoded_type: ClassVar[type] = str

    def __init__(self, *, direction: Window.Direction = Direction.FORWARD) -> None:
        self.direction = direction

    def serialize(self) -> dict[str, Any]:
        """Return the window as data."""
        return {"direction": self.direction.value}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Window:
        """Return the window that `serialize` wrote."""
        return cls(direction=cls.Direction(data["direction"]))


class HourWindow(Window):
    """The minutes of an hour."""

    expected_decoded_type = datetime


class DayWindow(Window):
    """The hours of a day."""

    expected_decoded_type = datetime


class WeekWindow(Window):
    """The days of a week."""

    expected_decoded_type = datetime


class MonthWindow(Window):
    """The days of a month."""

    expected_decoded_type = datetime


class QuarterWindow(Window):
    """The months of a quarter."""

    expected_decoded_type = datetime


class YearWindow(Window):
    """The months of a year."""

    expected_decoded_type = datetime


class SegmentWindow(Window):
    """A fixed set of segments."""

    def __init__(self, segments: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(segments, str):
            raise TypeError("segments has to be a list of strings, not a string")
        self.segments = frozenset(segments)
        if not self.segments or not all(isinstance(one, str) and one for one in self.segments):
            raise ValueError("segments has to be a list of strings, none of them empty")


class RollupMapper(PartitionMapper):
    """Many partitions upstream make one downstream."""

    is_rollup = True

    def __init__(
        self, *, upstream_mapper: PartitionMapper, window: Window, wait_policy: WaitPolicy | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.upstream_mapper, self.window = upstream_mapper, window
        self.wait_policy = wait_policy or WaitForAll()

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key of the whole."""
        return self.upstream_mapper.to_downstream(key)


class FanOutMapper(PartitionMapper):
    """One partition upstream makes many downstream."""

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.upstream_mapper, self.window, self.downstream_mapper = upstream_mapper, window, downstream_mapper
