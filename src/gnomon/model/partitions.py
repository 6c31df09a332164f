"""How the partition of an upstream event becomes that of the run downstream: mappers, windows and policies, from data.

A mapper takes a key upstream to one or several keys downstream. Where many keys upstream make one downstream (a
rollup), it also says which ones, and its policy how many of them have to be there. What has a custom class in it
cannot be evaluated here, for that is user code: it is asked, see `store.partition_answers`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

import msgspec

from gnomon.model.timetables.cron import zone

Spec = Mapping[str, Any]


class PartitionError(ValueError):
    """A key cannot be mapped, or a mapper not be used; the message says why."""


# -------------------------------------------------------------------------------------------------- windows


@dataclass(frozen=True)
class Window:
    """The keys that make up one period, in decoded form: moments, or the fixed segments."""

    kind: str
    backward: bool = False
    segments: frozenset[str] = frozenset()

    def members(self, start: Any) -> list[Any]:
        """Return what the period that starts at `start` (or ends there, backward) is made of."""
        if self.kind == "segments":
            return sorted(self.segments)
        if self.kind in ("month", "quarter", "year") and start.day != 1:
            raise PartitionError(f"a {self.kind} begins on day 1, not on {start:%Y-%m-%d}")
        if self.kind == "month":
            return self._days_of_month(start)
        step, count = _STEPS[self.kind]
        first = step(start, 1 - count) if self.backward else start
        return [step(first, number) for number in range(count)]

    def _days_of_month(self, start: datetime) -> list[datetime]:
        if not self.backward:
            return [start + timedelta(days=day) for day in range((_months(start, 1) - start).days)]
        before = _months(start, -1)
        return [before + timedelta(days=day + 1) for day in range((start - before).days)]


def _months(moment: datetime, months: int) -> datetime:
    total = moment.month - 1 + months
    return moment.replace(year=moment.year + total // 12, month=total % 12 + 1)


_STEPS: dict[str, tuple[Callable[[datetime, int], datetime], int]] = {
    "hour": (lambda moment, n: moment + timedelta(minutes=n), 60),
    "day": (lambda moment, n: moment + timedelta(hours=n), 24),
    "week": (lambda moment, n: moment + timedelta(days=n), 7),
    "quarter": (_months, 3),
    "year": (_months, 12),
}


def window(spec: Spec) -> Window:
    """Return the window of a spec."""
    kind = spec.get("kind")
    if kind == "segments":
        return Window(kind, segments=frozenset(spec["segments"]))
    if kind not in {*_STEPS, "month"}:
        raise PartitionError(f"{spec.get('classpath') or kind!r} is not a window that the scheduler can evaluate")
    return Window(str(kind), backward=spec.get("direction") == "backward")


# ------------------------------------------------------------------------------------------------- policies


def enough(spec: Spec, arrived: Collection[str], expected: Collection[str]) -> bool:
    """Return whether a policy is content with the keys that have arrived."""
    matched = len(set(arrived) & set(expected))
    if spec.get("kind") == "minimum":
        n = int(spec["n"])
        return matched >= (n if n > 0 else max(0, len(set(expected)) + n))
    return matched == len(set(expected))


# -------------------------------------------------------------------------------------------------- mappers


@dataclass(frozen=True)
class Mapper:
    """The identity, and what all others have."""

    max_keys: int | None = None

    def downstream(self, key: str) -> list[str]:
        """Return the keys that a key upstream belongs to."""
        return [key]

    def decode(self, key: str) -> Any:
        """Return what a key downstream stands for: a moment, or the key itself."""
        return key

    def encode(self, value: Any) -> str:
        """Return the key upstream of a member of a window."""
        return str(value)

    def format(self, value: Any) -> str:
        """Return the key downstream of a member of a window."""
        return value.isoformat() if isinstance(value, datetime) else str(value)

    def date(self, key: str) -> datetime | None:
        """Return the moment that a key downstream stands for, if it does."""
        return None

    def carry(self, date: int | None) -> int | None:
        """Return what becomes of the date of the run upstream: it stays only if the key does."""
        return date

    def complete(self, key: str, arrived: Collection[str]) -> bool:
        """Return whether the keys that arrived are enough for a run of this key; any one is."""
        return True


@dataclass(frozen=True)
class _Dateless(Mapper):
    def carry(self, date: int | None) -> int | None:
        return None


@dataclass(frozen=True)
class FixedKey(_Dateless):
    """Always one key."""

    key: str = ""

    def downstream(self, key: str) -> list[str]:
        return [self.key]


@dataclass(frozen=True)
class AllowedKeys(_Dateless):
    """The same key, if it is one of some."""

    keys: tuple[str, ...] = ()

    def downstream(self, key: str) -> list[str]:
        if key not in self.keys:
            raise PartitionError(f"the partition key {key!r} is none of {', '.join(map(repr, self.keys))}")
        return [key]


@dataclass(frozen=True)
class Chain(_Dateless):
    """Several mappers, one after the other."""

    mappers: tuple[Mapper, ...] = ()

    def downstream(self, key: str) -> list[str]:
        keys = [key]
        for mapper in self.mappers:
            keys = [made for one in keys for made in mapper.downstream(one)]
        return keys

    def date(self, key: str) -> datetime | None:
        return self.mappers[-1].date(key) if self.mappers else None


@dataclass(frozen=True)
class Product(_Dateless):
    """A key of several parts; each part has a mapper of its own."""

    mappers: tuple[Mapper, ...] = ()
    delimiter: str = "|"

    def downstream(self, key: str) -> list[str]:
        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            raise PartitionError(f"the partition key {key!r} has {len(parts)} parts, not {len(self.mappers)}")
        made = [mapper.downstream(part) for mapper, part in zip(self.mappers, parts, strict=True)]
        if any(len(keys) != 1 for keys in made):
            raise PartitionError("a part of a product has to be mapped to one key")
        return [self.delimiter.join(keys[0] for keys in made)]

    def date(self, key: str) -> datetime | None:
        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            return None
        found = [mapper.date(part) for mapper, part in zip(self.mappers, parts, strict=True)]
        dates = [date for date in found if date is not None]
        return dates[0] if len(dates) == 1 else None


@dataclass(frozen=True)
class StartOf(_Dateless):
    """The start of the hour, day, week, month, quarter or year that a key is in."""

    unit: str = "day"
    timezone: str = "UTC"
    input_format: str = "%Y-%m-%dT%H:%M:%S"
    output_format: str = "%Y-%m-%d"

    @cached_property
    def _zone(self) -> tzinfo:
        return zone(self.timezone)

    def downstream(self, key: str) -> list[str]:
        return [self.format(self.start(self.moment(key)))]

    def moment(self, key: str) -> datetime:
        """Return the moment that a key upstream stands for."""
        moment = _parse(key, self.input_format)
        return self.local(moment) if moment.tzinfo is None else moment.astimezone(self._zone)

    def start(self, moment: datetime) -> datetime:
        """Return the start of the period that a moment is in."""
        return _START[self.unit](moment)

    def local(self, naive: datetime) -> datetime:
        """Return a time without zone as one of the mapper's zone."""
        # By way of UTC: a time that the clock skips is then the one after the change, as Airflow has it.
        return naive.replace(tzinfo=self._zone).astimezone(UTC).astimezone(self._zone)

    def format(self, value: Any) -> str:
        text = self.output_format.replace("{quarter}", str((value.month + 2) // 3))
        return str(value.strftime(text))

    def decode(self, key: str) -> datetime:
        if self.unit not in ("week", "quarter"):
            return _parse(key, self.output_format)
        match = _pattern(self.output_format).fullmatch(key)
        parts = match.groupdict() if match is not None else {}
        needed = {"week": {"Y", "m", "d"}, "quarter": {"Y", "quarter"}}[self.unit]
        if not needed <= parts.keys():
            raise PartitionError(f"the partition key {key!r} does not have the form {self.output_format!r}")
        if self.unit == "week":
            return _naive(parts["Y"], parts["m"], parts["d"])
        return _naive(parts["Y"], int(parts["quarter"]) * 3 - 2, 1)

    def encode(self, value: Any) -> str:
        naive = value if value.tzinfo is None else value.astimezone(self._zone).replace(tzinfo=None)
        return self.local(naive).strftime(self.input_format)

    def date(self, key: str) -> datetime | None:
        start = self.start(self.decode(key))
        return self.local(start) if start.tzinfo is None else start


@dataclass(frozen=True)
class Rollup(_Dateless):
    """Many keys upstream make one downstream."""

    mapper: Mapper = Mapper()
    window: Window = Window("segments")
    wait: tuple[tuple[str, Any], ...] = ()

    def downstream(self, key: str) -> list[str]:
        return self.mapper.downstream(key)

    def date(self, key: str) -> datetime | None:
        return self.mapper.date(key)

    def expected(self, key: str) -> frozenset[str]:
        """Return the keys upstream that make up a key."""
        return frozenset(self.mapper.encode(one) for one in self.window.members(self.mapper.decode(key)))

    def complete(self, key: str, arrived: Collection[str]) -> bool:
        return enough(dict(self.wait), arrived, self.expected(key))


@dataclass(frozen=True)
class FanOut(_Dateless):
    """One key upstream makes many downstream."""

    mapper: Mapper = Mapper()
    window: Window = Window("segments")
    to: Mapper = Mapper()

    def downstream(self, key: str) -> list[str]:
        start = self.mapper.downstream(key)
        if len(start) != 1:
            raise PartitionError("the upstream mapper of a fan-out has to give one key")
        return [self.to.format(one) for one in self.window.members(self.mapper.decode(start[0]))]

    def date(self, key: str) -> datetime | None:
        return self.to.date(key)


_MIDNIGHT: dict[str, Any] = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
_START: dict[str, Callable[[datetime], datetime]] = {
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(**_MIDNIGHT),
    "week": lambda moment: (moment - timedelta(days=moment.weekday())).replace(**_MIDNIGHT),
    "month": lambda moment: moment.replace(day=1, **_MIDNIGHT),
    "quarter": lambda moment: moment.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1, **_MIDNIGHT),
    "year": lambda moment: moment.replace(month=1, day=1, **_MIDNIGHT),
}
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "V": 2, "U": 2, "W": 2}


