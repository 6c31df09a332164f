"""Notices operators whose `execute` is called inside another one's, where nobody sees them as tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

#: the operator whose task this process runs, or the nested one that is being executed
_running: Any = None


def run_in(operator: Any) -> None:
    """Note which operator's task this process runs; None for none any more."""
    global _running
    _running = operator


def guarded(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an `execute` so that it warns when it is nested, or raises where the operator does not allow that.

    Raises:
        RuntimeError: the operator was made with allow_nested_operators=False, and it is not the task that runs.
    """

    @wraps(execute)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _running is self:
            return execute(self, *args, **kwargs)
        return _nested(execute, self, args, kwargs)

    return wrapper


def _nested(execute: Callable[..., Any], operator: Any, args: Any, kwargs: Any) -> Any:
    global _running
    outer = _running
    if not getattr(operator, "allow_nested_operators", True):
        raise RuntimeError(
            f"{type(operator).__name__}.execute cannot be called outside of a task of its own:"
            f" task {operator.task_id!r} has allow_nested_operators=False"
        )
    if outer is not None:
        operator.log.warning(
            "%s.execute is called inside task %r: nobody sees it as a task of its own",
            type(operator).__name__,
            getattr(outer, "task_id", "?"),
        )
    _running = operator  # its own `super().execute()` is no further nesting
    try:
        return execute(operator, *args, **kwargs)
    finally:
        _running = outer
