"""Says what cluster policies and weight strategies decide on task instances, in a process forked for the question."""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.wire import execution
from gnomon.wire import questions as wire

_decode_run = execution.decoder(execution.RunInfo).decode


class UnusableError(Exception):
    """A policy has decided on something that cannot be; the message says what."""


def told(dag: Any, asked: wire.InstancesAsked) -> wire.InstancesTold:
    """Return what becomes of each instance; those of tasks that the DAG has no more are left out.

    Raises:
        UnusableError: a value is of the wrong type.
    """
    from gnomon.sdk.runtime.dag_run import DagRun

    run = DagRun(_decode_run(asked.run), plain=True)
    tasks = {} if dag is None else dag.task_dict
    return wire.InstancesTold([_one(tasks[one.task_id], run, one) for one in asked.tries if one.task_id in tasks])


def _one(task: Any, run: Any, asked: wire.TryAsked) -> wire.TryTold:
    from gnomon.sdk import policies
    from gnomon.sdk.policies import FutureInstance
    from gnomon.sdk.weight import weight_in_run

    instance = FutureInstance(task, run=run)
    for name in ("map_index", "try_number", "max_tries", "state"):
        setattr(instance, name, getattr(asked, name))
    weight = weight_in_run(task, run.run_id, asked.map_index, asked.try_number)
    instance.priority_weight = asked.priority_weight if weight is None else weight
    if policies.rules is not None:
        policies.rules.hook.task_instance_mutation_hook(task_instance=instance, dag_run=run)
    return wire.TryTold(
        asked.ti,
        asked.try_number,
        _checked(instance, "queue", str),
        _checked(instance, "pool", str),
        _checked(instance, "pool_slots", int),
        _priority(instance),
        _checked(instance, "max_tries", int),
    )


def _priority(instance: Any) -> int:
    from gnomon.sdk.operator_arguments import db_safe_priority

    return db_safe_priority(_checked(instance, "priority_weight", int))


def _checked(instance: Any, name: str, kind: type) -> Any:
    value = getattr(instance, name)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        raise UnusableError(
            f"gave {value!r} as {name} of task {instance.task_id!r}, which is no {kind.__name__}"
        ) from None
