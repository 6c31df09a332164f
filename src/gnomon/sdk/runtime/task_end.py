"""How an event that ends its task, without resuming it, travels from the trigger to the task's process."""

from __future__ import annotations

from typing import Any

#: The key of an event's payload that holds the state to end in.
TASK_END = "__task_end__"


def ending_of(event: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the state and the XComs if an event ends the task; None for any other."""
    if not isinstance(event, dict) or TASK_END not in event:
        return None
    return event[TASK_END], event.get("xcoms") or {}
