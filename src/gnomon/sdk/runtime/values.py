"""Values as JSON and back: XComs, the kwargs of triggers and of resumed methods.

Plain JSON stays as it is. Anything else becomes `{"__classname__", "__version__", "__data__"}`: a fixed set of types
of the standard library and pendulum, dataclasses, attrs and pydantic models, and classes with `serialize` and
`deserialize`. Reading imports a class only if `[core] allowed_deserialization_classes` lets it; never pickle.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

CLASSNAME = "__classname__"
VERSION = "__version__"
DATA = "__data__"
_MAX_DEPTH = 200
#: Packages whose values have forms in `gnomon.sdk.runtime.foreign_values`.
PACKAGES = frozenset({"deltalake", "kubernetes", "numpy", "pandas", "pyarrow", "pyiceberg"})


class NotSerializableError(TypeError):
    """A value has no JSON form; `path` says where it is inside the whole."""

    def __init__(self, path: str, value: Any, reason: str = "") -> None:
        self.path = path
        self.kind = qualname(type(value))
        self.reason = reason or f"a {self.kind} has no JSON form"
        super().__init__(f"{path or 'the value'}: {self.reason}")


def qualname(cls: type) -> str:
    """Return the import path of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def encode(value: Any) -> bytes:
    """Return `value` as JSON text.

    Raises:
        NotSerializableError: some part of it has no JSON form; the message says which.
    """
    kind = type(value)
    if kind is not str and kind is not int and kind is not bool and value is not None:
        value = to_plain(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, as os.fsdecode makes them
        return json.dumps(value, separators=(",", ":")).encode()


def decode(data: bytes | str) -> Any:
    """Return the value that `encode` was given.

    Raises:
        ImportError: the value is of a class that may not be, or cannot be, imported.
    """
    value = json.loads(data)
    return from_plain(value) if type(value) in (list, dict) else value


def to_plain(value: Any, path: str = "", depth: int = 0) -> Any:
    """Return `value` in terms of what JSON knows."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if depth > _MAX_DEPTH:
        raise NotSerializableError(path, value, "it is nested too deeply, or contains itself")
    if kind is list:
        return [to_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if kind is dict:
        return _plain_dict(value, path, depth)
    if kind is float:
        return value if math.isfinite(value) else tag("builtins.float", str(value))
    known = _TAGGERS.get(kind)
    if known is not None:
        name, into = known
        return tag(name, to_plain(into(value), path, depth + 1))
    return _unusual(value, path, depth)


def tag(classname: str, data: Any, version: int = 1) -> dict[str, Any]:
    """Return `data` marked as the content of an object of `classname`."""
    return {CLASSNAME: classname, VERSION: version, DATA: data}


def _plain_dict(value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
    if CLASSNAME in value:
        raise NotSerializableError(path, value, f"the key {CLASSNAME!r} is reserved")
    plain = {}
    for key, item in value.items():
        plain[str(key)] = to_plain(item, f"{path}[{key!r}]", depth + 1)
    return plain


def _unusual(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    if hasattr(kind, "__resolve_lazily__"):
        return to_plain(value.__resolve_lazily__(), path, depth)
    if isinstance(value, Enum):
        return to_plain(value.value, path, depth + 1)
    if isinstance(value, tzinfo):
        ours = type(value).__module__.startswith("pendulum") and value is not UTC
        return tag("pendulum.tz.timezone.Timezone" if ours else "datetime.tzinfo", _timezone_name(value))
    if kind.__module__.partition(".")[0] in PACKAGES and (found := _of_package(value, path)) is not None:
        return tag(found[0], to_plain(found[1], path, depth + 1))
    for base in (datetime, date, time, timedelta, bool, int, str):
        if isinstance(value, base):
            return _of_base(base, value, path, depth)
    if isinstance(value, float):
        return to_plain(float(value), path, depth)
    content = _content_of_object(value)
    if content is not None:
        return tag(qualname(kind), to_plain(content, path, depth + 1), int(getattr(kind, VERSION, 1)))
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return tag(
            "builtins.tuple",
            [to_plain(item, f"{path}.{name}", depth + 1) for name, item in zip(kind._fields, value, strict=False)],
        )
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
        return to_plain(list(value), path, depth)
    if isinstance(value, Mapping):
        return _plain_dict(dict(value), path, depth)
    raise NotSerializableError(path, value)


def _of_package(value: Any, path: str) -> tuple[str, Any] | None:
    from gnomon.sdk.runtime import foreign_values

    if isinstance(value, float | str | int):  # numpy.float64 and numpy.str_ are what they extend
        return None
    try:
        return foreign_values.data_of(value)
    except foreign_values.NoFormError as error:
        raise NotSerializableError(path, value, str(error)) from None


def _of_base(base: type, value: Any, path: str, depth: int) -> Any:
    if base is datetime and type(value).__module__.startswith("pendulum"):
        return tag("pendulum.datetime.DateTime", _from_datetime(value))
    if base in (bool, int, str):
        return base(value)
    name, into = _TAGGERS[base]
    return tag(name, to_plain(into(value), path, depth + 1))


def _content_of_object(value: Any) -> dict[str, Any] | None:
    kind = type(value)
    if callable(getattr(value, "serialize", None)):
        content: dict[str, Any] = value.serialize()
        return content
    if hasattr(kind, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in kind.__dataclass_fields__}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name.lstrip("_"): getattr(value, field.name) for field in kind.__attrs_attrs__ if field.init}
    if callable(getattr(value, "model_dump", None)) and hasattr(kind, "model_fields"):
        dumped: dict[str, Any] = value.model_dump(mode="json")
        return dumped
    return None


def _from_datetime(value: datetime) -> list[Any]:
    return [value.isoformat(), None if value.tzinfo is None else _timezone_name(value.tzinfo, value)]


def _timezone_name(zone: tzinfo, at: datetime | None = None) -> str:
    name = getattr(zone, "name", None) or getattr(zone, "key", None)
    if name:
        return str(name)
    if zone is UTC:
        return "UTC"
    offset = zone.utcoffset(at)
    return "UTC" if offset is None else _offset_name(offset)


def _offset_name(offset: timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


_TAGGERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    tuple: ("builtins.tuple", list),
    set: ("builtins.set", list),
    frozenset: ("builtins.frozenset", list),
    datetime: ("datetime.datetime", _from_datetime),
    date: ("datetime.date", date.isoformat),
    time: ("datetime.time", time.isoformat),
    timedelta: ("datetime.timedelta", lambda delta: [delta.days, delta.seconds, delta.microseconds]),
    Decimal: ("decimal.Decimal", str),
    UUID: ("uuid.UUID", str),
}


# -------------------------------------------------------------------------------------------------- reading


def from_plain(value: Any) -> Any:
    """Undo `to_plain`."""
    if type(value) is list:
        return [from_plain(item) for item in value]
    if type(value) is not dict:
        return value
    name = value.get(CLASSNAME)
    if name is None:
        return {key: from_plain(item) for key, item in value.items()}
    data = from_plain(value.get(DATA))
    reader = _READERS.get(name)
    return reader(data) if reader is not None else _object_of(name, data, int(value.get(VERSION, 1)))


def _object_of(name: str, data: Any, version: int) -> Any:
    if name.partition(".")[0] in PACKAGES:
        from gnomon.sdk.runtime import foreign_values

        if (reader := foreign_values.reader(name)) is not None:
            return reader(data)
    cls = allowed_class(name)
    if hasattr(cls, "deserialize"):
        return cls.deserialize(data, version)
    if hasattr(cls, "model_validate"):
        return cls.model_validate(data)
    if not isinstance(data, dict):
        return cls(data)
    return cls(**data)


@lru_cache(maxsize=256)
def allowed_class(name: str) -> Any:
    """Import the class called `name`.

    Raises:
        ImportError: the settings do not allow it, or it does not exist.
    """
    if not _is_allowed(name):
        raise ImportError(
            f"{name} was not read from an XCom: it matches neither [core] allowed_deserialization_classes"
            " nor allowed_deserialization_classes_regexp"
        )
    return import_string(name)


def import_string(name: str) -> Any:
    """Return what a dotted path names, also a class nested in another.

    Raises:
        ImportError: there is no such thing.
    """
    from importlib import import_module

    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            continue
        for part in parts[cut:]:
            try:
                found = getattr(found, part)
            except AttributeError:
                raise ImportError(f"{name}: {part!r} does not exist") from None
        return found
    raise ImportError(f"{name}: no such module")


def _is_allowed(name: str) -> bool:
    import re
    from fnmatch import fnmatchcase

    from gnomon.service.config import conf

    globs = (conf.get("core", "allowed_deserialization_classes", fallback="airflow.*") or "").split()
    if name.startswith("gnomon.sdk.") or any(fnmatchcase(name, pattern) for pattern in globs):
        return True
    regexps = (conf.get("core", "allowed_deserialization_classes_regexp", fallback="") or "").split()
    return any(re.match(pattern, name) for pattern in regexps)


def _datetime_of(data: list[Any]) -> datetime:
    text, zone = data
    moment = datetime.fromisoformat(text)
    return moment if zone is None else moment.astimezone(_zone_of(zone))


def _pendulum_of(data: list[Any]) -> Any:
    import pendulum

    text, zone = data
    moment = datetime.fromisoformat(text)
    if zone is None:
        return pendulum.instance(moment, tz=None)
    named: Any = _zone_of(zone) if zone[0] in "+-" else zone
    return pendulum.instance(moment).in_timezone(named)


def _zone_of(name: str) -> tzinfo:
    if name in ("UTC", "+00:00"):
        return UTC
    if name[0] in "+-":
        hours, minutes = name[1:].split(":")
        delta = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-delta if name[0] == "-" else delta)
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _pendulum_zone_of(name: str) -> tzinfo:
    import pendulum

    return _zone_of(name) if name[0] in "+-" else pendulum.timezone(name)


_READERS: dict[str, Callable[[Any], Any]] = {
    "builtins.tuple": tuple,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.float": float,
    "datetime.datetime": _datetime_of,
    "pendulum.datetime.DateTime": _pendulum_of,
    "datetime.date": date.fromisoformat,
    "datetime.time": time.fromisoformat,
    "datetime.timedelta": lambda data: timedelta(*data),
    "datetime.tzinfo": _zone_of,
    "pendulum.tz.timezone.Timezone": _pendulum_zone_of,
    "decimal.Decimal": lambda data: Decimal(str(data)),
    "uuid.UUID": UUID,
}
