"""Runs that assets start, with scripted workers: from the event of one task to the run of another DAG."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from gnomon.service import clock
from gnomon.store import asset_tables as a
from gnomon.store import tables as t
from gnomon.store.engine import Store, open_store
from gnomon.wire import execution as x
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.fixtures.scheduling import Bench, ScriptedExecutor, bench, dag, succeeds, task


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        yield store
        assert store.database.checked_out() == 0


def play(store: Store, scenario: Callable[[Bench], Awaitable[None]], executor: ScriptedExecutor | None = None) -> None:
    async def main() -> None:
        async with bench(store, executor or ScriptedExecutor(script=with_events)) as it:
            await scenario(it)

    asyncio.run(asyncio.wait_for(main(), 30))


def asset(name: str) -> dict[str, Any]:
    return {"asset": {"name": name, "uri": name, "group": "asset", "extra": {}}}


def with_events(workload: x.Workload) -> x.Outcome:
    """Succeed; a task called "make_x_y" updates the assets x and y."""
    outcome = succeeds(workload)
    if workload.task_id.startswith("make_"):
        names = workload.task_id.split("_")[1:]
        outcome.asset_events = [{"dest_asset_key": {"name": n, "uri": n}, "extra": {"by": n}} for n in names]
    return outcome


def producer(*names: str, dag_id: str = "producer") -> SerializedDag:
    made = task("make_" + "_".join(names), outlets=[asset(name) for name in names])
    return dag(dag_id, made)


def consumer(
    condition: dict[str, Any], *, kind: str = "assets", dag_id: str = "consumer", **fields: Any
) -> SerializedDag:
    schedule = TimetableSpec(kind=kind, assets=condition, **fields.pop("spec", {}))
    return dag(dag_id, task("use"), timetable=schedule, **fields)


def runs(store: Store, dag_id: str = "consumer") -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(select(t.dag_run).where(t.dag_run.c.dag_id == dag_id).order_by(t.dag_run.c.id)))


def all_done(it: Bench, count: int, dag_id: str = "consumer") -> Callable[[], bool]:
    return lambda: [run.state for run in runs(it.store, dag_id)] == ["success"] * count


def asset_id(store: Store, name: str) -> int:
    (found,) = store.assets.find(name=name)
    return int(found["id"])


def emit(store: Store, name: str, **fields: Any) -> int:
    return store.assets.emit(asset_id(store, name), clock.now(), **fields)


def test_the_success_of_a_task_starts_the_dag_that_waits_for_its_asset(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a")))
        source = it.trigger("producer")
        await it.until(all_done(it, 1))

        (run,) = runs(store)
        assert (run.run_type, run.triggered_by, run.logical_date) == ("asset_triggered", "asset", None)
        assert run.run_id.startswith(f"asset_triggered__{run.run_after.isoformat()}_")
        assert (run.data_interval_start, run.data_interval_end) == (None, None)
        (event,) = store.assets.consumed("consumer", run.run_id)
        assert (event["source_dag_id"], event["source_task_id"], event["source_run_id"]) == ("producer", "make_a", "r1")
        assert (event["extra"], event["asset"]["name"]) == ({"by": "a"}, "a")
        assert await it.finished(source) == "success"
        assert store.assets.queue() == []

    play(store, scenario)
