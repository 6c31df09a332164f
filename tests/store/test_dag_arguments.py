"""What arguments of DAGs and tasks make the scheduler do; each test is named after the argument and its rule."""

from __future__ import annotations

from gnomon.store.engine import Store
from gnomon.wire.dag import TimetableSpec
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, day, fails, play, succeeds, task


def paused(store: Store) -> bool:
    row = store.dags.get("d")
    assert row is not None
    return bool(row.is_paused)


def test_max_consecutive_failed_dag_runs_pauses_the_dag_after_so_many_in_a_row(store: Store) -> None:
    executor = ScriptedExecutor(script=fails)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), max_consecutive_failed_dag_runs=2))
        assert await it.finished(it.trigger("d", run_id="r1", logical_date=day(1))) == "failed"
        assert not paused(store)
        executor.script = succeeds  # a success in between starts the count anew
        assert await it.finished(it.trigger("d", run_id="r2", logical_date=day(2))) == "success"
        executor.script = fails
        assert await it.finished(it.trigger("d", run_id="r3", logical_date=day(3))) == "failed"
        assert not paused(store)
        assert await it.finished(it.trigger("d", run_id="r4", logical_date=day(4))) == "failed"
        await it.until(lambda: paused(store))

    play(store, scenario, executor)


def test_max_consecutive_failed_dag_runs_of_zero_never_pauses(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a")))
        for number in (1, 2, 3):
            await it.finished(it.trigger("d", run_id=f"r{number}", logical_date=day(number)))
        assert not paused(store)

    play(store, scenario, ScriptedExecutor(script=fails))


def test_fail_fast_ends_the_other_tasks_of_the_run(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w) if w.task_id == "b" else None)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b"), task("c", "a"), fail_fast=True))
        run = it.trigger("d")
        assert await it.finished(run) == "failed"
        assert it.states(run) == {"a": "failed", "b": "failed", "c": "skipped"}
        await it.until(lambda: len(executor.terminated) == 1)  # the process of a is told to end

    play(store, scenario, executor)


def test_allowed_run_types_without_scheduled_keeps_the_schedule_from_making_runs(store: Store) -> None:
    timetable = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"])

    async def scenario(it: Bench) -> None:
        bounds = {"catchup": True, "end_date": "2024-01-03T00:00:00+00:00", "timetable": timetable}
        it.record(dag("d", task("a"), allowed_run_types=["manual"], **bounds))
        it.record(dag("free", task("a"), **bounds))
        await it.until(lambda: store.runs.count("free") == 3)
        assert store.runs.count("d") == 0
        assert await it.finished(it.trigger("d")) == "success"

    play(store, scenario)


def test_wait_for_past_depends_before_skipping_holds_a_skip_back_until_the_past_is_good(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda workload: None)
    rule = {"depends_on_past": True, "trigger_rule": "all_success"}

    async def scenario(it: Bench) -> None:
        it.record(
            dag(
                "d",
                task("first"),
                task("gate", "first", inline=True),
                task("impatient", "gate", **rule),
                task("patient", "gate", wait_for_past_depends_before_skipping=True, **rule),
            )
        )
        one = it.trigger("d", run_id="r1", logical_date=day(1))
        await it.until(lambda: it.states(one).get("first") == "running")
        two = it.trigger("d", run_id="r2", logical_date=day(2))
        await it.until(lambda: it.states(two).get("first") == "running")
        # In the second run the gate is skipped while the first run is still under way.
        second = next(w for w in executor.held.values() if w.task_id == "first" and w.key != executor.started[0].key)
        outcome = succeeds(second)
        outcome.state = "skipped"
        executor.end(outcome)
        await it.until(lambda: it.states(two)["impatient"] == "skipped")
        assert it.states(two)["patient"] is None
        executor.script = succeeds
        executor.end(succeeds(executor.started[0]))
        await it.until(lambda: it.states(two)["patient"] == "skipped")

    play(store, scenario, executor)
