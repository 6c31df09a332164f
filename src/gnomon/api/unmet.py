"""Why a task instance does not run yet, for people: the scheduler decides by its own state, this looks at the database.

The names are those that Airflow gives its dependencies.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from gnomon.model.graph import Graph, Node
from gnomon.model.states import FINISHED
from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.trigger_rules import Tally, Verdict, evaluate
from gnomon.store.engine import Store
from gnomon.store.records import Run, TaskInstance
from gnomon.wire.dag import SerializedDag, SerializedTask

#: In these a task instance takes part in the limits of how many run at a time.
_BUSY = (Ti.QUEUED, Ti.RUNNING)


class Unmet(NamedTuple):
    """One dependency that is not met."""

    name: str
    reason: str


def unmet(store: Store, dag: SerializedDag, run: Run, ti: TaskInstance | None, now: datetime) -> list[Unmet]:
    """Return what keeps a task instance from being queued; nothing if only the scheduler's next look is missing.

    Args:
        store: where to look.
        dag: the version that the run goes by.
        run: the run.
        ti: None if the run has not begun, and has no task instances yet.
        now: this moment.
    """
    if ti is None:
        return list(_of_run(store, run))
    graph = Graph(dag.tasks, dag.groups)
    found = [*_of_run(store, run), *_of_state(ti, now)]
    if ti.task_id not in graph.index:
        return [*found, Unmet("Task Instance State", f"The DAG has no task {ti.task_id} any more.")]
    node = graph.nodes[graph.index[ti.task_id]]
    found += _of_upstream(store, graph, node, run, ti)
    found += _of_past(store, node, run, ti)
    found += _of_dates(dag.tasks[node.index], dag, run, now)
    found += _of_limits(store, node, dag, run, ti)
    return found


def _of_run(store: Store, run: Run) -> Iterator[Unmet]:
    dag = store.dags.get(run.dag_id)
    if dag is not None and dag.is_paused:
        yield Unmet("Dag Not Paused", f"Dag '{run.dag_id}' is paused.")
    if run.state != "running":
        yield Unmet("Dagrun Running", f"The run is {run.state}, not running.")


def _of_state(ti: TaskInstance, now: datetime) -> Iterator[Unmet]:
    at = ti.wake_at
    if ti.state == Ti.UP_FOR_RETRY and at is not None and at > now:
        yield Unmet("Not In Retry Period", f"The next try begins at {at.isoformat()}.")
    elif ti.state == Ti.UP_FOR_RESCHEDULE and at is not None and at > now:
        yield Unmet("Ready To Reschedule", f"The sensor looks again at {at.isoformat()}.")
    elif ti.state == Ti.RUNNING:
        yield Unmet("Task Instance Not Running", "The task is running.")
    elif ti.state not in (None, Ti.SCHEDULED, Ti.UP_FOR_RETRY, Ti.UP_FOR_RESCHEDULE):
        yield Unmet("Task Instance State", f"The task is in the state '{ti.state}'.")


def _of_upstream(store: Store, graph: Graph, node: Node, run: Run, ti: TaskInstance) -> Iterator[Unmet]:
    if ti.state in FINISHED or ti.state in (Ti.RUNNING, Ti.DEFERRED):
        return
    names = node.spec.upstream
    tally, waiting = Tally(), set()
    for _, name, map_index, state in store.task_instances.states(run.dag_id, task_ids=names, run_ids=[run.run_id]):
        if map_index not in (-1, ti.map_index) and _is_beside(graph, node, name, ti.map_index):
            continue
        tally.total += 1
        if state in FINISHED:
            tally.add(Ti(state))
        else:
            waiting.add(name)
    if not names or evaluate(node.rule, tally, ti.map_index) is Verdict.RUN:
        return
    rule = f"Task's trigger rule '{node.spec.trigger_rule}'"
    if waiting or not tally.total:
        yield Unmet("Trigger Rule", f"{rule} waits for {', '.join(sorted(waiting or names))}.")
    else:
        ended = {"succeeded": tally.success, "were skipped": tally.skipped, "failed": tally.failed}
        ended |= {"are upstream_failed": tally.upstream_failed, "were removed": tally.removed}
        counts = ", ".join(f"{count} {how}" for how, count in ended.items() if count)
        yield Unmet("Trigger Rule", f"{rule} is not met: of {tally.total} upstream, {counts}.")


def _is_beside(graph: Graph, node: Node, name: str, map_index: int) -> bool:
    """Whether an upstream in one mapped group with the task depends on its own index only."""
    if map_index < 0 or name not in graph.index:
        return False
    return graph.shared_mapped_group(node, graph.nodes[graph.index[name]]) is not None


def _of_past(store: Store, node: Node, run: Run, ti: TaskInstance) -> Iterator[Unmet]:
    if not node.spec.depends_on_past or run.logical_date is None or ti.state in FINISHED:
        return
    found = store.task_instances.previous(run.dag_id, node.task_id, ti.map_index, run.logical_date)
    if found is not None and found[1].state not in (Ti.SUCCESS, Ti.SKIPPED):
        state = found[1].state or "not scheduled"
        yield Unmet("Previous Dagrun State", f"depends_on_past: the task is {state} in run {found[0].run_id}.")


def _of_dates(task: SerializedTask, dag: SerializedDag, run: Run, now: datetime) -> Iterator[Unmet]:
    if run.run_after > now:
        yield Unmet("Logical Date", f"The run begins after {run.run_after.isoformat()}.")
    at = run.logical_date
    if at is None:
        return
    for whose, start, end in (
        ("task", task.start_date, task.end_date),
        ("DAG", dag.start_date, dag.end_date),
    ):
        if start is not None and at < datetime.fromisoformat(start):
            yield Unmet("Logical Date", f"The logical date {at.isoformat()} is before the {whose}'s start, {start}.")
        if end is not None and at > datetime.fromisoformat(end):
            yield Unmet("Logical Date", f"The logical date {at.isoformat()} is after the {whose}'s end, {end}.")


def _of_limits(store: Store, node: Node, dag: SerializedDag, run: Run, ti: TaskInstance) -> Iterator[Unmet]:
    if ti.state not in (None, Ti.SCHEDULED):
        return
    spec = node.spec
    usage = next((one for one in store.pools.usage() if one.pool.name == spec.pool), None)
    if usage is None:
        yield Unmet("Pool Slots Available", f"There is no pool '{spec.pool}'.")
    elif usage.pool.slots >= 0 and usage.pool.slots - usage.occupied < spec.pool_slots:
        free = max(usage.pool.slots - usage.occupied, 0)
        yield Unmet("Pool Slots Available", f"Pool '{spec.pool}' has {free} free slots; {spec.pool_slots} are needed.")
    busy = [(run_id, task) for run_id, task, _, _ in store.task_instances.states(run.dag_id, states=_BUSY)]
    here = [task for run_id, task in busy if run_id == run.run_id]
    counted, where = (len(here), "run") if dag.max_active_tasks_scope == "run" else (len(busy), "DAG")
    if counted >= dag.max_active_tasks:
        reason = f"{counted} tasks of the {where} are busy, and max_active_tasks is {dag.max_active_tasks}."
        yield Unmet("Task Instance Slots Available", reason)
    limits = (
        ("max_active_tis_per_dag", spec.max_active_tis_per_dag, [task for _, task in busy]),
        ("max_active_tis_per_dagrun", spec.max_active_tis_per_dagrun, here),
    )
    for name, limit, tasks in limits:
        if limit is not None and tasks.count(node.task_id) >= limit:
            yield Unmet("Task Concurrency", f"{name} is {limit}, and so many instances are busy.")
