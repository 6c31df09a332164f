"""Names of Airflow's metadata database: they can be imported and named in types, but tasks cannot use them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from gnomon.sdk.exceptions import AirflowException


def _refuse(name: str) -> NoReturn:
    raise AirflowException(
        f"{name} needs the metadata database, which tasks and DAG files cannot reach; use the context, Variable,"
        " Connection, XCom or the REST API instead"
    )


class _Refusing(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(cls.__name__)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{cls.__name__}.{name}")


_made: dict[str, type] = {}


def __getattr__(name: str) -> Any:
    """Return a class, or for a name in lower case a function, that refuses to be used."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not name[:1].isupper():
        return _refusing_function(name)
    if name not in _made:
        _made[name] = _Refusing(name, (), {"__doc__": f"{name} of the metadata database, which is out of reach."})
    return _made[name]


@functools.cache
def _refusing_function(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        _refuse(f"{name}()")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"{name} of the metadata database, which is out of reach."
    return refuse


NEW_SESSION: Any = None


def create_session(*args: Any, **kwargs: Any) -> NoReturn:
    """Refuse to open a session."""
    _refuse("create_session()")


def provide_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses to run without a session of the caller's own."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("session") is None:
            _refuse(f"{function.__qualname__}() (through provide_session)")
        return function(*args, **kwargs)

    return wrapper
