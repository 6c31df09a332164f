"""Dispatch: give slots to the best candidates, and hand them to workers once that is committed."""

from __future__ import annotations

from msgspec import Raw

from gnomon.executors.executor import Executor
from gnomon.model.instance import Counted, Instance
from gnomon.scheduler.turn import Turn
from gnomon.scheduler.world import World
from gnomon.wire import execution as x


class Dispatch:
    """Admits candidates under every limit (`gnomon.model.admit`) and builds their workloads."""

    def __init__(self, world: World, executor: Executor) -> None:
        self._world = world
        self._executor = executor

    def admit(self, turn: Turn) -> None:
        """Queue what gets a slot now."""
        world = self._world
        world.usage.free_in_queue = self._executor.free
        for _, instance in world.waiting.admit(world.usage, world.waits):
            instance.counted = Counted.HELD
            run = turn.run_of(instance)
            if run.live.start_trigger(instance, turn.now):
                world.count(run, instance)
                continue
            worker = self._executor.place(instance.queue)
            assert worker is not None, "admitted without a free worker"
            run.live.queue(instance, turn.now)
            instance.worker = worker
            turn.placed.append((worker, instance))

    def send(self, turn: Turn) -> None:
        """Hand over what was placed; the commit is done."""
        for worker, instance in turn.placed:
            workload = self.workload(instance)
            if workload is not None:
                self._executor.send(worker, workload)

    def workload(self, instance: Instance) -> x.Workload | None:
        """Return what a worker needs to run an instance; None if its DAG has been deleted meanwhile."""
        run = self._world.runs.get(instance.run.id)
        dag = self._world.dags.get(instance.run.dag_id)
        if run is None or dag is None:
            return None
        spec, group = instance.node.spec, instance.run.instances[instance.node.index]
        return x.Workload(
            key=x.TryKey(instance.id, instance.seq),
            task_id=spec.task_id,
            map_index=instance.map_index,
            try_number=instance.try_number,
            max_tries=instance.max_tries,
            file=dag.file,
            run=Raw(run.info),
            isolation=spec.isolation,
            queue=instance.queue,
            pool=instance.pool,
            pool_slots=instance.pool_slots,
            priority_weight=instance.priority,
            operator=spec.operator_name or spec.task_type,
            dag_version=run.version.id,
            next_method=instance.next_method,
            next_kwargs=instance.next_kwargs,
            first_start=instance.first_start,
            reschedules=instance.reschedules,
            expanded_count=len(group) if instance.map_index >= 0 else None,
        )
