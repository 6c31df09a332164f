"""Write the triggers of tasks that are deferred without ever having had a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, update

from gnomon.model.instance import Instance
from gnomon.model.start_trigger import args_of
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.store import tables
from gnomon.store.engine import Store
from gnomon.store.scheduling import Batch, Write
from gnomon.wire.triggering import TriggerTemplates

if TYPE_CHECKING:
    from gnomon.scheduler.world import ActiveRun


def write(run: ActiveRun, instance: Instance, batch: Batch, store: Store) -> bool:
    """Add the trigger of an instance to what is committed with its deferral; False if that is over already."""
    args, trigger_id = args_of(instance), instance.trigger_id
    if instance.state is not Ti.DEFERRED or trigger_id is None or args is None:
        return False
    kwargs = store.triggers.seal(msgspec.json.encode(args.get("trigger_kwargs") or {}))
    batch.triggers.append((trigger_id, instance.id, instance.seq, args["trigger_cls"], kwargs, None))
    if fields := args.get("templates"):
        templates = TriggerTemplates(
            fields=fields,
            run=run.info,
            max_tries=instance.max_tries,
            dag_params=run.version.dag.params,
            task_params=instance.node.spec.params,
        )
        batch.writes.append(_adding(trigger_id, msgspec.json.encode(templates).decode()))
    return True


def _adding(trigger_id: int, templates: str) -> Write:
    def add(connection: Connection) -> None:
        t = tables.trigger
        connection.execute(update(t).where(t.c.id == trigger_id).values(templates=templates))

    return add
