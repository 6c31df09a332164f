"""How many instances an expansion makes, from what it expands over and what was pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


def literal_length(expansions: Iterable[Any]) -> int | None:
    """Return the number of instances if no pushed value has a say in it, else None."""
    total = 1
    for expansion in expansions:
        for source in expansion.inputs.values():
            if not isinstance(source, int):
                return None
            total *= source
    return total


def total_length(expansions: Iterable[Any], pushed: Callable[[str], int | None]) -> int | None:
    """Return the number of instances; None if something it needs was not pushed.

    Args:
        expansions: of the task and of each mapped group around it; they multiply.
        pushed: tells how long what a task returned is.
    """
    total = 1
    for expansion in expansions:
        for source in expansion.inputs.values():
            length = _measure(source, pushed)
            if length is None:
                return None
            total *= length
    return total


def _measure(source: Any, pushed: Callable[[str], int | None]) -> int | None:
    if isinstance(source, int):
        return source
    if source.kind == "xcom":
        return pushed(source.task_id)
    known = []
    for part in source.sources:
        length = _measure(part, pushed)
        if length is None:
            return None
        known.append(length)
    if source.kind == "concat":
        return sum(known)
    return max(known) if source.longest else min(known)


def sources_of(expansion: Any) -> Iterator[str]:
    """Yield the tasks whose results are expanded over."""
    pending = list(expansion.inputs.values())
    while pending:
        source = pending.pop()
        if not isinstance(source, int):
            if source.task_id is not None:
                yield source.task_id
            pending.extend(source.sources)
