"""`@task.run_if` and `@task.skip_if`: conditions on top of a task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gnomon.sdk.exceptions import AirflowSkipException
from gnomon.sdk.taskflow import _TaskDecorator

Condition = Callable[[Any], bool] | Callable[[Any], tuple[bool, str | None]]


def run_if(condition: Condition, skip_message: str | None = None) -> Callable[[Any], Any]:
    """Skip a task unless `condition(context)` is true.

    Args:
        condition: gets the context, returns a bool, or a bool and the message for the log.
        skip_message: the message for the log.
    """
    return _decorator(condition, skip_message, wanted=True)


def skip_if(condition: Condition, skip_message: str | None = None) -> Callable[[Any], Any]:
    """Skip a task if `condition(context)` is true."""
    return _decorator(condition, skip_message, wanted=False)


def _decorator(condition: Condition, message: str | None, *, wanted: bool) -> Callable[[Any], Any]:
    def decorate(task: Any) -> Any:
        if not isinstance(task, _TaskDecorator):
            name = "run_if" if wanted else "skip_if"
            raise TypeError(f"{name} can only be used with task. decorate with @task before @task.{name}.")
        hook = partial(_check, condition, message, wanted, task.kwargs.get("pre_execute"))
        return task.override(pre_execute=hook)

    return decorate


def _check(condition: Condition, message: str | None, wanted: bool, then: Any, context: Any) -> None:
    answer: Any = condition(context)
    if isinstance(answer, tuple):
        answer, said = answer
        message = said or message
    if bool(answer) is not wanted:
        raise AirflowSkipException(message or f"Task has been skipped due to {'run_if' if wanted else 'skip_if'}")
    if then is not None:
        then(context)
