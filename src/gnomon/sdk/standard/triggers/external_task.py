"""Triggers that wait for tasks and runs of other DAGs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any

from gnomon.sdk.trigger import BaseTrigger, TriggerEvent


def count_matching(states_by_run: dict[str, dict[str, Any]], states: Collection[str]) -> int:
    """Return in how many runs all tasks are in one of `states`."""
    wanted = set(states)
    return sum(1 for tasks in states_by_run.values() if tasks and all(state in wanted for state in tasks.values()))


def count_in_states(
    dag_id: str,
    states: Collection[str],
    *,
    task_ids: Collection[str] | None = None,
    group_id: str | None = None,
    logical_dates: list[datetime] | None = None,
    run_ids: list[str] | None = None,
) -> float:
    """Return in how many of the runs the tasks, the group or the run itself are in one of `states`."""
    from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance as Ask

    wanted = [str(state) for state in states]
    if task_ids:
        count = Ask.get_ti_count(
            dag_id=dag_id, task_ids=list(task_ids), logical_dates=logical_dates, run_ids=run_ids, states=wanted
        )
        return count / len(task_ids)
    if group_id:
        found = Ask.get_task_states(dag_id=dag_id, task_group_id=group_id, logical_dates=logical_dates, run_ids=run_ids)
        return count_matching(found, wanted)
    return Ask.get_dr_count(dag_id=dag_id, logical_dates=logical_dates, run_ids=run_ids, states=wanted)


class WorkflowTrigger(BaseTrigger):
    """Fires when tasks, a task group or a run of another DAG have ended.

    The event is {"status": "success" | "failed" | "skipped"}.
    """

    def __init__(
        self,
        external_dag_id: str,
        run_ids: list[str] | None = None,
        execution_dates: list[datetime] | None = None,
        logical_dates: list[datetime] | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        failed_states: Collection[str] | None = None,
        skipped_states: Collection[str] | None = None,
        allowed_states: Collection[str] | None = None,
        poke_interval: float = 2.0,
        soft_fail: bool = False,
        **_: Any,
    ) -> None:
        super().__init__()
        self.external_dag_id = external_dag_id
        self.external_task_ids = external_task_ids
        self.external_task_group_id = external_task_group_id
        self.failed_states = failed_states
        self.skipped_states = skipped_states
        self.allowed_states = allowed_states
        self.run_ids = run_ids
        self.logical_dates = logical_dates or execution_dates
        self.poke_interval = poke_interval
        self.soft_fail = soft_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        names = (
            "external_dag_id", "external_task_ids", "external_task_group_id", "failed_states", "skipped_states",
            "allowed_states", "run_ids", "logical_dates", "poke_interval", "soft_fail",
        )  # fmt: skip
        kwargs = {name: getattr(self, name) for name in names}
        return "airflow.providers.standard.triggers.external_task.WorkflowTrigger", kwargs

    def _count(self, states: Collection[str]) -> float:
        return count_in_states(
            self.external_dag_id,
            states,
            task_ids=self.external_task_ids,
            group_id=self.external_task_group_id,
            logical_dates=self.logical_dates,
            run_ids=self.run_ids,
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again."""
        wanted = len(self.run_ids or self.logical_dates or ())
        while True:
            if self.failed_states and await asyncio.to_thread(self._count, self.failed_states) > 0:
                yield TriggerEvent({"status": "failed"})
                return
            if self.skipped_states and await asyncio.to_thread(self._count, self.skipped_states) > 0:
                yield TriggerEvent({"status": "skipped"})
                return
            if await asyncio.to_thread(self._count, self.allowed_states or ["success"]) == wanted:
                yield TriggerEvent({"status": "success"})
                return
            await asyncio.sleep(self.poke_interval)


class DagStateTrigger(BaseTrigger):
    """Fires when all of some runs of a DAG are in one of some states; the event is their last state."""

    def __init__(
        self,
        dag_id: str,
        states: Collection[str],
        run_ids: list[str] | None = None,
        execution_dates: list[datetime] | None = None,
        poll_interval: float = 5.0,
    ) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.states = [str(state) for state in states]
        self.run_ids = run_ids
        self.execution_dates = execution_dates
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        names = ("dag_id", "states", "poll_interval", "run_ids", "execution_dates")
        kwargs = {name: getattr(self, name) for name in names}
        return "airflow.providers.standard.triggers.external_task.DagStateTrigger", kwargs

    def _all_there(self) -> bool:
        wanted = len(self.run_ids or self.execution_dates or ())
        found = count_in_states(self.dag_id, self.states, logical_dates=self.execution_dates, run_ids=self.run_ids)
        return found >= wanted

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again."""
        while not await asyncio.to_thread(self._all_there):
            await asyncio.sleep(self.poll_interval)
        yield TriggerEvent(await asyncio.to_thread(self._describe))

    def _describe(self) -> Any:
        from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance as Ask

        path, kwargs = self.serialize()
        if not self.run_ids:
            return path, kwargs
        states = {run_id: Ask.get_dagrun_state(self.dag_id, run_id) for run_id in self.run_ids}
        return path, {**kwargs, "run_id_state": states, **states}
