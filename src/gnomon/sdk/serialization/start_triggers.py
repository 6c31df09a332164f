"""What tasks with `start_from_trigger` are deferred with, as data: the scheduler needs no process of theirs for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import mul
from types import SimpleNamespace
from typing import Any

from gnomon.sdk.exceptions import SerializationError
from gnomon.sdk.runtime import values
from gnomon.sdk.settings import setting
from gnomon.sdk.xcomarg import ResolveMixin


def of_task(task: Any) -> dict[str, Any] | None:
    """Return what an unmapped task is deferred with; None if it begins with a process.

    Raises:
        SerializationError: an argument has no form as data.
    """
    args = task.start_trigger_args
    if args is None or not task.start_from_trigger:
        return None
    given = (args.trigger_kwargs or {}, args.next_kwargs or {})
    if any(_holds_reference(value) for value in given):
        return None  # it is known in a process of the task only
    for name, value in given[0].items():
        if callable(value):
            raise SerializationError(
                f"task {task.task_id!r}: {name!r} in the trigger_kwargs of its start_trigger_args is callable; a trigger"
                " that starts without a process takes data"
            )
    try:
        made = {
            "trigger_cls": args.trigger_cls,
            "trigger_kwargs": values.to_plain(given[0]),
            "next_method": args.next_method,
            "next_kwargs": values.to_plain(given[1]),
            "timeout": None if args.timeout is None else args.timeout.total_seconds(),
        }
    except values.NotSerializableError as error:
        raise SerializationError(f"task {task.task_id!r}: start_trigger_args: {error}") from None
    if templates := [name for name in task.template_fields if _is_template(given[0].get(name))]:
        made["templates"] = templates
    return made


def of_mapped(task: Any) -> list[dict[str, Any] | None]:
    """Return what each instance of a mapped task is deferred with; nothing if all begin with a process.

    Each operator is made, as its instance would make it, to see what it sets. What is expanded over a result of
    another task is not known here.

    Raises:
        SerializationError: an argument has no form as data.
    """
    value = task.expand_input.value
    if not (task.start_from_trigger or _names_it(value)) or _holds_reference(value):
        return []
    count = reduce(mul, map(len, value.values()), 1) if isinstance(value, Mapping) else len(value)
    if count > setting("core", "max_map_length", 1024):
        return []
    found = [of_task(operator) if (operator := _instance(task, index)) else None for index in range(count)]
    return found if any(found) else []


def _instance(task: Any, index: int) -> Any:
    context = {"ti": SimpleNamespace(map_index=index)}
    try:
        operator = task.unmap(task._expand_mapped_kwargs(context)[0])
        if operator.start_trigger_args is task.operator_class.start_trigger_args:
            operator.start_trigger_args = task.expand_start_trigger_args(context=context)
    except Exception:
        return None  # it fails in its process, where somebody reads why
    return operator


def _names_it(value: Any) -> bool:
    """Tell whether an argument that is expanded over decides it for each instance."""
    elements = [value] if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return any(isinstance(element, Mapping) and "start_from_trigger" in element for element in elements)


def _holds_reference(value: Any) -> bool:
    if isinstance(value, ResolveMixin):
        return True
    return any(map(_holds_reference, _inside(value)))


def _is_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{" in value
    return any(map(_is_template, _inside(value)))


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple, set, frozenset)) else ()