def _parse(key: str, form: str) -> datetime:
    try:
        return datetime.strptime(key, form)  # noqa: DTZ007 - keys have their zone from the mapper
    except ValueError as error:
        raise PartitionError(f"the partition key {key!r} does not have the form {form!r}: {error}") from None


def _naive(*parts: str | int) -> datetime:
    year, month, day = map(int, parts)
    return datetime(year, month, day)  # noqa: DTZ001 - as strptime gives it


def _pattern(form: str) -> re.Pattern[str]:
    """Return a regular expression for what a format writes, with a group per directive."""
    made = ""
    for piece in re.split(r"(%[YmdHMSVUW]|\{quarter\})", form):
        if piece == "{quarter}":
            made += "(?P<quarter>[1-4])"
        elif len(piece) == 2 and piece[0] == "%":
            made += rf"(?P<{piece[1]}>\d{{{_DIGITS[piece[1]]}}})"
        else:
            made += re.escape(piece)
    try:
        return re.compile(made)
    except re.error as error:
        raise PartitionError(f"the format {form!r} cannot be read back: {error}") from None


# ------------------------------------------------------------------------------------------------ from data


def build(spec: Spec) -> Mapper:
    """Return the mapper of a spec.

    Raises:
        PartitionError: it is a custom one, or a field of it cannot be used.
    """
    make = _KINDS.get(str(spec.get("kind")))
    if make is None:
        raise PartitionError(f"the scheduler cannot evaluate the partition mapper {spec.get('classpath') or spec!r}")
    return make(spec)


