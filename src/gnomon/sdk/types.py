"""Sentinels and small types that the whole authoring surface shares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeGuard


class ArgNotSet:
    """The type of `NOTSET`: an argument that was not given, where None would mean something."""

    _only: ArgNotSet | None = None

    def __new__(cls) -> Any:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "NOTSET"

    def __reduce__(self) -> str:
        return "NOTSET"

    def __deepcopy__(self, memo: Any) -> ArgNotSet:
        return self


class _SetDuringExecution(ArgNotSet):
    _only = None

    def __repr__(self) -> str:
        return "DYNAMIC (set during execution)"

    def __reduce__(self) -> str:
        return "SET_DURING_EXECUTION"


NOTSET = ArgNotSet()
#: A template field whose value exists only once the task runs.
SET_DURING_EXECUTION = _SetDuringExecution()

#: A state that is kept until it is deleted.
NEVER_EXPIRE = timedelta.max

#: The key under which a task's return value is pushed.
XCOM_RETURN_KEY = "return_value"


def is_arg_set(value: Any) -> TypeGuard[Any]:
    """Tell whether an argument was given."""
    return not isinstance(value, ArgNotSet)
