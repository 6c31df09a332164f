"""Airflow's decisions about task instances, on a database of its own in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from both import runs, wiring
from sqlalchemy import select

from airflow import models, settings
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskmap import TaskMap
from airflow.models.xcom import XComModel
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.state import DagRunState, State

models.import_all_models()
Base.metadata.create_all(settings.engine)
_DATE = pendulum.datetime(2025, 1, 1)


def _core(dag: Any) -> Any:
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def weights(case: dict[str, Any]) -> Any:
    """Return each task's effective priority."""
    try:
        made = wiring.build(case)
        made.check_cycle()
        dag = _core(made)
    except Exception as error:
        return {"raises": type(error).__name__}
    # Its database holds 32 bits and refuses a larger sum; a task's own weight is cut to them.
    found = {task.task_id: TaskInstance(task, dag_version_id=None).priority_weight for task in dag.tasks}
    return {name: max(-(2**31), min(2**31 - 1, weight)) for name, weight in found.items()}


def backoff(case: dict[str, Any]) -> Any:
    """Return the seconds until each of the next tries."""
    dag = wiring.DAG(case["dag_id"], schedule=None, start_date=_DATE)
    limit = case["max_delay"]
    wiring.Step(
        task_id=case["task_id"],
        dag=dag,
        retries=9,
        retry_delay=timedelta(seconds=case["delay"]),
        retry_exponential_backoff=case["multiplier"],
        max_retry_delay=None if limit is None else timedelta(seconds=limit),
    )
    core = _core(dag)
    run = DagRun(case["dag_id"], "r", logical_date=pendulum.parse(case["logical_date"]), run_type="scheduled")
    found = []
    for number in case["tries"]:
        instance = TaskInstance(core.get_task(case["task_id"]), run_id="r", dag_version_id=None)
        instance.dag_run = run
        instance.try_number, instance.end_date = number, _DATE
        found.append((instance.next_retry_datetime() - _DATE).total_seconds())
    return found


class _Run:
    """One run in the database, as the scheduler sees it."""

    def __init__(self, session: Any, dag: Any) -> None:
        self.session, self.dag = session, dag
        self.row = DagRun(
            "d",
            "r",
            logical_date=_DATE,
            run_after=_DATE,
            start_date=_DATE,
            state=DagRunState.RUNNING,
            run_type="scheduled",
            data_interval=(_DATE, _DATE),
        )
        self.row.dag = dag
        session.add(self.row)
        session.flush()
        self.row.verify_integrity(dag_version_id=None, session=session)

    def states(self) -> list[list[Any]]:
        """Return [task, map index, state] of all its task instances."""
        found = self.session.execute(
            select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state).where(TaskInstance.run_id == "r")
        )
        return sorted([task, index, None if state is None else str(state)] for task, index, state in found)

    def settle(self) -> None:
        """Let the scheduler look at it until nothing changes any more."""
        before: Any = ()
        while self.row.state == DagRunState.RUNNING:
            ready, _ = self.row.update_state(session=self.session, execute_callbacks=False)
            self.row.schedule_tis(ready, session=self.session)
            self.session.flush()
            self.session.expire_all()
            self.row.dag = self.dag
            now = self.states()
            if now == before:
                return
            before = now

    def finish(self, task: str, index: int, outcome: str, length: int | None) -> None:
        """End a task instance; a length is that of what it returned."""
        instance = self.row.get_task_instance(task, map_index=index, session=self.session)
        instance.state = outcome
        instance.start_date = instance.end_date = _DATE
        if outcome == "success" and length is not None:
            self.session.add(XComModel(
                dag_run_id=self.row.id, dag_id="d", run_id="r", task_id=task, map_index=index, key="return_value",
                value=[0] * length, timestamp=_DATE,
            ))  # fmt: skip
            if index < 0:
                self.session.add(TaskMap("d", task, "r", index, length, None))
        self.session.flush()


def run(case: dict[str, Any]) -> Any:
    """Return the states of a whole run, step by step."""
    try:
        dag = _core(runs.build(case))
    except Exception as error:
        return {"raises": type(error).__name__}
    session = settings.Session()
    try:
        live = _Run(session, dag)
        live.settle()
        trace = [live.states()]
        for choice in case["choices"]:
            waiting = [state for state in trace[-1] if state[2] == "scheduled"]
            if not waiting or live.row.state in State.finished_dr_states:
                break
            task, index, _ = waiting[choice["which"] % len(waiting)]
            live.finish(task, index, choice["outcome"], choice["length"])
            live.settle()
            trace.append(live.states())
        return {"trace": trace, "run": str(live.row.state)}
    finally:
        session.rollback()
        session.close()