def _start_of(spec: Spec) -> Mapper:
    fields = {name: spec[name] for name in ("unit", "timezone", "input_format", "output_format") if name in spec}
    return StartOf(spec.get("max"), **fields)


def _several(specs: Iterable[Spec]) -> tuple[Mapper, ...]:
    return tuple(build(one) for one in specs)


_KINDS: dict[str, Callable[[Spec], Mapper]] = {
    "identity": lambda spec: Mapper(spec.get("max")),
    "fixed": lambda spec: FixedKey(spec.get("max"), spec["key"]),
    "allowed": lambda spec: AllowedKeys(spec.get("max"), tuple(spec["keys"])),
    "chain": lambda spec: Chain(spec.get("max"), _several(spec["mappers"])),
    "product": lambda spec: Product(spec.get("max"), _several(spec["mappers"]), spec.get("delimiter", "|")),
    "start_of": _start_of,
    "rollup": lambda spec: Rollup(
        spec.get("max"), build(spec["mapper"]), window(spec["window"]), tuple(spec.get("wait", {}).items())
    ),
    "fan_out": lambda spec: FanOut(
        spec.get("max"), build(spec["mapper"]), window(spec["window"]), build(spec["downstream"])
    ),
}


def is_custom(spec: Spec) -> bool:
    """Return whether a class of a user's has to be asked to evaluate a mapper."""
    kind = spec.get("kind")
    if kind == "custom":
        return True
    parts = [spec[name] for name in ("mapper", "window", "downstream") if name in spec]
    return any(map(is_custom, [*parts, *(spec.get("mappers", ()) if kind in ("chain", "product") else ())]))


