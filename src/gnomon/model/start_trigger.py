"""Tasks that are deferred at once: their trigger is data of the DAG, and no process runs before it has fired."""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.model.instance import Instance
from gnomon.model.states import TaskInstanceState as Ti

_SECOND = 1_000_000
#: States from which a piece starts from the beginning, rather than going on.
_FRESH = frozenset({None, Ti.UP_FOR_RETRY, Ti.UP_FOR_RESCHEDULE, Ti.SCHEDULED})


def args_of(instance: Instance) -> dict[str, Any] | None:
    """Return what an instance would be deferred with; None if it begins with a process."""
    spec = instance.node.spec
    if not spec.start_triggers:
        return spec.start_trigger
    index = instance.map_index
    return spec.start_triggers[index] if 0 <= index < len(spec.start_triggers) else None


def start_trigger_of(instance: Instance) -> dict[str, Any] | None:
    """Return what an instance that waits for its turn is deferred with; None if it begins with a process or goes on."""
    args = args_of(instance)
    if args is None or instance.next_method is not None or instance.state not in _FRESH:
        return None
    return args


def resumed_with(args: dict[str, Any]) -> tuple[str, bytes]:
    """Return the method to resume with, and its arguments as JSON."""
    return args["next_method"], msgspec.json.encode(args.get("next_kwargs") or {})


def ends_at(args: dict[str, Any], instance: Instance, now: int) -> int | None:
    """Return until when it waits: its own timeout, or the execution_timeout if that comes first."""
    limits = [seconds for seconds in (args.get("timeout"), instance.node.spec.execution_timeout) if seconds is not None]
    return now + int(min(limits) * _SECOND) if limits else None
