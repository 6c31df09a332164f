"""Backfills on both databases, with scripted workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gnomon.api.backfilling import BackfillRequest, create_backfill, dry_run
from gnomon.model.backfills import BackfillRefused, ReprocessBehavior
from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.backfills import Made
from gnomon.store.engine import Store
from gnomon.store.errors import BackfillUnderWay, Conflict
from gnomon.store.reads.versions import VersionCache
from gnomon.wire import execution as x
from gnomon.wire.dag import SerializedDag, TimetableSpec
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, day, fails, play, record, succeeds, task

DAILY = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"])


def daily(*tasks: Any, **fields: Any) -> SerializedDag:
    """A DAG whose own runs are over: only backfills make any."""
    fields = {
        "timetable": DAILY,
        "end_date": "2024-01-01T00:00:00+00:00",
        "start_date": "2024-01-02T00:00:00+00:00",
        **fields,
    }
    return dag("d", *(tasks or (task("a"),)), **fields)


def asked(first: int = 1, last: int = 5, **options: Any) -> BackfillRequest:
    return BackfillRequest(dag_id="d", from_date=day(first), to_date=day(last), now=clock.now(), **options)


def backfill(store: Store, first: int = 1, last: int = 5, **options: Any) -> Made:
    return create_backfill(store, VersionCache(), asked(first, last, **options))


def runs(store: Store) -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(select(t.dag_run).order_by(t.dag_run.c.logical_date, t.dag_run.c.id)))


def states(store: Store) -> list[str]:
    return [run.state for run in runs(store)]


def begun(store: Store) -> list[int]:
    """The days of the runs that have begun, in that order."""
    return [run.logical_date.day for run in sorted(runs(store), key=lambda run: (run.start_date, run.id))]


def completed(store: Store, number: int) -> Callable[[], bool]:
    def look() -> bool:
        found = store.backfills.get(number)
        return found is not None and found.completed_at is not None

    return look


def test_all_runs_are_made_at_once_and_go_to_the_end(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(daily())
        made = backfill(store, conf={"x": 1}, user="ann")

        assert (made.created, made.cleared, made.left) == (5, 0, 0)
        await it.until(completed(store, made.backfill.id))
        assert states(store) == ["success"] * 5
        assert next((run.run_type, run.conf, run.triggered_by, run.triggering_user_name) for run in runs(store)) == (
            "backfill", '{"x":1}', "backfill", "ann",
        )  # fmt: skip
        assert next(run.run_id for run in runs(store)) == "backfill__2024-01-01T00:00:00+00:00"

    play(store, scenario)


@pytest.mark.parametrize(("backwards", "order"), [(False, [1, 2, 3, 4, 5]), (True, [5, 4, 3, 2, 1])])
def test_runs_begin_in_its_order_one_after_the_other(store: Store, backwards: bool, order: list[int]) -> None:
    executor = ScriptedExecutor()

    async def scenario(it: Bench) -> None:
        it.record(daily())
        made = backfill(store, max_active_runs=1, backwards=backwards)

        await it.until(completed(store, made.backfill.id))
        days = [x.decoder(x.RunInfo).decode(w.run).logical_date for w in executor.started]
        assert [1 + (at - days[order.index(1)]) // 86_400_000_000 for at in days] == order

    play(store, scenario, executor)


def test_its_limit_is_its_own_and_not_that_of_the_dag(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)

    async def scenario(it: Bench) -> None:
        it.record(daily(max_active_runs=1))
        backfill(store, max_active_runs=3)
        await it.until(lambda: len(executor.started) == 3)
        by_hand = it.trigger("d")
        await it.until(lambda: len(executor.started) == 4)

        assert it.run_state(by_hand) == "running"
        assert sorted(states(store)) == ["queued", "queued", "running", "running", "running", "running"]

    play(store, scenario, executor)


def test_a_paused_backfill_begins_nothing_more(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)

    async def scenario(it: Bench) -> None:
        it.record(daily())
        number = backfill(store, max_active_runs=2).backfill.id
        await it.until(lambda: len(executor.started) == 2)
        assert store.backfills.set_paused(number, True, clock.now()).is_paused
        await it.until(lambda: it.scheduler._world.backfills[number].is_paused)
        for workload in list(executor.held.values()):
            executor.end(succeeds(workload))
        await it.until(lambda: states(store).count("success") == 2)
        assert states(store).count("queued") == 3

        executor.script = succeeds
        store.backfills.set_paused(number, False, clock.now())
        await it.until(completed(store, number))
        with pytest.raises(Conflict, match="already completed"):
            store.backfills.set_paused(number, True, clock.now())

    play(store, scenario, executor)


def test_cancelling_fails_what_is_queued_and_lets_the_rest_go_on(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)

    async def scenario(it: Bench) -> None:
        it.record(daily())
        number = backfill(store, max_active_runs=2).backfill.id
        await it.until(lambda: len(executor.started) == 2)
        cancelled = store.backfills.cancel(number, clock.now())

        assert cancelled.is_paused
        assert cancelled.completed_at is not None
        assert states(store) == ["running", "running", "failed", "failed", "failed"]
        for workload in list(executor.held.values()):
            executor.end(succeeds(workload))
        await it.until(lambda: states(store)[:2] == ["success", "success"])
        assert len(executor.started) == 2

        # One that is cleared later runs, though its backfill was cancelled.
        executor.script = succeeds
        store.runs.set_state("d", runs(store)[2].run_id, "queued", clock.now())
        await it.until(lambda: states(store)[2] == "success")

    play(store, scenario, executor)


def test_a_scheduler_that_has_not_heard_of_a_cancellation_yet_does_no_harm(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)

    async def scenario(it: Bench) -> None:
        it.record(daily())
        number = backfill(store, first=1, last=31, max_active_runs=1).backfill.id
        await it.until(lambda: len(executor.started) == 1)
        store.backfills.cancel(number, clock.now())
        executor.end(succeeds(executor.started[0]))  # decided upon before the notice is read
        await it.until(lambda: states(store)[0] == "success")

        assert states(store)[1:] == ["failed"] * 30
        assert len(executor.started) == 1

    play(store, scenario, executor)


def test_what_is_left_undone_is_done_by_the_next_scheduler(store: Store) -> None:
    record(store, daily())
    number = backfill(store).backfill.id

    async def scenario(it: Bench) -> None:
        await it.until(completed(store, number))
        assert states(store) == ["success"] * 5

    play(store, scenario)


def test_a_backfill_whose_last_run_was_deleted_meanwhile_is_completed(store: Store) -> None:
    record(store, daily())
    number = backfill(store, first=1, last=2).backfill.id
    for run in runs(store):
        store.runs.delete("d", run.run_id)

    async def scenario(it: Bench) -> None:
        await it.until(completed(store, number))

    play(store, scenario)


def test_a_backfill_is_completed_when_its_last_run_is_marked(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: None)

    async def scenario(it: Bench) -> None:
        it.record(daily())
        number = backfill(store, first=1, last=1).backfill.id
        await it.until(lambda: len(executor.started) == 1)
        store.runs.set_state("d", runs(store)[0].run_id, "failed", clock.now())
        await it.until(completed(store, number))

    play(store, scenario, executor)


def test_dates_that_have_runs_are_left_unless_they_are_to_be_made_again(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w) if w.try_number == 1 and _day(w) == 2 else succeeds(w))

    async def scenario(it: Bench) -> None:
        it.record(daily())
        first = backfill(store, first=1, last=2).backfill.id
        await it.until(completed(store, first))
        assert states(store) == ["success", "failed"]

        nothing = backfill(store, first=1, last=2)
        assert (nothing.created, nothing.cleared, nothing.left) == (0, 0, 2)
        assert nothing.backfill.completed_at is not None

        request = asked(1, 3, reprocess=ReprocessBehavior.FAILED)
        assert [run.logical_date for run in dry_run(store, VersionCache(), request)] == [day(2), day(3)]
        failed = create_backfill(store, VersionCache(), request)
        assert (failed.created, failed.cleared, failed.left) == (1, 1, 1)
        await it.until(completed(store, failed.backfill.id))
        assert states(store) == ["success"] * 3
        assert [run.backfill_id for run in runs(store)] == [first, failed.backfill.id, failed.backfill.id]

        every = backfill(store, first=1, last=3, reprocess=ReprocessBehavior.COMPLETED, conf={"again": True})
        assert (every.created, every.cleared, every.left) == (0, 3, 0)
        await it.until(completed(store, every.backfill.id))
        assert [(run.conf, run.clear_number) for run in runs(store)] == [
            ('{"again":true}', 1), ('{"again":true}', 2), ('{"again":true}', 1),
        ]  # fmt: skip
        assert len(executor.started) == 2 + 2 + 3

    play(store, scenario, executor)


def _day(workload: x.Workload) -> int:
    logical = x.decoder(x.RunInfo).decode(workload.run).logical_date
    assert logical is not None
    return 1 + (logical - int(day(1).timestamp()) * 1_000_000) // 86_400_000_000


def test_a_run_of_the_schedule_is_taken_over(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(daily(start_date="2024-01-01T00:00:00+00:00", end_date="2024-01-03T00:00:00+00:00", catchup=True))
        await it.until(lambda: states(store) == ["success"] * 3)
        made = backfill(store, first=1, last=4, reprocess=ReprocessBehavior.COMPLETED)
        await it.until(completed(store, made.backfill.id))

        found = runs(store)
        assert [run.run_type for run in found] == ["backfill"] * 4
        assert found[0].run_id.startswith("scheduled__")

    play(store, scenario)


def test_a_run_that_was_cancelled_before_it_began_can_be_made_again(store: Store) -> None:
    record(store, daily())
    store.backfills.cancel(backfill(store, first=1, last=2).backfill.id, clock.now())
    assert states(store) == ["failed", "failed"]

    async def scenario(it: Bench) -> None:
        made = backfill(store, first=1, last=2, reprocess=ReprocessBehavior.FAILED)
        assert made.cleared == 2
        await it.until(completed(store, made.backfill.id))
        assert states(store) == ["success"] * 2

    play(store, scenario)


def test_there_is_one_backfill_at_a_time(store: Store) -> None:
    record(store, daily())
    backfill(store)
    with pytest.raises(BackfillUnderWay):
        backfill(store, first=10, last=11)
    assert len(runs(store)) == 5


def test_two_at_the_same_moment_are_one(store: Store) -> None:
    record(store, daily())

    def attempt() -> int:
        try:
            return backfill(store).created
        except BackfillUnderWay:
            return 0

    async def both() -> list[int]:
        return list(await asyncio.gather(*(asyncio.to_thread(attempt) for _ in range(4))))

    assert sorted(asyncio.run(both())) == [0, 0, 0, 5]
    assert len(runs(store)) == 5


def test_nothing_is_left_of_a_backfill_that_could_not_be_made(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, daily())

    def broken(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.backfills, "_make_again", broken)
    with pytest.raises(KeyboardInterrupt):
        backfill(store)
    assert runs(store) == []
    assert store.backfills.active() == []


def test_the_first_run_depends_on_no_past_and_the_others_do(store: Store) -> None:
    executor = ScriptedExecutor(script=lambda w: fails(w) if _day(w) == 2 else succeeds(w))

    async def scenario(it: Bench) -> None:
        it.record(daily(task("a", depends_on_past=True)))
        made = backfill(store, first=1, last=4, reprocess=ReprocessBehavior.FAILED, max_active_runs=4)
        await it.until(lambda: states(store)[:2] == ["success", "failed"])

        assert [_day(w) for w in executor.started] == [1, 2]
        assert states(store)[2:] == ["running", "running"]
        assert not completed(store, made.backfill.id)()

    play(store, scenario, executor)


def test_a_partition_is_made_anew_beside_the_old_run(store: Store) -> None:
    keyed = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"], data={"key_format": "%Y-%m-%d"})

    async def scenario(it: Bench) -> None:
        it.record(daily(timetable=keyed))
        made = backfill(store, first=1, last=2)
        await it.until(completed(store, made.backfill.id))
        assert [(run.partition_key, run.logical_date) for run in runs(store)] == [
            ("2024-01-01", None), ("2024-01-02", None),
        ]  # fmt: skip
        assert backfill(store, first=1, last=2).left == 2
        again = backfill(store, first=1, last=2, reprocess=ReprocessBehavior.COMPLETED)
        assert (again.created, again.cleared) == (2, 0)
        await it.until(completed(store, again.backfill.id))
        assert [run.clear_number for run in runs(store)] == [0] * 4

    play(store, scenario)


def test_what_cannot_be_done_is_refused(store: Store) -> None:
    record(store, daily(params={"n": {"value": 1, "schema": {"type": "integer"}}}))
    for options, why in (
        ({"max_active_runs": 0}, "at least 1"),
        ({"conf": {"n": "one"}}, "Param 'n' is not valid"),
        ({"first": 3, "last": 2}, "is after to_date"),
    ):
        with pytest.raises(BackfillRefused, match=why):
            backfill(store, **options)  # type: ignore[arg-type]
    request = asked()
    request.from_date = request.to_date = day(1) + timedelta(hours=1)
    with pytest.raises(BackfillRefused, match="no runs from 2024-01-01T01:00:00"):
        create_backfill(store, VersionCache(), request)
    assert store.backfills.active() == []


def test_deleting_a_dag_deletes_its_backfills(store: Store) -> None:
    record(store, daily())
    number = backfill(store).backfill.id
    store.dags.delete("d")

    assert store.backfills.get(number) is None


def test_a_run_waits_for_the_time_that_it_must_not_begin_before(store: Store) -> None:
    executor = ScriptedExecutor()

    async def scenario(it: Bench) -> None:
        it.record(daily())
        now = clock.now()
        later = store.runs.create("d", "later", now=now, run_after=now + timedelta(seconds=1))
        assert await it.finished(it.trigger("d")) == "success"
        assert it.run_state(later.id) == "queued"
        assert await it.finished(later.id) == "success"

    play(store, scenario, executor)
