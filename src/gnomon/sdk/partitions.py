"""Partitions of assets: how the partition of an upstream event becomes that of the run downstream.

What these classes say is data for the scheduler, which works it out with `gnomon.model.partitions`; so do they, when
somebody asks them. A subclass of the user's own cannot be evaluated there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar


class PartitionMapper:
    """Turns a key upstream into one or several keys downstream.

    Args:
        max_downstream_keys: how many keys one may become.
    """

    is_rollup: ClassVar[bool] = False
    expected_decoded_type: ClassVar[type] = str

    def __init__(self, *, max_downstream_keys: int | None = None) -> None:
        if max_downstream_keys is not None and (not isinstance(max_downstream_keys, int) or max_downstream_keys < 1):
            raise ValueError(f"max_downstream_keys must be a positive integer or None, got {max_downstream_keys!r}")
        self.max_downstream_keys = max_downstream_keys

    def as_data(self) -> dict[str, Any]:
        """Return the mapper as data; one of the user's own is only named."""
        if type(self).__module__ != __name__:
            return {"kind": "custom", "classpath": f"{type(self).__module__}.{type(self).__qualname__}"}
        limit = {} if self.max_downstream_keys is None else {"max": self.max_downstream_keys}
        return {**self._fields(), **limit}

    def _fields(self) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define to_downstream()")

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key or keys downstream.

        Raises:
            ValueError: the key does not fit.
        """
        from gnomon.model.partitions import build

        keys = build(self.as_data()).downstream(key)
        return keys[0] if len(keys) == 1 and not isinstance(self, FanOutMapper) else keys

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), repr(self.as_data())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.as_data()})"


class IdentityMapper(PartitionMapper):
    """The same key."""

    def _fields(self) -> dict[str, Any]:
        return {"kind": "identity"}


class FixedKeyMapper(PartitionMapper):
    """Always one key."""

    def __init__(self, downstream_key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(downstream_key, str) or not downstream_key:
            raise ValueError(f"FixedKeyMapper downstream_key must be a non-empty str; got {downstream_key!r}.")
        self.downstream_key = downstream_key

    def _fields(self) -> dict[str, Any]:
        return {"kind": "fixed", "key": self.downstream_key}


class AllowedKeyMapper(PartitionMapper):
    """The same key, if it is one of some."""

    def __init__(self, allowed_keys: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed_keys = list(allowed_keys)

    def _fields(self) -> dict[str, Any]:
        return {"kind": "allowed", "keys": self.allowed_keys}


class ChainMapper(PartitionMapper):
    """Several mappers, one after the other."""

    def __init__(
        self,
        mapper0: PartitionMapper,
        mapper1: PartitionMapper,
        /,
        *mappers: PartitionMapper,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.mappers = [mapper0, mapper1, *mappers]

    def _fields(self) -> dict[str, Any]:
        return {"kind": "chain", "mappers": [mapper.as_data() for mapper in self.mappers]}


class ProductMapper(PartitionMapper):
    """A key of several parts; each part has a mapper of its own."""

    def __init__(
        self,
        mapper0: PartitionMapper,
        mapper1: PartitionMapper,
        /,
        *mappers: PartitionMapper,
        delimiter: str = "|",
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.mappers, self.delimiter = [mapper0, mapper1, *mappers], delimiter

    def _fields(self) -> dict[str, Any]:
        mappers = [mapper.as_data() for mapper in self.mappers]
        return {"kind": "product", "mappers": mappers, "delimiter": self.delimiter}


class _StartOf(PartitionMapper):
    expected_decoded_type = datetime
    unit: ClassVar[str]
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

    def _fields(self) -> dict[str, Any]:
        from gnomon.sdk.timezone import name_of

        zone = self.timezone if isinstance(self.timezone, str) else name_of(self.timezone)
        formats = {"input_format": self.input_format, "output_format": self.output_format}
        return {"kind": "start_of", "unit": self.unit, "timezone": zone, **formats}


class StartOfHourMapper(_StartOf):
    """The hour."""

    unit = "hour"
    default_output_format = "%Y-%m-%dT%H"


class StartOfDayMapper(_StartOf):
    """The day."""

    unit = "day"


class StartOfWeekMapper(_StartOf):
    """The week; it begins on Monday."""

    unit = "week"
    default_output_format = "%Y-%m-%d (W%V)"


class StartOfMonthMapper(_StartOf):
    """The month."""

    unit = "month"
    default_output_format = "%Y-%m"


class StartOfQuarterMapper(_StartOf):
    """The quarter."""

    unit = "quarter"
    default_output_format = "%Y-Q{quarter}"


class StartOfYearMapper(_StartOf):
    """The year."""

    unit = "year"
    default_output_format = "%Y"


# ------------------------------------------------------------------------------------ policies and windows


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
        """Return the window as data; one of the user's own is only named."""
        if type(self).__module__ != __name__:
            return {"kind": "custom", "classpath": f"{type(self).__module__}.{type(self).__qualname__}"}
        return {"kind": self.kind, **self.serialize()}

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


# ----------------------------------------------------------------------------------- of many, and into many


class RollupMapper(PartitionMapper):
    """Many partitions upstream make one downstream.

    Args:
        upstream_mapper: from a key upstream to the key of the whole.
        window: what the whole is made of.
        wait_policy: how much of it has to be there; all, unless given.
    """

    is_rollup = True

    def __init__(
        self, *, upstream_mapper: PartitionMapper, window: Window, wait_policy: WaitPolicy | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        wanted, given = window.expected_decoded_type, upstream_mapper.expected_decoded_type
        if wanted is not given:
            raise TypeError(
                f"{type(window).__name__} expects decoded values of type {wanted.__name__!r}, but"
                f" {type(upstream_mapper).__name__} decodes to {given.__name__!r}"
            )
        self.upstream_mapper, self.window = upstream_mapper, window
        self.wait_policy = wait_policy or WaitForAll()

    def _fields(self) -> dict[str, Any]:
        parts = {"mapper": self.upstream_mapper.as_data(), "window": self.window.as_data()}
        return {"kind": "rollup", **parts, "wait": self.wait_policy.as_data()}


class FanOutMapper(PartitionMapper):
    """One partition upstream makes many downstream.

    Args:
        upstream_mapper: from a key upstream to the start of its period.
        window: what the period is made of.
        downstream_mapper: what the keys of its parts look like; what fits the window, unless given.
    """

    default_downstream_mapper_by_window_name: ClassVar[dict[str, type[PartitionMapper]]] = {
        "DayWindow": StartOfHourMapper,
        "WeekWindow": StartOfDayMapper,
        "MonthWindow": StartOfDayMapper,
        "QuarterWindow": StartOfMonthMapper,
        "YearWindow": StartOfMonthMapper,
    }

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        if downstream_mapper is None:
            made = self.default_downstream_mapper_by_window_name.get(type(window).__name__)
            if made is None:
                raise ValueError(
                    f"{type(self).__name__} has no default downstream_mapper for window type"
                    f" {type(window).__name__}; pass downstream_mapper explicitly."
                )
            downstream_mapper = made()
        self.upstream_mapper, self.window, self.downstream_mapper = upstream_mapper, window, downstream_mapper

    def _fields(self) -> dict[str, Any]:
        parts = {"mapper": self.upstream_mapper.as_data(), "window": self.window.as_data()}
        return {"kind": "fan_out", **parts, "downstream": self.downstream_mapper.as_data()}
