"""The scheduler on both databases, with scripted workers: from a queued run to its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from gnomon.store.engine import Store
from gnomon.wire import execution as x
from gnomon.wire.dag import ExpandInput, SerializedGroup, TimetableSpec, XComLength
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, day, fails, play, record, succeeds, task


def test_a_chain_runs_in_order(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b", "a"), task("c", "b")))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert it.executor.tries() == [("a", -1, 1), ("b", -1, 1), ("c", -1, 1)]

    play(store, scenario)


def test_a_failed_try_is_repeated_with_the_next_number(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w) if w.try_number < 3 else succeeds(w))

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a", retries=2)))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert [n for _, _, n in it.executor.tries()] == [1, 2, 3]

    play(store, scenario, executor)


def test_a_failure_that_may_not_be_retried_ends_the_run(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w, retryable=False))

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a", retries=5), task("b", "a")))
        run = it.trigger("d")

        assert await it.finished(run) == "failed"
        assert it.states(run) == {"a": "failed", "b": "upstream_failed"}

    play(store, scenario, executor)


def test_a_branch_skips_what_it_did_not_choose(store: Store) -> None:
    def script(w: x.Workload) -> x.Outcome:
        return succeeds(w, "left", skip=[("right", -1)]) if w.task_id == "branch" else succeeds(w)

    async def scenario(it: Bench) -> None:
        join = task("join", "left", "right", trigger_rule="none_failed_min_one_success")
        it.record(dag("d", task("branch"), task("left", "branch"), task("right", "branch"), join))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert it.states(run) == {"branch": "success", "left": "success", "right": "skipped", "join": "success"}

    play(store, scenario, ScriptedExecutor(script=script))


def test_a_mapped_task_expands_over_what_was_pushed(store: Store) -> None:
    def script(w: x.Workload) -> x.Outcome:
        return succeeds(w, [10, 20, 30]) if w.task_id == "make" else succeeds(w, w.map_index)

    async def scenario(it: Bench) -> None:
        over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="make")})
        it.record(dag("d", task("make"), task("use", "make", expand=over), task("sum", "use")))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert it.states(run) == {
            "make": "success",
            "use[0]": "success",
            "use[1]": "success",
            "use[2]": "success",
            "sum": "success",
        }

    play(store, scenario, ScriptedExecutor(script=script))


def test_a_mapped_task_over_nothing_is_skipped(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="make")})
        it.record(dag("d", task("make"), task("use", "make", expand=over)))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert it.states(run)["use"] == "skipped"

    play(store, scenario, ScriptedExecutor(script=lambda w: succeeds(w, [])))


def test_in_a_mapped_group_index_follows_index(store: Store) -> None:
    """One branch of the group runs to its end while another one still waits: no barrier between its tasks."""
    slow: list[x.Workload] = []

    def script(w: x.Workload) -> x.Outcome | None:
        if (w.task_id, w.map_index) == ("g.first", 1):
            slow.append(w)
            return None
        return succeeds(w)

    async def scenario(it: Bench) -> None:
        group = SerializedGroup(group_id="g", expand=ExpandInput(kind="expand", inputs={"x": 2}))
        tasks = [task("g.first", group="g"), task("g.second", "g.first", group="g"), task("end", "g.second")]
        it.record(dag("d", *tasks, groups=[group]))
        run = it.trigger("d")
        await it.until(lambda: ("g.second", 0, 1) in it.executor.tries())

        assert it.states(run)["g.first[1]"] == "running"
        it.executor.end(succeeds(slow[0]))
        assert await it.finished(run) == "success"

    play(store, scenario, ScriptedExecutor(script=script))


def test_a_deferred_task_resumes_as_the_same_try_with_the_event(store: Store) -> None:
    def script(w: x.Workload) -> x.Outcome:
        if w.next_method is not None:
            return succeeds(w, w.next_kwargs.decode() if w.next_kwargs else None)
        trigger = x.TriggerSpec(classpath="a.Trigger", kwargs=b'{"moment":1}')
        return x.Outcome(
            key=w.key, state="deferred", end_date=1, trigger=trigger, next_method="go", next_kwargs=b'{"k":1}'
        )

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("wait")))
        run = it.trigger("d")
        await it.until(lambda: it.states(run) == {"wait": "deferred"})
        (live,) = it.store.triggers.claim("triggerer", alive=["triggerer"], limit=10)
        it.store.triggers.fire(live.id, it_now(), payload=b'{"done":true}')

        assert await it.finished(run) == "success"
        assert it.executor.tries() == [("wait", -1, 1), ("wait", -1, 1)]
        assert it.executor.started[-1].next_kwargs == b'{"kwargs":{"k":1},"event":{"done":true}}'

    play(store, scenario, ScriptedExecutor(script=script))


def it_now() -> datetime:
    from gnomon.service import clock

    return clock.now()


def test_a_sensor_that_reschedules_keeps_its_try(store: Store) -> None:
    def script(w: x.Workload) -> x.Outcome:
        if w.reschedules < 2:
            return x.Outcome(key=w.key, state="up_for_reschedule", end_date=1, reschedule_at=2)
        return succeeds(w)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("sense")))
        run = it.trigger("d")

        assert await it.finished(run) == "success"
        assert [n for _, _, n in it.executor.tries()] == [1, 1, 1]

    play(store, scenario, ScriptedExecutor(script=script))


def test_mistake_21_max_active_runs_gates_queued_runs(store: Store) -> None:
    running: list[x.Workload] = []

    def script(w: x.Workload) -> x.Outcome | None:
        running.append(w)
        return None

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), max_active_runs=2))
        runs = [it.trigger("d", run_id=f"r{n}") for n in range(3)]
        await it.until(lambda: len(running) == 2)

        assert [it.run_state(run) for run in runs] == ["running", "running", "queued"]
        it.executor.end(succeeds(running[0]))
        await it.until(lambda: len(running) == 3)
        for workload in running[1:]:
            it.executor.end(succeeds(workload))
        for run in runs:
            assert await it.finished(run) == "success"

    play(store, scenario, ScriptedExecutor(script=script))


def test_mistake_22_pool_slots_bound_what_runs(store: Store) -> None:
    running: list[x.Workload] = []

    def script(w: x.Workload) -> x.Outcome | None:
        running.append(w)
        return None

    async def scenario(it: Bench) -> None:
        it.store.pools.set("small", 3)
        tasks = [task("big", pool="small", pool_slots=4), *(task(f"t{n}", pool="small") for n in range(4))]
        it.record(dag("d", *tasks))
        it.trigger("d")
        await it.until(lambda: len(running) == 3)
        await asyncio.sleep(0.05)

        assert sorted(w.task_id for w in running) == ["t0", "t1", "t2"]

    play(store, scenario, ScriptedExecutor(script=script))


def test_a_paused_dag_keeps_its_runs_queued(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a")), paused=True)
        run = it.trigger("d")
        await asyncio.sleep(0.1)
        assert it.run_state(run) == "queued"

        it.store.dags.set_paused("d", False)
        assert await it.finished(run) == "success"

    play(store, scenario)


def test_catchup_runs_every_missed_interval_once(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        spec = TimetableSpec(kind="cron_interval", crons=["0 0 * * *"])
        it.record(
            dag("d", task("a"), timetable=spec, catchup=True, end_date="2024-01-05T00:00:00+00:00", max_active_runs=2)
        )
        await it.until(lambda: len(it.executor.started) == 5, 20)
        await it.until(lambda: all_finished(it.store, "d", 5))

        assert run_dates(it.store, "d") == [day(n) for n in range(1, 6)]

    play(store, scenario)


def all_finished(store: Store, dag_id: str, count: int) -> bool:
    from sqlalchemy import select

    from gnomon.store import tables as t

    with store.database.read() as connection:
        states = connection.execute(select(t.dag_run.c.state).where(t.dag_run.c.dag_id == dag_id)).scalars().all()
    return len(states) == count and all(state == "success" for state in states)


def run_dates(store: Store, dag_id: str) -> list[datetime]:
    from sqlalchemy import select

    from gnomon.store import tables as t

    r = t.dag_run.c
    with store.database.read() as connection:
        dates = connection.execute(select(r.logical_date).where(r.dag_id == dag_id).order_by(r.logical_date))
        return [date.astimezone(UTC) for date in dates.scalars()]


def test_mistake_19_depends_on_past_waits_for_the_run_before(store: Store) -> None:
    held: list[x.Workload] = []

    def script(w: x.Workload) -> x.Outcome | None:
        held.append(w)
        return None

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a", depends_on_past=True)))
        first = it.trigger("d", run_id="r1", logical_date=day(1))
        second = it.trigger("d", run_id="r2", logical_date=day(2))
        await it.until(lambda: len(held) == 1)
        await asyncio.sleep(0.05)
        assert it.states(second) == {"a": None}

        it.executor.end(succeeds(held[0]))
        await it.until(lambda: len(held) == 2)
        it.executor.end(succeeds(held[1]))
        assert [await it.finished(first), await it.finished(second)] == ["success", "success"]

    play(store, scenario, ScriptedExecutor(script=script))


def test_mistake_18_a_run_over_its_timeout_fails_and_skips_the_rest(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b", "a"), dagrun_timeout=0.2))
        run = it.trigger("d")

        assert await it.finished(run) == "failed"
        assert it.states(run) == {"a": "skipped", "b": "skipped"}
        assert len(it.executor.terminated) == 1

    play(store, scenario, ScriptedExecutor(script=lambda w: None))


def test_a_lost_worker_fails_what_ran_and_repeats_what_had_not_begun(store: Store) -> None:
    """`running` may have done anything, so that try is over; `queued` has done nothing, so it is handed over again."""

    class Silent(ScriptedExecutor):
        """Never asks to go ahead with "queued"."""

        def send(self, incarnation: str, workload: x.Workload | x.CallbackWorkload) -> None:
            if isinstance(workload, x.Workload) and workload.task_id == "queued" and incarnation == "w/1":
                self.held[workload.key] = workload
                return
            super().send(incarnation, workload)

    executor = Silent(script=lambda w: None if executor.incarnation == "w/1" else succeeds(w))

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("running", retries=1), task("queued")))
        run = it.trigger("d")
        await it.until(lambda: it.states(run) == {"running": "running", "queued": "queued"})

        executor.leave()
        executor.incarnation = "w/2"
        executor.held.clear()
        executor.join()

        assert await it.finished(run) == "success"
        assert it.executor.tries() == [("running", -1, 1), ("queued", -1, 1), ("running", -1, 2)]

    play(store, scenario, executor)


def test_a_scheduler_that_starts_anew_goes_on_where_the_last_one_ended(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)
    ids: list[int] = []

    async def before(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b", "a")))
        ids.append(it.trigger("d"))
        await it.until(lambda: len(it.executor.started) == 1)

    async def after(it: Bench) -> None:
        it.executor.script = succeeds
        it.executor.end(succeeds(it.executor.started[0]))

        assert await it.finished(ids[0]) == "success"
        assert it.executor.tries() == [("a", -1, 1), ("b", -1, 1)]

    play(store, before, executor)
    play(store, after, executor)


def test_a_piece_that_was_cleared_is_not_allowed_to_go_ahead(store: Store) -> None:
    class Late(ScriptedExecutor):
        """Asks for nothing by itself."""

        def send(self, incarnation: str, workload: x.Workload | x.CallbackWorkload) -> None:
            assert isinstance(workload, x.Workload)
            self.handed.append(workload)
            self.held[workload.key] = workload

    executor = Late()

    async def scenario(it: Bench) -> None:
        from gnomon.executors.executor import StartAsked

        it.record(dag("d", task("a")))
        run = it.trigger("d")
        await it.until(lambda: len(executor.handed) == 1)
        old = executor.handed[0].key
        it.store.runs.set_state("d", "r1", "failed", it_now())
        await it.until(lambda: it.run_state(run) == "failed")
        await asyncio.sleep(0.05)
        executor.on_event(StartAsked("w/1", "host", x.TryStarting(key=old, start_date=1)))
        await it.until(lambda: executor.refused == [old])

    play(store, scenario, executor)


def test_what_is_recorded_while_no_scheduler_runs_is_found_by_the_next(store: Store) -> None:
    record(store, dag("d", task("a")))

    async def scenario(it: Bench) -> None:
        assert await it.finished(it.trigger("d")) == "success"

    play(store, scenario)


def test_a_worker_runs_the_callbacks_of_a_try_whose_process_is_gone(store: Store) -> None:
    def script(workload: x.Workload) -> x.Outcome:
        outcome = fails(workload)
        outcome.orphaned, outcome.error = True, "killed by SIGKILL (signal 9)"
        return outcome

    executor = ScriptedExecutor(script=script)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a", retries=1, has_retry_callback=True, has_failure_callback=True), task("b")))
        run = it.trigger("d")
        assert await it.finished(run) == "failed"
        found = [(one.kind, one.task_id, one.try_number, one.reason) for one in executor.callbacks]
        assert found == [
            ("task_retry", "a", 1, "killed by SIGKILL (signal 9)"),
            ("task_failure", "a", 2, "killed by SIGKILL (signal 9)"),
        ]

    play(store, scenario, executor)


def test_a_dag_callback_is_called_in_the_context_of_the_task_that_ended_last(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w) if w.task_id == "b" else succeeds(w))

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b", "a"), task("c", "b"), has_failure_callback=True))
        assert await it.finished(it.trigger("d")) == "failed"
        await it.until(lambda: len(executor.callbacks) == 1)
        (called,) = executor.callbacks
        assert (called.kind, called.reason, called.task_id, called.try_number) == (
            "dag_failure",
            "task_failure",
            "b",
            1,
        )

    play(store, scenario, executor)


def test_callbacks_may_ask_for_connections_and_variables(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        ask = x.GetVariable("k")
        assert isinstance(it.scheduler._on_request(x.TryKey(-5, 0), ask), x.Done)  # as the bench answers
        refused = it.scheduler._on_request(x.TryKey(5, 0), ask)
        assert isinstance(refused, x.Problem)
        assert refused.code == "forbidden"

    play(store, scenario)


def test_a_callback_that_finds_all_workers_busy_goes_before_the_next_task(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None, slots=1)

    async def scenario(it: Bench) -> None:
        it.record(dag("busy", task("a"), task("b")))
        it.record(dag("d", task("x", inline=True), has_success_callback=True))
        it.trigger("busy")
        await it.until(lambda: len(executor.started) == 1)  # the only slot; the other task waits for it
        assert await it.finished(it.trigger("d")) == "success"
        assert executor.callbacks == []
        executor.end(succeeds(executor.started[0]))
        await it.until(lambda: len(executor.callbacks) == 1)
        assert len(executor.started) == 1
        it.trigger("busy", run_id="r2")  # anything that happens lets the task have the slot
        await it.until(lambda: len(executor.started) == 2)

    play(store, scenario, executor)
