"""Any value as JSON that two processes can compare: types are kept apart, order where it means nothing is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any


def show(value: Any) -> Any:
    """Return `value` as JSON; what JSON does not know becomes {"its type": content}."""
    if value is None or (isinstance(value, bool | int | str) and type(value) in (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": repr(float(value))}
    if isinstance(value, datetime):
        zone = None if value.tzinfo is None else str(value.utcoffset())
        return {f"datetime/{type(value).__module__.split('.')[0]}": [value.isoformat(), zone]}
    if isinstance(value, date | time):
        return {type(value).__name__.lower(): value.isoformat()}
    if isinstance(value, timedelta):
        return {"timedelta": value.total_seconds()}
    if isinstance(value, Mapping):
        return {"dict": [[show(key), show(item)] for key, item in value.items()]}
    if isinstance(value, set | frozenset):
        return {type(value).__name__: sorted((show(item) for item in value), key=repr)}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [show(item) for item in value]}
    if type(value).__module__ == "jinja2.runtime":  # an Undefined, which has no text
        return {"undefined": type(value).__name__}
    if isinstance(value, str):
        return {"str": str(value)}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return {"sequence": [show(item) for item in value]}
    if type(value).__name__ == "LiteralValue":
        return {"literal": show(value.value)}
    if type(value).__name__ == "ArgNotSet":
        return {"not set": True}
    # The text of a plain object is its address.
    return {type(value).__name__: str(value) if type(value) is not object else None}


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function returns, shown, or the name of the exception it raises."""
    try:
        return show(function(*arguments))
    except Exception as error:
        return {"raises": type(error).__name__}
