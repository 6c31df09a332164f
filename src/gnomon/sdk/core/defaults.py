"""What operators get when an argument is left out, as constants, and small helpers of Airflow's decorators."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, TypeAlias

TaskStateChangeCallback: TypeAlias = Callable[[Any], None]

#: constant → the argument of operators whose default it is
_ARGUMENTS = {
    "DEFAULT_OWNER": "owner",
    "DEFAULT_QUEUE": "queue",
    "DEFAULT_TASK_EXECUTION_TIMEOUT": "execution_timeout",
    "DEFAULT_RETRIES": "retries",
    "DEFAULT_RETRY_DELAY": "retry_delay",
    "DEFAULT_POOL_SLOTS": "pool_slots",
    "DEFAULT_PRIORITY_WEIGHT": "priority_weight",
    "DEFAULT_TRIGGER_RULE": "trigger_rule",
    "DEFAULT_WEIGHT_RULE": "weight_rule",
}


def __getattr__(name: str) -> Any:
    """Return a default, which may be a setting."""
    if name not in _ARGUMENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gnomon.sdk.operator import BaseOperator

    return getattr(BaseOperator, _ARGUMENTS[name])


def context_copy_partial(source: Any, keys: Container[str]) -> Any:
    """Return a context with only these names."""
    return {key: source[key] for key in source if key in keys}


def fixup_decorator_warning_stack(func: Any, delta: int = 2) -> None:
    """Do nothing: the warnings of decorated functions point where they were raised."""
