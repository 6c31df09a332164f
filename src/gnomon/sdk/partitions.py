"""Partitions of assets: how the partition of an upstream event becomes that of the run downstream.

What these classes say is data for the scheduler, which works it out with `gnomon.model.partitions`; so do they, when
somebody asks them. A subclass of the user's own is asked itself, see `gnomon.parsing.partition_answers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from gnomon.sdk.partition_data import custom_data
from gnomon.sdk.partition_windows import (
    DayWindow,
    HourWindow,
    MinimumCount,
    MonthWindow,
    QuarterWindow,
    SegmentWindow,
    WaitForAll,
    WaitPolicy,
    WeekWindow,
    Window,
    YearWindow,
)

if TYPE_CHECKING:
    from gnomon.model import partitions as model

__all__ = [
    "AllowedKeyMapper",
    "ChainMapper",
    "DayWindow",
    "FanOutMapper",
    "FixedKeyMapper",
    "HourWindow",
    "IdentityMapper",
    "MinimumCount",
    "MonthWindow",
    "PartitionMapper",
    "ProductMapper",
    "QuarterWindow",
    "RollupMapper",
    "SegmentWindow",
    "StartOfDayMapper",
    "StartOfHourMapper",
    "StartOfMonthMapper",
    "StartOfQuarterMapper",
    "StartOfWeekMapper",
    "StartOfYearMapper",
    "WaitForAll",
    "WaitPolicy",
    "WeekWindow",
    "Window",
    "YearWindow",
]


_PAIR = ("decode_downstream", "encode_upstream")


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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [getattr(cls, name) is not getattr(PartitionMapper, name) for name in _PAIR]
        if own[0] is not own[1]:
            raise TypeError(f"{cls.__qualname__} has to define both of {' and '.join(_PAIR)}, or none of them")

    def as_data(self) -> dict[str, Any]:
        """Return the mapper as data; of one of the user's own, its name and what it says of itself."""
        if type(self).__module__ == __name__:
            return self._whole(self._fields())
        data = custom_data(self, needs="to_downstream", base=PartitionMapper)
        if self.is_rollup:
            data["wait"] = getattr(self, "wait_policy", None) or WaitForAll()
            data["wait"] = data["wait"].as_data()
        return self._whole(data)

    def _whole(self, fields: dict[str, Any]) -> dict[str, Any]:
        limit = {} if self.max_downstream_keys is None else {"max": self.max_downstream_keys}
        return {**fields, **limit}

    def _fields(self) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define to_downstream()")

    def serialize(self) -> dict[str, Any]:
        """Return what tells one mapper of a class from another."""
        return {} if self.max_downstream_keys is None else {"max_downstream_keys": self.max_downstream_keys}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PartitionMapper:
        """Return the mapper that `serialize` wrote."""
        return cls(max_downstream_keys=data.get("max_downstream_keys"))

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key or keys downstream.

        Raises:
            ValueError: the key does not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define to_downstream()")

    def decode_downstream(self, downstream_key: str) -> Any:
        """Return what a key downstream stands for, in the form that windows take."""
        return downstream_key

    def encode_upstream(self, decoded: Any) -> str:
        """Return the key upstream of a member of a window."""
        encoded: str = decoded
        return encoded

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        """Return the moment that a key downstream stands for, if it does."""
        return None

    def carry_partition_date(self, source_partition_date: datetime | None) -> datetime | None:
        """Return what becomes of the date of the run upstream."""
        return None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), repr(self.as_data())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.as_data()})"


