"""Tasks that wait for people: the scheduler parks them, and resumes them with the answer or without one."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from gnomon.service import clock
from gnomon.store.engine import Store
from gnomon.store.errors import Conflict, TaskInstanceNotFound
from gnomon.store.human_input import AnsweredAlready
from gnomon.store.types import from_micros
from gnomon.wire import execution as x
from gnomon.wire.human_input import AskPeople, Person
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, play, succeeds, task

QUESTION = AskPeople(subject="Go on?", options=["yes", "no"])
WITH_DEFAULTS = AskPeople(
    subject="Go on?", options=["yes", "no"], defaults=["no"], params=b'{"why":{"value":"late","schema":{}},"n":1}'
)
ANN = Person("ann", "Ann")


def asks(store: Store, question: AskPeople | None, *, timeout: int | None = None) -> ScriptedExecutor:
    """A worker whose task asks, waits, and returns the event it was resumed with."""

    def script(w: x.Workload) -> x.Outcome:
        if w.task_id != "ask":
            return succeeds(w)
        if w.next_method is not None:
            event = json.loads(w.next_kwargs or b"{}")["event"]
            return succeeds(w, event) if "error" not in event else fails_with(w, event["error_type"])
        if question is not None:
            store.human_input.ask(w.key.ti, w.key.seq, question, clock.now())
        return parked(w, timeout)

    return ScriptedExecutor(script=script)


def parked(w: x.Workload, timeout: int | None = None) -> x.Outcome:
    return x.Outcome(
        key=w.key, state="awaiting_input", end_date=clock.now_us(), next_method="go", next_kwargs=b"{}", timeout=timeout
    )


def fails_with(w: x.Workload, error: str) -> x.Outcome:
    return x.Outcome(key=w.key, state="failed", end_date=clock.now_us(), retryable=False, error=error)


def answer(store: Store, ti: int, *chosen: str) -> datetime:
    now = clock.now()
    store.human_input.answer(ti, chosen=list(chosen), params_input={"why": "because"}, by=ANN, now=now)
    return now


def returned(store: Store) -> dict[str, object]:
    value = store.xcoms.get("d", "r1", "ask")
    assert value is not None
    found: dict[str, object] = json.loads(value)
    return found


def test_it_waits_without_a_slot_and_goes_on_when_somebody_answers(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("ask"), task("after", "ask")))
        run = it.trigger("d")
        await it.until(lambda: it.states(run) == {"ask": "awaiting_input", "after": None})
        assert it.scheduler._world.usage.running == 0

        at = answer(store, it.executor.started[0].key.ti, "yes")

        assert await it.finished(run) == "success"
        assert it.executor.tries() == [("ask", -1, 1), ("ask", -1, 1), ("after", -1, 1)]
        assert it.executor.started[1].next_method == "go"
        assert returned(store) == {
            "chosen_options": ["yes"],
            "params_input": {"why": "because"},
            "responded_at": {
                "__classname__": "datetime.datetime",
                "__version__": 1,
                "__data__": [at.isoformat(), "UTC"],
            },
            "responded_by_user": {"id": "ann", "name": "Ann"},
            "timedout": False,
        }

    play(store, scenario, asks(store, QUESTION))


def test_an_answer_before_the_task_waits_is_not_lost(store: Store) -> None:
    def script(w: x.Workload) -> x.Outcome:
        if w.next_method is not None:
            return succeeds(w)
        store.human_input.ask(w.key.ti, w.key.seq, QUESTION, clock.now())
        answer(store, w.key.ti, "no")
        return parked(w)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("ask")))
        assert await it.finished(it.trigger("d")) == "success"

    play(store, scenario, ScriptedExecutor(script=script))


def test_an_answer_while_no_scheduler_runs_is_found_by_the_next_one(store: Store) -> None:
    executor = asks(store, QUESTION)
    run = 0

    async def park(it: Bench) -> None:
        nonlocal run
        it.record(dag("d", task("ask")))
        run = it.trigger("d")
        await it.until(lambda: it.states(run) == {"ask": "awaiting_input"})

    async def go_on(it: Bench) -> None:
        assert await it.finished(run) == "success"

    play(store, park, executor)
    answer(store, executor.started[0].key.ti, "yes")
    play(store, go_on, executor)


@pytest.mark.parametrize(
    ("question", "state"), [(WITH_DEFAULTS, "success"), (QUESTION, "failed"), (None, "failed")], ids=str
)
def test_when_nobody_answers_in_time_the_defaults_count(store: Store, question: AskPeople | None, state: str) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("ask")))
        run = it.trigger("d")

        assert await it.finished(run) == state
        if state == "success":
            found = returned(store)
            assert (found["chosen_options"], found["params_input"]) == (["no"], {"why": "late", "n": 1})
            assert (found["timedout"], found["responded_by_user"]) == (True, None)
            kept = store.human_input.get(it.executor.started[0].key.ti)
            assert kept is not None
            assert (kept.chosen_options, kept.responded_by) == (["no"], None)
            assert kept.responded_at is not None

    play(store, scenario, asks(store, question, timeout=clock.now_us() + 300_000))


def test_it_holds_its_per_task_limit_but_no_pool(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("ask", max_active_tis_per_dag=1, pool_slots=100)))
        first, second = it.trigger("d"), it.trigger("d", run_id="r2")
        await it.until(lambda: it.states(first) == {"ask": "awaiting_input"})
        world = it.scheduler._world
        assert (world.usage.pools["default_pool"].used, world.usage.pools["default_pool"].deferred) == (0, 0)
        await it.until(lambda: it.states(second) == {"ask": "scheduled"})

        answer(store, it.executor.started[0].key.ti, "yes")
        assert await it.finished(first) == "success"
        await it.until(lambda: it.states(second) == {"ask": "awaiting_input"})

    play(store, scenario, asks(store, QUESTION))


def test_a_question_is_answered_once_and_belongs_to_one_try(store: Store, now: datetime) -> None:
    executor = asks(store, QUESTION)

    async def scenario(it: Bench) -> None:
        it.record(dag("d", task("ask")))
        run = it.trigger("d")
        await it.until(lambda: it.states(run) == {"ask": "awaiting_input"})

    play(store, scenario, executor)
    key = executor.started[0].key
    answer(store, key.ti, "yes")

    with pytest.raises(AnsweredAlready):
        answer(store, key.ti, "no")
    with pytest.raises(Conflict):
        store.human_input.ask(key.ti, key.seq + 1, QUESTION, from_micros(1))
    with pytest.raises(TaskInstanceNotFound):
        answer(store, 1, "yes")
