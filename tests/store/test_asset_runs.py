"""Runs that assets start, with scripted workers: from the event of one task to the run of another DAG."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.wire import execution as x
from gnomon.wire.dag import SerializedDag, TimetableSpec
from tests.fixtures import scheduling
from tests.fixtures.scheduling import Bench, ScriptedExecutor, dag, record, succeeds, task


def play(store: Store, scenario: Callable[[Bench], Awaitable[None]], executor: ScriptedExecutor | None = None) -> None:
    scheduling.play(store, scenario, executor or ScriptedExecutor(script=with_events))


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


def test_several_events_are_one_run_and_all_assets_are_needed(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a", "b"))
        it.record(consumer({"all": [asset("a"), asset("b")]}))
        emit(store, "a", extra={"n": 1})
        emit(store, "a", extra={"n": 2})
        await it.until(lambda: [row["asset_id"] for row in store.assets.queue()] == [asset_id(store, "a")])
        assert runs(store) == []
        emit(store, "b")
        await it.until(all_done(it, 1))

        (run,) = runs(store)
        consumed = store.assets.consumed("consumer", run.run_id)
        assert [(event["asset"]["name"], event["extra"]) for event in consumed] == [
            ("a", {"n": 1}), ("a", {"n": 2}), ("b", {}),
        ]  # fmt: skip
        emit(store, "a")
        emit(store, "b", extra={"again": True})
        await it.until(all_done(it, 2))
        again = store.assets.consumed("consumer", runs(store)[1].run_id)
        assert [event["extra"] for event in again] == [{}, {"again": True}]

    play(store, scenario)


def test_any_of_several_is_enough(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a", "b", "c"))
        it.record(consumer({"any": [asset("a"), {"all": [asset("b"), asset("c")]}]}))
        emit(store, "b")
        emit(store, "a")
        await it.until(all_done(it, 1))
        emit(store, "c")
        await it.until(lambda: len(store.assets.queue()) == 1)
        assert len(runs(store)) == 1  # the event of b went into the first run

    play(store, scenario)


def test_a_paused_dag_queues_nothing_and_consumes_what_it_missed(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a")))
        store.dags.set_paused("consumer", True)
        emit(store, "a", extra={"missed": True})
        assert store.assets.queue() == []
        store.dags.set_paused("consumer", False)
        emit(store, "a")
        await it.until(all_done(it, 1))
        events = store.assets.consumed("consumer", runs(store)[0].run_id)
        assert [event["extra"] for event in events] == [{"missed": True}, {}]

    play(store, scenario)


def test_what_was_queued_before_a_pause_runs_after_it(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a", "b"))
        it.record(consumer({"all": [asset("a"), asset("b")]}))
        emit(store, "a")
        store.dags.set_paused("consumer", True)
        emit(store, "b")
        store.dags.set_paused("consumer", False)
        assert [row["asset_id"] for row in store.assets.queue()] == [asset_id(store, "a")]
        emit(store, "b")
        await it.until(all_done(it, 1))

    play(store, scenario)


def test_at_max_active_runs_the_queue_waits_and_loses_nothing(store: Store) -> None:
    going: list[x.Workload] = []

    def script(workload: x.Workload) -> x.Outcome | None:
        going.append(workload)
        return None

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a"), max_active_runs=1))
        emit(store, "a")
        await it.until(lambda: len(going) == 1)
        for number in range(3):
            emit(store, "a", extra={"n": number})
        await it.until(lambda: "consumer" in it.scheduler._create_asset_runs.held)
        assert len(runs(store)) == 1
        it.executor.end(succeeds(going[0]))
        await it.until(lambda: len(going) == 2)
        events = store.assets.consumed("consumer", runs(store)[1].run_id)
        assert [event["extra"] for event in events] == [{"n": 0}, {"n": 1}, {"n": 2}]

    play(store, scenario, ScriptedExecutor(script=script))


def test_an_alias_is_resolved_by_what_a_task_says(store: Store) -> None:
    def script(workload: x.Workload) -> x.Outcome:
        outcome = succeeds(workload)
        if workload.task_id == "resolve":
            key = {"name": "found", "uri": "s3://found"}
            event = {"source_alias_name": "al", "dest_asset_key": key, "dest_asset_extra": "{}", "extra": '{"n":1}'}
            outcome.asset_events = [event, {**event, "source_alias_name": "other"}]
        return outcome

    async def scenario(it: Bench) -> None:
        it.record(dag("producer", task("resolve", outlets=[{"alias": "al"}, {"alias": "other"}])))
        it.record(consumer({"alias": "al"}))
        it.trigger("producer")
        await it.until(all_done(it, 1))
        (event,) = store.assets.consumed("consumer", runs(store)[0].run_id)
        assert (event["asset"]["name"], event["extra"]) == ("found", {"n": 1})
        assert event["source_aliases"] == [{"name": "al"}, {"name": "other"}]
        assert store.assets.active(name="found") is not None
        assert [one["id"] for one in store.assets.events(alias="al")] == [event["id"]]

    play(store, scenario, ScriptedExecutor(script=script))


def test_a_reference_means_the_asset_that_another_dag_defines(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(consumer({"any": [{"ref": {"name": "a"}}, {"ref": {"uri": "nowhere"}}]}))
        it.record(producer("a"))
        it.trigger("producer")
        await it.until(all_done(it, 1))
        assert len(store.assets.consumed("consumer", runs(store)[0].run_id)) == 1

    play(store, scenario)


def test_events_that_cannot_be_stored_do_not_stop_the_scheduler(store: Store) -> None:
    def script(workload: x.Workload) -> x.Outcome:
        outcome = succeeds(workload)
        if workload.task_id == "make_a":
            good = {"dest_asset_key": {"name": "a", "uri": "a"}}
            outcome.asset_events = [
                *({}, {"dest_asset_key": {}}, {"dest_asset_key": {"name": 1, "uri": 2}}, {"ref": {}}),
                *({"source_alias_name": "x" * 2000, **good}, {"dest_asset_key": {"name": "never", "uri": "seen"}}),
                *(
                    {**good, "extra": "no JSON"},
                    {**good, "extra": "[1]"},
                    {"source_alias_name": "x", **good, "dest_asset_extra": "{"},
                ),
                *({"dest_asset_key": {"name": "\0", "uri": "a"}}, {**good, "partition_key": "x" * 300}),
                {**good, "extra": "{}"},
            ]
        return outcome

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a")))
        assert await it.finished(it.trigger("producer")) == "success"
        await it.until(all_done(it, 1))
        assert len(store.assets.events(name="a", uri="a")) == 1

    play(store, scenario, ScriptedExecutor(script=script))


def test_by_time_and_by_assets(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        spec = {"base": TimetableSpec(kind="once")}
        it.record(consumer(asset("a"), kind="asset_or_time", spec=spec))
        await it.until(all_done(it, 1))
        emit(store, "a")
        await it.until(all_done(it, 2))
        assert [run.run_type for run in runs(store)] == ["scheduled", "asset_triggered"]

    play(store, scenario)


def test_in_the_profile_of_airflow_2_the_run_has_a_date_and_the_interval_of_its_source(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a")))
        start, end = clock.now() - timedelta(days=2), clock.now() - timedelta(days=1)
        dates = {"run_after": end, "logical_date": start, "data_interval": (start, end)}
        run = store.runs.create("producer", "r1", now=clock.now(), **dates)
        await it.finished(run.id)
        await it.until(all_done(it, 1))
        (made,) = runs(store)
        assert made.run_id == f"dataset_triggered__{made.logical_date.isoformat()}"
        assert (made.data_interval_start, made.data_interval_end) == (start, end)

    play(store, scenario)


def test_what_was_committed_before_the_scheduler_died_starts_its_run_when_the_next_one_leads(store: Store) -> None:
    """The event is in the queue with the commit of its cause; nothing else has to survive."""
    record(store, producer("a"))
    record(store, consumer(asset("a")))
    emit(store, "a")

    async def scenario(it: Bench) -> None:
        await it.until(all_done(it, 1))

    play(store, scenario)


def test_a_lost_notice_is_made_up_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.scheduler.service._SWEEP_SECONDS", 0.05)

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(consumer(asset("a")))
        monkeypatch.setattr("gnomon.store.assets.ring", lambda conn, writer: None)
        emit(store, "a")
        await it.until(all_done(it, 1))

    play(store, scenario)


# ---------------------------------------------------------------------------------------------- partitions


def partitioned(condition: dict[str, Any], **mappers: dict[str, Any]) -> SerializedDag:
    return consumer(condition, kind="partitioned_assets", spec={"data": {"names": mappers}})


def partitions(store: Store) -> list[str]:
    return [run.partition_key for run in runs(store)]


def test_a_run_for_each_partition_when_all_assets_have_it(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a", "b"))
        it.record(partitioned({"all": [asset("a"), asset("b")]}))
        emit(store, "a", partition_key="x")
        emit(store, "b", partition_key="y")
        emit(store, "b", partition_key="x")
        await it.until(all_done(it, 1))
        assert partitions(store) == ["x"]
        assert len(store.assets.consumed("consumer", runs(store)[0].run_id)) == 2
        emit(store, "a", partition_key="y")
        await it.until(all_done(it, 2))
        assert partitions(store) == ["x", "y"]

    play(store, scenario)


def test_a_rollup_waits_for_its_window(store: Store) -> None:
    mapper = {"kind": "rollup", "mapper": {"kind": "fixed", "key": "world"}, "wait": {"kind": "all"}}
    window = {"kind": "segments", "segments": ["east", "west"]}

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(partitioned(asset("a"), a={**mapper, "window": window}))
        emit(store, "a", partition_key="east")
        emit(store, "a", partition_key="north")
        await it.until(lambda: len(store.asset_runs.queued()) == 1)
        assert runs(store) == []
        emit(store, "a", partition_key="west")
        await it.until(all_done(it, 1))
        assert partitions(store) == ["world"]

    play(store, scenario)


def test_a_fan_out_makes_a_run_for_each_member_with_its_date(store: Store) -> None:
    day_of = {"kind": "start_of", "unit": "day", "output_format": "%Y-%m-%d"}
    week_of = {"kind": "start_of", "unit": "week", "output_format": "%Y-%m-%d (W%V)"}
    mapper = {"kind": "fan_out", "mapper": week_of, "window": {"kind": "week"}, "downstream": day_of}

    async def scenario(it: Bench) -> None:
        it.record(producer("a"))
        it.record(partitioned(asset("a"), a=mapper))
        emit(store, "a", partition_key="2024-03-13T10:00:00")
        await it.until(all_done(it, 7))
        assert partitions(store) == [f"2024-03-{number}" for number in range(11, 18)]
        assert runs(store)[0].partition_date == datetime(2024, 3, 11, tzinfo=UTC)

    play(store, scenario)


@pytest.mark.parametrize(
    ("mapper", "key", "event"),
    [
        ({"kind": "allowed", "keys": ["x"]}, "y", "failed to map partition_key"),
        ({"kind": "unheard of", "classpath": "my.Mapper"}, "x", "failed to map partition_key"),
        ({"kind": "start_of", "unit": "day"}, "no date", "failed to map partition_key"),
        ({"kind": "identity"}, None, "missing partition key"),
    ],
)
def test_a_key_that_cannot_be_mapped_is_noted_in_the_audit_log(
    store: Store, mapper: dict[str, Any], key: str | None, event: str
) -> None:
    record(store, producer("a"))
    record(store, partitioned(asset("a"), a=mapper))
    emit(store, "a", partition_key=key)

    assert store.asset_runs.queued() == []
    with store.database.read() as conn:
        log = t.event_log.c
        assert conn.execute(select(log.event).where(log.dag_id == "consumer")).scalars().all() == [event]


def test_an_event_of_a_partition_starts_no_dag_that_is_not_partitioned(store: Store) -> None:
    record(store, producer("a"))
    record(store, consumer(asset("a")))
    emit(store, "a", partition_key="x")

    assert store.assets.queue() == []


def test_partitions_that_were_mapped_otherwise_are_dropped(store: Store) -> None:
    async def scenario(it: Bench) -> None:
        it.record(producer("a", "b"))
        both = {"all": [asset("a"), asset("b")]}
        it.record(partitioned(both))
        emit(store, "a", partition_key="x")
        it.record(partitioned(both, a={"kind": "fixed", "key": "all"}, b={"kind": "fixed", "key": "all"}))
        emit(store, "b", partition_key="x")
        emit(store, "a", partition_key="x")
        await it.until(all_done(it, 1))
        assert partitions(store) == ["all"]
        assert store.asset_runs.queued() == []

    play(store, scenario)


def test_a_run_of_a_tick_is_about_its_partition(store: Store) -> None:
    spec = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"], data={"run_offset": -1, "key_format": "%Y-%m-%d"})

    async def scenario(it: Bench) -> None:
        dates = {"start_date": "2024-01-01T00:00:00+00:00", "end_date": "2024-01-03T00:00:00+00:00", "catchup": True}
        it.record(dag("consumer", task("make_a", outlets=[asset("a")]), timetable=spec, **dates))
        it.record(dag("after", task("use"), timetable=TimetableSpec(kind="partitioned_assets", assets=asset("a"))))
        await it.until(all_done(it, 3))
        made = runs(store)
        assert [run.partition_key for run in made] == ["2023-12-31", "2024-01-01", "2024-01-02"]
        assert made[0].run_id == "scheduled__2024-01-01T00:00:00+00:00__2023-12-31"
        assert (made[0].logical_date, made[0].partition_date) == (None, datetime(2023, 12, 31, tzinfo=UTC))
        # The event carries the run's key, and the identity its date.
        await it.until(all_done(it, 3, "after"))
        passed_on = {(run.partition_key, run.partition_date) for run in runs(store, "after")}
        assert passed_on == {(run.partition_key, run.partition_date) for run in made}

    play(store, scenario)