class _Modelled(PartitionMapper):
    """A mapper that comes with the SDK; a class of the user's that inherits from it may have parts of its own."""

    def _model(self) -> model.Mapper:
        from gnomon.model.partitions import build

        return build(self._whole(self._fields()))

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key or keys downstream."""
        keys = self._model().downstream(key)
        return keys[0] if len(keys) == 1 else keys

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        """Return the moment that a key downstream stands for, if it does."""
        return self._model().date(downstream_key)


class IdentityMapper(_Modelled):
    """The same key."""

    def carry_partition_date(self, source_partition_date: datetime | None) -> datetime | None:
        """Return the date of the run upstream, for the key stays too."""
        return source_partition_date

    def _fields(self) -> dict[str, Any]:
        return {"kind": "identity"}


class FixedKeyMapper(_Modelled):
    """Always one key."""

    def __init__(self, downstream_key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(downstream_key, str) or not downstream_key:
            raise ValueError(f"FixedKeyMapper downstream_key must be a non-empty str; got {downstream_key!r}.")
        self.downstream_key = downstream_key

    def _fields(self) -> dict[str, Any]:
        return {"kind": "fixed", "key": self.downstream_key}


class AllowedKeyMapper(_Modelled):
    """The same key, if it is one of some."""

    def __init__(self, allowed_keys: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed_keys = list(allowed_keys)

    def _fields(self) -> dict[str, Any]:
        return {"kind": "allowed", "keys": self.allowed_keys}


class ChainMapper(_Modelled):
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

    def _model(self) -> model.Mapper:
        from gnomon.model.partitions import Chain

        return Chain(self.max_downstream_keys, tuple(map(as_model, self.mappers)))


class ProductMapper(_Modelled):
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

    def _model(self) -> model.Mapper:
        from gnomon.model.partitions import Product

        return Product(self.max_downstream_keys, tuple(map(as_model, self.mappers)), self.delimiter)


class _StartOf(_Modelled):
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

    def _start_of(self) -> model.StartOf:
        from gnomon.model.partitions import StartOf

        made = self._model()
        assert isinstance(made, StartOf)
        return made

    def serialize(self) -> dict[str, Any]:
        """Return the zone and the formats."""
        fields = {name: value for name, value in self._fields().items() if name not in ("kind", "unit")}
        return {**fields, **super().serialize()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PartitionMapper:
        """Return the mapper that `serialize` wrote."""
        return cls(**data)

    def normalize(self, dt: datetime) -> datetime:
        """Return the start of the period that a moment is in."""
        return self._start_of().start(dt)

    def format(self, dt: datetime) -> str:
        """Return the key downstream of a period that begins then."""
        return self._start_of().format(dt)

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key of the period that a key is in."""
        return self.format(self.normalize(self._start_of().moment(key)))

    def decode_downstream(self, downstream_key: str) -> datetime:
        """Return when the period of a key begins."""
        return self._start_of().decode(downstream_key)

    def encode_upstream(self, decoded: Any) -> str:
        """Return the key upstream of a moment."""
        return self._start_of().encode(decoded)

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        """Return when the period of a key begins, as a moment of the mapper's zone."""
        start = self.normalize(self.decode_downstream(downstream_key))
        return self._start_of().local(start) if start.tzinfo is None else start


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


# ----------------------------------------------------------------------------------- of many, and into many


class RollupMapper(_Modelled):
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

    def _model(self) -> model.Mapper:
        from gnomon.model.partitions import Rollup

        wait = tuple(self.wait_policy.as_data().items())
        return Rollup(self.max_downstream_keys, as_model(self.upstream_mapper), as_window(self.window), wait)

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the key of the whole."""
        return self.upstream_mapper.to_downstream(key)

    def to_upstream(self, downstream_key: str) -> frozenset[str]:
        """Return the keys upstream that make up a key."""
        return self._model().expected(downstream_key)  # type: ignore[attr-defined]

    def serialize(self) -> dict[str, Any]:
        """Return the parts."""
        return {**self._fields(), **super().serialize()}


class FanOutMapper(_Modelled):
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

    def _model(self) -> model.Mapper:
        from gnomon.model.partitions import FanOut

        mappers = as_model(self.upstream_mapper), as_window(self.window), as_model(self.downstream_mapper)
        return FanOut(self.max_downstream_keys, *mappers)

    def to_downstream(self, key: str) -> list[str]:
        """Return the keys of the parts."""
        return self._model().downstream(key)

    def serialize(self) -> dict[str, Any]:
        """Return the parts."""
        return {**self._fields(), **super().serialize()}


def as_model(mapper: PartitionMapper) -> model.Mapper:
    """Return a mapper for the model; one of the user's own is asked by it."""
    from gnomon.sdk.own_partitions import OwnMapper

    return mapper._model() if _is_ours(mapper) else OwnMapper(mapper)  # type: ignore[attr-defined]


def as_window(window: Window) -> model.Window:
    """Return a window for the model; one of the user's own is asked by it."""
    from gnomon.model.partitions import window as build
    from gnomon.sdk.own_partitions import OwnWindow

    return build(window.as_data()) if type(window).__module__ == Window.__module__ else OwnWindow(window)


def _is_ours(mapper: PartitionMapper) -> bool:
    return type(mapper).__module__ == __name__
