"""Deadlines on both databases, with scripted workers: made, kept, missed, called about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.deadline_tables import deadline, question
from gnomon.store.engine import Store
from gnomon.store.types import to_micros
from gnomon.wire import execution as x
from gnomon.wire.questions import DeadlineAsked, MomentTold
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, day, fails, play, succeeds, task

QUEUED_AT = {"reference_type": "DagRunQueuedAtDeadline"}
LOGICAL_DATE = {"reference_type": "DagRunLogicalDateDeadline"}
HOUR = 3600.0


def alert(
    reference: dict[str, Any], interval: Any = HOUR, *, kind: str = "SyncCallback", name: str | None = None
) -> Any:
    callback = {"kind": kind, "path": "alerts.tell", "kwargs": {"text": "late"}, "executor": None}
    return {"name": name, "reference": reference, "interval": interval, "callback": callback}


def deadlines(store: Store) -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(select(deadline).order_by(deadline.c.dag_run_id, deadline.c.alert_index)))


def holds(workload: x.Workload) -> None:
    """Leave the task running."""


def test_a_run_has_a_deadline_from_the_moment_it_exists(store: Store) -> None:
    executor = ScriptedExecutor(script=holds)

    async def scenario(it: Bench) -> None:
        alerts = [alert(QUEUED_AT, name="soon"), alert(LOGICAL_DATE, 60.0)]
        it.record(dag("d", task("a"), deadline=alerts, max_active_runs=1))
        # The second one waits for the first, and its time passes all the same.
        runs = [it.trigger("d", run_id="r1", logical_date=day(1)), it.trigger("d", run_id="r2")]
        await it.until(lambda: len(deadlines(store)) == 4)
        queued = {run_id: store.runs.get(run_id).queued_at for run_id in runs}  # type: ignore[union-attr]
        found = {(row.dag_run_id, row.alert_index): row.deadline_time for row in deadlines(store)}
        assert found == {
            (runs[0], 0): queued[runs[0]] + timedelta(hours=1),
            (runs[0], 1): day(1) + timedelta(minutes=1),
            (runs[1], 0): queued[runs[1]] + timedelta(hours=1),
            (runs[1], 1): None,  # it has no logical date
        }
        assert deadlines(store)[0].name == "soon"

    play(store, scenario, executor)


def test_a_run_that_succeeds_in_time_leaves_none_behind(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), task("b", "a", inline=True), deadline=[alert(QUEUED_AT), alert(LOGICAL_DATE)]))
        run = it.trigger("d")
        assert await it.finished(run) == "success"
        await it.until(lambda: not deadlines(store))
        it.record(dag("inline", task("a", inline=True), deadline=[alert(QUEUED_AT)]))
        run = it.trigger("inline")
        assert await it.finished(run) == "success"
        await it.until(lambda: not deadlines(store))

    play(store, scenario)


def test_a_run_that_fails_in_time_has_not_kept_its_deadline(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT, 0.3)]))
        run = it.trigger("d")
        assert await it.finished(run) == "failed"
        assert not deadlines(store)[0].missed
        await it.until(lambda: deadlines(store)[0].missed)
        await it.until(lambda: len(it.executor.callbacks) == 1)

    play(store, scenario, ScriptedExecutor(script=fails))


def test_a_missed_deadline_calls_a_worker_with_the_run_and_the_deadline(store: Store) -> None:
    executor = ScriptedExecutor(script=holds)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT, 0.1, name="soon")]))
        run = it.trigger("d")
        await it.until(lambda: len(executor.callbacks) == 1)
        workload = executor.callbacks[0]
        data = msgspec.json.decode(workload.data or b"")
        assert (workload.kind, data["path"], data["kwargs"]) == ("deadline", "alerts.tell", {"text": "late"})
        shown = data["context"]["dag_run"]
        assert (shown["dag_id"], shown["dag_run_id"], shown["state"]) == ("d", "r1", "running")
        row = deadlines(store)[0]
        assert data["context"]["deadline"] == {
            "id": str(UUID(int=row.id)),
            "deadline_time": row.deadline_time.isoformat(),
        }
        assert (row.missed, row.callback_state) == (True, "queued")
        executor.on_event(_ended(workload.id, "ValueError: no"))
        await it.until(lambda: deadlines(store)[0].callback_state == "failed")
        assert deadlines(store)[0].callback_output == "ValueError: no"
        assert not store.scheduling.owed_callbacks()
        # What was missed stays missed, whatever becomes of the run.
        executor.end(succeeds(executor.started[0]))
        assert await it.finished(run) == "success"
        assert deadlines(store)[0].missed

    play(store, scenario, executor)


def _ended(callback_id: int, error: str | None = None) -> Any:
    from gnomon.executors.executor import CallbackEnded

    return CallbackEnded(callback_id, error)


def test_an_asynchronous_callback_becomes_a_trigger(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT, 0.05, kind="AsyncCallback")]))
        it.trigger("d")
        await it.until(lambda: bool(deadlines(store)) and deadlines(store)[0].missed)
        (trigger,) = store.triggers.claim("me", alive=[], limit=10)
        kwargs = msgspec.json.decode(trigger.kwargs)
        assert (kwargs["callback_path"], kwargs["callback_kwargs"]["text"]) == ("alerts.tell", "late")
        assert kwargs["callback_kwargs"]["context"]["dag_run"]["dag_id"] == "d"
        assert kwargs["dag_file"]["relative_path"] == "d.py"
        assert store.triggers.fire(trigger.id, clock.now(), payload=b'{"state":"success","body":"told"}')
        await it.until(lambda: deadlines(store)[0].callback_state == "success")
        assert deadlines(store)[0].callback_output == "told"
        assert not store.scheduling.trigger_events()

    play(store, scenario, ScriptedExecutor(script=holds))


def test_what_is_missed_while_no_scheduler_runs_is_called_about_by_the_next(store: Store) -> None:
    async def begin(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT, 0.2)]))
        it.trigger("d")
        await it.until(lambda: len(deadlines(store)) == 1)

    async def later(it: Bench) -> None:
        await it.until(lambda: len(it.executor.callbacks) == 1)
        # It was sent and not confirmed: whoever leads next sends it again, under the same number.
        assert [row.id for row in store.scheduling.owed_callbacks()] == [it.executor.callbacks[0].id]

    play(store, begin, ScriptedExecutor(script=holds))
    again = [ScriptedExecutor(script=holds), ScriptedExecutor(script=holds)]
    for executor in again:
        play(store, later, executor)
    assert len({executor.callbacks[0].id for executor in again}) == 1


def test_a_run_that_was_created_while_no_scheduler_ran_gets_its_deadlines(store: Store) -> None:
    async def begin(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT)]))

    async def later(it: Bench) -> None:
        await it.until(lambda: len(deadlines(store)) == 1)

    play(store, begin)
    now = clock.now()
    store.runs.create("d", "r", now=now, run_after=now)
    for _ in range(2):  # and only once, however often a scheduler starts
        play(store, later, ScriptedExecutor(script=holds))


def test_the_average_is_that_of_earlier_successes(store: Store) -> None:
    average = {"reference_type": "AverageRuntimeDeadline", "max_runs": 2, "min_runs": 2}

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(average, 1.0)]))
        first = it.trigger("d", run_id="r1", logical_date=day(1))
        assert await it.finished(first) == "success"
        assert deadlines(store) == []  # one run is too few for an average
        second = it.trigger("d", run_id="r2", logical_date=day(2))
        assert await it.finished(second) == "success"
        with store.database.write() as conn:
            for run_id, seconds in ((first, 100), (second, 300)):
                end = store.runs.get(run_id).end_date  # type: ignore[union-attr]
                start = to_micros(end) - seconds * 1_000_000
                conn.execute(t.dag_run.update().where(t.dag_run.c.id == run_id).values(start_date=start))
        it.executor.script = holds  # type: ignore[assignment]
        before = clock.now()
        it.trigger("d", run_id="r3", logical_date=day(3))
        await it.until(lambda: len(deadlines(store)) == 1)
        moment = deadlines(store)[0].deadline_time
        assert before + timedelta(seconds=201) <= moment <= clock.now() + timedelta(seconds=201)

    play(store, scenario)


def test_an_interval_may_be_a_variable(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        store.variables.set("patience", "90")
        store.variables.set("nonsense", "soon")
        alerts = [alert(LOGICAL_DATE, {"variable": name}) for name in ("patience", "nonsense", "missing")]
        it.record(dag("d", task("a"), deadline=alerts))
        it.trigger("d", logical_date=day(1))
        await it.until(lambda: len(deadlines(store)) == 3)
        assert [row.deadline_time or None for row in deadlines(store)] == [day(1) + timedelta(seconds=90), None, None]

    play(store, scenario, ScriptedExecutor(script=holds))


def test_a_custom_reference_is_asked_of_user_code(store: Store) -> None:
    custom = {"reference_type": "NextMonday", "hour": 9, "classpath": "mine.NextMonday"}

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(custom, 60.0)]))
        it.trigger("d", logical_date=day(1))
        await it.until(lambda: len(store.questions.open(clock.now())) == 1)
        (asked,) = store.questions.open(clock.now())
        assert (asked.classpath, asked.data) == ("mine.NextMonday", {"reference_type": "NextMonday", "hour": 9})
        assert isinstance(asked.asked, DeadlineAsked)
        assert asked.asked.logical_date == to_micros(day(1))
        store.questions.answer(asked, clock.now(), told=MomentTold(to_micros(day(8))))
        await it.until(lambda: deadlines(store)[0].missed)  # January 2024 is long over
        assert deadlines(store)[0].deadline_time == day(8) + timedelta(minutes=1)
        with store.database.read() as conn:
            assert conn.execute(select(question.c.taken)).scalars().all() == [True]

    play(store, scenario, ScriptedExecutor(script=holds))


def test_a_cleared_run_does_not_get_new_deadlines(store: Store) -> None:
    from gnomon.store.task_instances import Selection

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("a"), deadline=[alert(QUEUED_AT)]))
        run = it.trigger("d")
        assert await it.finished(run) == "success"
        store.task_instances.clear(Selection(dag_id="d", run_ids=["r1"]), clock.now())
        await it.until(lambda: len(it.executor.started) == 2)
        assert await it.finished(run) == "success"
        assert deadlines(store) == []

    play(store, scenario)
