"""Values on their way through an XCom."""

from __future__ import annotations

import dataclasses
import enum
import json
import uuid
from collections import namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pendulum

from airflow.sdk.serde import deserialize, serialize

from .showing import show

_Pair = namedtuple("_Pair", "left right")


class _Colour(enum.Enum):
    RED = "red"
    ONE = 1


class _Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    """As authors define them; it may not be read back unless the settings allow its module."""

    x: int
    y: Any


def passed(case: dict[str, Any]) -> Any:
    """Return what a value is after it was written as JSON and read back."""
    value = _value(case["value"])
    try:
        text = json.dumps(serialize(value))
    except Exception as error:
        return {"raises": type(error).__name__}
    try:
        return show(deserialize(json.loads(text)))
    except Exception as error:
        return {"raises": type(error).__name__}


def _value(given: Any) -> Any:
    if not isinstance(given, list):
        return given
    kind, *parts = given
    return _MAKERS[kind](*(_value(part) for part in parts))


_MAKERS: dict[str, Any] = {
    "list": lambda *some: list(some),
    "tuple": lambda *some: tuple(some),
    "set": lambda *some: {json.dumps(show(one)) for one in some},
    "frozenset": lambda *some: frozenset(json.dumps(show(one)) for one in some),
    "dict": lambda *some: dict(zip(map(str, range(len(some))), some, strict=True)),
    "keys": lambda *some: dict(enumerate(some)),
    "float": float,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "zoned": lambda text, zone: datetime.fromisoformat(text).astimezone(ZoneInfo(zone)),
    "pendulum": lambda text, zone: pendulum.parse(text).in_timezone(zone),
    "naive": lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    "date": lambda text: date.fromisoformat(text[:10]),
    "delta": lambda seconds: timedelta(seconds=seconds),
    "uuid": lambda number: uuid.UUID(int=number),
    "pair": _Pair,
    "colour": lambda: _Colour.RED,
    "one": lambda: _Colour.ONE,
    "level": lambda: _Level.HIGH,
    "object": object,
    "bytes": lambda: b"ab",
}
