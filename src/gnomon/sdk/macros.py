"""`macros` in templates: date arithmetic and a few modules, imported when a template names them."""

from __future__ import annotations

import datetime as _dt
from typing import Any

_MODULES = ("uuid", "json", "time", "dateutil", "yaml")

__all__ = [  # noqa: F822 - some are imported when they are named
    "datetime",
    "datetime_diff_for_humans",
    "dateutil",
    "ds_add",
    "ds_format",
    "ds_format_locale",
    "json",
    "random",
    "time",
    "timedelta",
    "uuid",
    "yaml",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("datetime", "timedelta"):
        return getattr(_dt, name)
    if name in _MODULES:
        if name == "dateutil":
            importlib.import_module("dateutil.parser")
        return importlib.import_module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def ds_add(ds: str, days: int) -> str:
    """Return the date `ds` (YYYY-MM-DD), so many days later."""
    if not days:
        return str(ds)
    return (_dt.datetime.strptime(str(ds), "%Y-%m-%d") + _dt.timedelta(days=days)).strftime("%Y-%m-%d")


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """Return a date string in another format."""
    return _dt.datetime.strptime(str(ds), input_format).strftime(output_format)


def ds_format_locale(ds: str, input_format: str, output_format: str, locale: Any = None) -> str:
    """Return a date string in another format, with the names of a language; needs the package babel."""
    from babel.dates import LC_TIME, format_datetime  # type: ignore[import-not-found, unused-ignore]

    return str(
        format_datetime(_dt.datetime.strptime(str(ds), input_format), format=output_format, locale=locale or LC_TIME)
    )


def datetime_diff_for_humans(dt: Any, since: _dt.datetime | None = None) -> str:
    """Return "3 days ago" or "3 days before", for a date or for the latest of several."""
    import pendulum

    latest = pendulum.instance(dt if isinstance(dt, _dt.datetime) else max(dt))
    return latest.diff_for_humans(pendulum.instance(since)) if since is not None else latest.diff_for_humans()


def random() -> float:
    """Return a random number from 0 to 1."""
    import random as module

    return module.random()  # noqa: S311 - a macro, not a secret