def classpath_of(spec: Spec) -> str:
    """Return the import path of the user's class in a mapper."""
    if spec.get("kind") == "custom":
        return str(spec["classpath"])
    parts = [spec[name] for name in ("mapper", "window", "downstream") if name in spec]
    return next(classpath_of(part) for part in [*parts, *spec.get("mappers", ())] if is_custom(part))


def definition_of(data: Spec | None) -> str:
    """Return the digest of how a partitioned timetable maps keys."""
    return hashlib.sha256(msgspec.json.encode(data or {}, order="deterministic")).hexdigest()


@dataclass(frozen=True)
class Mappers:
    """Which mapper is for which asset."""

    default: Spec
    names: Mapping[str, Spec]
    uris: Mapping[str, Spec]

    @classmethod
    def of(cls, data: Spec | None) -> Mappers:
        """Return the mapping of a partitioned timetable's data."""
        data = data or {}
        return cls(data.get("default") or {"kind": "identity"}, data.get("names") or {}, data.get("uris") or {})

    def of_asset(self, name: str, uri: str) -> Mapper:
        """Return the mapper for an asset.

        Raises:
            PartitionError: it cannot be evaluated.
        """
        return build(self.spec_of(name, uri))

    def spec_of(self, name: str, uri: str) -> Spec:
        """Return what the mapper for an asset is made from."""
        return self.names.get(name) or self.uris.get(uri) or self.default

    def asks(self, name: str, uri: str) -> bool:
        """Return whether a class of a user's maps the keys of an asset."""
        return is_custom(self.spec_of(name, uri))

    @cached_property
    def custom(self) -> str | None:
        """The import path of a user's class that takes part; None if there is none."""
        specs = (self.default, *self.names.values(), *self.uris.values())
        return next((classpath_of(spec) for spec in specs if is_custom(spec)), None)

    def enough(self, name: str, uri: str, arrived: Collection[str], expected: Collection[str] | None) -> bool:
        """Return whether what arrived of an asset is enough, where a user's class has said what is expected."""
        return expected is None or enough(self.spec_of(name, uri).get("wait") or {}, arrived, expected)


def agreed(dates: Iterable[datetime | None]) -> tuple[datetime | None, bool]:
    """Return the date that several mappers give a key, and whether any gave one; None if they contradict."""
    found = {date for date in dates if date is not None}
    return (next(iter(found)) if len(found) == 1 else None), bool(found)
