"""Callbacks by import path, for deadlines."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any


class Callback:
    """A function that another process can import and call.

    Args:
        callback_callable: a function at the top level of a module, or its import path.
        kwargs: what it is called with, besides the context.

    Raises:
        ImportError: a path is malformed.
        ValueError: `context` is among the kwargs.
    """

    path: str
    kwargs: dict[str, Any]

    def __init__(self, callback_callable: Callable[..., Any] | str, kwargs: dict[str, Any] | None = None) -> None:
        self.path = self.get_callback_path(callback_callable)
        if kwargs and "context" in kwargs:
            raise ValueError("context is a reserved kwarg for this class")
        self.kwargs = dict(kwargs or {})

    @classmethod
    def get_callback_path(cls, callback: Callable[..., Any] | str) -> str:
        """Return the import path of a function."""
        if callable(callback):
            cls.verify_callable(callback)
            return f"{callback.__module__}.{callback.__qualname__}"
        path = callback.strip()
        if not all(part.isidentifier() for part in path.split(".")):
            raise ImportError(f"`{callback}` doesn't look like a valid dot path.")
        return path

    @classmethod
    def verify_callable(cls, callback: Callable[..., Any]) -> None:
        """Check a function; subclasses define what there is to check."""

    def serialize(self) -> dict[str, Any]:
        """Return the callback as data."""
        return {"path": self.path, "kwargs": self.kwargs}

    @classmethod
    def deserialize(cls, data: dict[str, Any], version: int = 1) -> Callback:
        """Return the callback that `serialize` wrote."""
        return cls(data["path"], **{name: value for name, value in data.items() if name != "path"})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((type(self), self.path))


class AsyncCallback(Callback):
    """A coroutine function that the triggerer runs."""

    @classmethod
    def verify_callable(cls, callback: Callable[..., Any]) -> None:
        """Check that it is a coroutine function.

        Raises:
            AttributeError: it is not.
        """
        if not inspect.iscoroutinefunction(callback) and not hasattr(callback, "__await__"):
            raise AttributeError(f"Provided callback {callback} is not awaitable.")


class SyncCallback(Callback):
    """A function that an executor runs."""

    def __init__(
        self,
        callback_callable: Callable[..., Any] | str,
        kwargs: dict[str, Any] | None = None,
        executor: str | None = None,
    ) -> None:
        super().__init__(callback_callable, kwargs)
        self.executor = executor

    def serialize(self) -> dict[str, Any]:
        """Return the callback as data."""
        return {**super().serialize(), "executor": self.executor}


def accepts_context(function: Callable[..., Any]) -> bool:
    """Tell whether a function or class takes `context`."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return "context" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def load(path: str, file: dict[str, Any] | None, import_dag_file: Callable[[dict[str, Any]], Any]) -> Any:
    """Return what the path of a callback names.

    Args:
        path: its import path; that of a function in a DAG file has the name under which such a file is imported.
        file: the DAG file.
        import_dag_file: imports it.

    Raises:
        ImportError: there is no such thing.
    """
    from gnomon.sdk.runtime.values import import_string

    module, *names = path.split(".")
    if not module.startswith("unusual_prefix_"):
        return import_string(path)
    if module not in sys.modules and file is not None:
        import_dag_file(file)
    found: Any = sys.modules.get(module)
    for name in names:
        found = getattr(found, name, None)
    if found is None:
        raise ImportError(f"the DAG file does not define {'.'.join(names)} any more")
    return found
