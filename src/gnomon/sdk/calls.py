"""Calling functions with the part of the context that they ask for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import Any


class KeywordParameters:
    """The keyword arguments that a function can be called with."""

    def __init__(self, kwargs: Mapping[str, Any]) -> None:
        self._kwargs = kwargs

    @classmethod
    def determine(cls, func: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> KeywordParameters:
        """Choose from `kwargs` what `func` takes besides the positional `args`.

        Raises:
            ValueError: a positional argument has the name of one of `kwargs`.
        """
        if (names := _plain_names(func)) is not None:
            for name in names[: min(len(args), func.__code__.co_argcount)]:
                _refuse_reserved(name, kwargs)
            return cls({name: kwargs[name] for name in names if name in kwargs})
        parameters = inspect.signature(func).parameters
        for name, parameter in list(parameters.items())[: len(args)]:
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
                continue
            _refuse_reserved(name, kwargs)
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return cls(kwargs)
        # The context's values are worked out when they are read, so only those wanted are.
        return cls({name: kwargs[name] for name in parameters if name in kwargs})

    def unpacking(self) -> Mapping[str, Any]:
        """Return the mapping to call with `**`."""
        return self._kwargs

    def serializing(self) -> Mapping[str, Any]:
        """Return the mapping to send to another process."""
        return self._kwargs


def _plain_names(func: Callable[..., Any]) -> tuple[str, ...] | None:
    """Return the parameters of a plain function without * and **, without what `inspect` costs a forked process."""
    if type(func) is not FunctionType or func.__dict__:  # a wrapper says what it wraps in __dict__
        return None
    code = func.__code__
    if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _refuse_reserved(name: str, kwargs: Mapping[str, Any]) -> None:
    if name in kwargs:
        raise ValueError(f"the argument {name!r} is given by position, but it is also a key of the context")


def determine_kwargs(func: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of `kwargs` that `func` takes besides the positional `args`."""
    return KeywordParameters.determine(func, args, kwargs).unpacking()


def make_kwargs_callable(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes any keyword arguments and calls `func` with those it wants."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **determine_kwargs(func, args, kwargs))

    return wrapper


def unwrap_partial(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function inside `functools.partial`s."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn


def is_async_callable(func: Any) -> bool:
    """Tell whether calling something gives a coroutine."""
    func = unwrap_callable(func)
    return callable(func) and (inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(type(func).__call__))


def unwrap_callable(func: Any) -> Any:
    """Return the function inside decorators, partials and @task."""
    if is_decorated_task(func):
        func = func.function
    return inspect.unwrap(unwrap_partial(func))


def is_decorated_task(function: Any) -> bool:
    """Tell whether something is a function with @task."""
    return bool(getattr(function, "_airflow_is_task_decorator", False))
