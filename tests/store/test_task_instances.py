from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from gnomon.store import tables
from gnomon.store.engine import Store
from gnomon.store.errors import Conflict, Invalid, TaskInstanceNotFound
from gnomon.store.parses import Recorded
from gnomon.store.records import Run, TaskInstance
from gnomon.store.task_instances import Selection
from gnomon.wire.dag import SerializedTask

from .conftest import NOW, add_task_instance, later, parse, serialized, set_run_state

ALL = Selection(dag_id="a")


def by_task(store: Store) -> dict[str, TaskInstance]:
    return {ti.task_id: ti for ti in store.task_instances.select(ALL)}


def states(store: Store) -> dict[str, str | None]:
    return {task_id: ti.state for task_id, ti in by_task(store).items()}


def add_trigger(store: Store, ti_id: int) -> None:
    row = {"ti_id": ti_id, "seq": 1, "classpath": "x.Y", "kwargs": "{}", "created_at": NOW}
    with store.database.write() as conn:
        conn.execute(insert(tables.trigger).values(**row))


def rows(store: Store, table: str) -> int:
    with store.database.read() as conn:
        return len(conn.execute(select(tables.metadata.tables[table])).all())


# ------------------------------------------------------------------------------------------------ selection


def test_selections(store: Store, a_run: Callable[..., Run]) -> None:
    first = a_run("r1", at=later(0), t="success", u="failed")
    second = a_run("r2", at=later(10), t="running", u="upstream_failed")
    for index in range(3):
        add_task_instance(store, second, "mapped", None, map_index=index)

    def found(**fields: object) -> list[tuple[int, str, int]]:
        selection = Selection(dag_id="a", **fields)  # type: ignore[arg-type]
        return [(ti.dag_run_id, ti.task_id, ti.map_index) for ti in store.task_instances.select(selection)]

    assert len(found()) == 7
    assert found(run_ids=["r1"]) == [(first.id, "t", -1), (first.id, "u", -1)]
    assert found(task_ids=["mapped"]) == [(second.id, "mapped", index) for index in range(3)]
    assert found(task_ids=[("mapped", 1), "t"], run_ids=["r2"]) == [(second.id, "t", -1), (second.id, "mapped", 1)]
    assert found(task_ids=[]) == []
    assert found(only_failed=True) == [(first.id, "u", -1), (second.id, "u", -1)]
    assert found(only_running=True) == [(second.id, "t", -1)]
    assert found(states=[None, "success"]) == [
        (first.id, "t", -1),
        *((second.id, "mapped", index) for index in range(3)),
    ]
    assert found(logical_date_to=later(5)) == found(run_ids=["r1"])
    assert found(logical_date_from=later(5)) == found(run_ids=["r2"])


# ---------------------------------------------------------------------------------------------------- clear


def test_mistake_27_a_running_one_is_restarted_and_the_others_start_over(
    store: Store, a_run: Callable[..., Run]
) -> None:
    run = a_run(
        running="running", queued="queued", scheduled="scheduled", done="success", failed="failed", waits="deferred"
    )
    add_trigger(store, by_task(store)["waits"].id)
    set_run_state(store, run, "running")

    store.task_instances.clear(ALL, later(5))

    expected = dict.fromkeys(["queued", "scheduled", "done", "failed", "waits"])
    assert states(store) == {"running": "restarting", **expected}
    done = by_task(store)["done"]
    assert (done.start_date, done.end_date, done.try_number) == (None, None, 1)
    assert rows(store, "trigger") == 0


def test_mistake_27_a_finished_run_is_queued_again_and_counts_the_clear(
    store: Store, a_run: Callable[..., Run]
) -> None:
    set_run_state(store, a_run("r1", t="failed"), "failed")
    set_run_state(store, a_run("r2", at=later(10), t="failed"), "running")

    store.task_instances.clear(ALL, later(50))

    finished, running = store.runs.by_run_id("a", "r1"), store.runs.by_run_id("a", "r2")
    assert finished is not None
    assert running is not None
    assert (finished.state, finished.start_date, finished.end_date) == ("queued", None, None)
    assert (finished.queued_at, finished.clear_number) == (later(50), 1)
    assert (running.state, running.start_date, running.clear_number) == ("running", NOW, 1)


def test_mistake_24_a_cleared_one_gets_as_many_further_tries_as_it_has_retries(
    store: Store, a_dag: Callable[..., Recorded]
) -> None:
    a_dag("a", SerializedTask(task_id="t", retries=2), SerializedTask(task_id="gone", retries=3))
    run = store.runs.create("a", "r1", now=NOW, run_after=NOW)
    add_task_instance(store, run, "t", "failed", try_number=3, max_tries=2)
    add_task_instance(store, run, "unknown", "failed", try_number=4, max_tries=1)

    store.task_instances.clear(ALL, NOW)

    assert {task: ti.max_tries for task, ti in by_task(store).items()} == {"t": 5, "unknown": 4}


def test_the_try_that_is_thrown_away_stays_in_the_history(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="failed")
    store.task_instances.clear(ALL, later(5))

    [first] = store.task_instances.history("a", "r1", "t")
    assert (first.try_number, first.state, first.end_date) == (1, "failed", NOW)
    with store.database.write() as conn:
        ti = tables.task_instance
        conn.execute(ti.update().values(state="running", try_number=2, start_date=later(9)))
    assert [(t.try_number, t.state) for t in store.task_instances.history("a", "r1", "t")] == [
        (1, "failed"),
        (2, "running"),
    ]
    store.task_instances.clear(ALL, later(5))
    store.task_instances.clear(ALL, later(6))
    assert states(store) == {"t": "restarting"}
    assert store.task_instances.history("a", "r1", "unknown") == []


def test_clearing_only_what_failed(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(good="success", bad="failed", after="upstream_failed")

    cleared = store.task_instances.clear(Selection(dag_id="a", only_failed=True), NOW)

    assert [ti.task_id for ti in cleared.task_instances] == ["bad", "after"]
    assert [ti.state for ti in cleared.task_instances] == ["failed", "upstream_failed"]
    assert states(store) == {"good": "success", "bad": None, "after": None}


def test_a_dry_run_changes_nothing(store: Store, a_run: Callable[..., Run]) -> None:
    set_run_state(store, a_run(t="failed"), "failed")

    cleared = store.task_instances.clear(ALL, NOW, dry_run=True)

    assert ([ti.task_id for ti in cleared.task_instances], [run.run_id for run in cleared.runs]) == (["t"], ["r1"])
    assert states(store) == {"t": "failed"}
    assert store.runs.all("a")[0].state == "failed"


def test_running_ones_can_be_protected(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="running", u="success")

    with pytest.raises(Conflict):
        store.task_instances.clear(ALL, NOW, prevent_running=True)
    assert states(store) == {"t": "running", "u": "success"}


def test_the_runs_can_be_left_as_they_are(store: Store, a_run: Callable[..., Run]) -> None:
    set_run_state(store, a_run(t="failed"), "failed")

    store.task_instances.clear(ALL, NOW, reset_runs=False)

    assert (store.runs.all("a")[0].state, store.runs.all("a")[0].clear_number) == ("failed", 0)
    assert states(store) == {"t": None}


def test_mistake_27_the_original_version_counts_unless_the_latest_is_asked_for(
    store: Store, a_dag: Callable[..., Recorded]
) -> None:
    old = a_dag("a", SerializedTask(task_id="t", retries=1)).versions["a"]
    run = store.runs.create("a", "r1", now=NOW, run_after=NOW)
    add_task_instance(store, run, "t", "failed")
    set_run_state(store, run, "failed")
    new = a_dag("a", SerializedTask(task_id="t", retries=7)).versions["a"]

    store.task_instances.clear(ALL, NOW)
    assert (by_task(store)["t"].max_tries, by_task(store)["t"].version_id) == (2, old)
    assert store.runs.all("a")[0].version_id == old

    store.task_instances.clear(ALL, NOW, run_on_latest_version=True)
    assert (by_task(store)["t"].max_tries, by_task(store)["t"].version_id) == (8, new)
    again = store.runs.all("a")[0]
    assert (again.version_id, again.expanded) == (new, False)


def test_a_branch_that_runs_again_decides_again(store: Store, a_run: Callable[..., Run]) -> None:
    run = a_run(branch="success", other="success", left="skipped")
    table = tables.skip_decision
    with store.database.write() as conn:
        for by in ("branch", "other"):
            row = {"dag_run_id": run.id, "task_id": "left", "map_index": -1, "by_task_id": by}
            conn.execute(insert(table).values(**row))

    store.task_instances.clear(Selection(dag_id="a", task_ids=["branch", "left"]), NOW)

    with store.database.read() as conn:
        assert list(conn.execute(select(table.c.by_task_id)).scalars()) == ["other"]


def test_many_are_cleared_at_once(store: Store, a_run: Callable[..., Run]) -> None:
    run = a_run()
    with store.database.write() as conn:
        row = {"dag_run_id": run.id, "task_id": "m", "state": "failed", "try_number": 1}
        conn.execute(insert(tables.task_instance), [{**row, "id": n + 100, "map_index": n} for n in range(2000)])

    assert len(store.task_instances.clear(ALL, NOW).task_instances) == 2000
    assert store.task_instances.count("a", states=[None]) == 2000
    assert rows(store, "task_instance_history") == 2000


# ----------------------------------------------------------------------------------------------------- mark


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_marking(store: Store, a_run: Callable[..., Run], state: str) -> None:
    a_run(running="running", waits="deferred", never=None, same=state)
    add_trigger(store, by_task(store)["waits"].id)

    changed = store.task_instances.set_state(ALL, state, later(5))

    assert sorted(ti.task_id for ti in changed) == ["never", "running", "waits"]
    assert set(states(store).values()) == {state}
    tis = by_task(store)
    assert (tis["running"].start_date, tis["running"].end_date) == (NOW, later(5))
    assert (tis["never"].start_date, tis["never"].end_date) == (later(5), later(5))
    assert tis["same"].end_date == NOW
    assert rows(store, "trigger") == 0


def test_marking_can_be_tried_and_is_limited_to_final_states(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="running")

    assert [ti.task_id for ti in store.task_instances.set_state(ALL, "success", NOW, dry_run=True)] == ["t"]
    assert states(store) == {"t": "running"}
    with pytest.raises(Invalid, match="'queued'"):
        store.task_instances.set_state(ALL, "queued", NOW)


# ---------------------------------------------------------------------------------------------------- others


def test_notes_and_rendered_fields(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="running")
    ti = by_task(store)["t"]

    store.task_instances.set_note("a", "r1", "t", -1, "look", NOW)
    store.task_instances.put_rendered_fields(ti.id, b'{"x":1}', NOW, "label")
    store.task_instances.put_rendered_fields(ti.id, b'{"x":2}', NOW)

    changed = store.task_instances.get("a", "r1", "t")
    assert changed is not None
    assert changed == store.task_instances.by_id(ti.id)
    assert (changed.note, changed.rendered_map_index) == ("look", "label")
    assert store.task_instances.rendered_fields(ti.id) == b'{"x":2}'
    assert store.task_instances.rendered_fields(10**9) is None
    with pytest.raises(TaskInstanceNotFound):
        store.task_instances.set_note("a", "r1", "t", 5, "x", NOW)
    with pytest.raises(TaskInstanceNotFound):
        store.task_instances.put_rendered_fields(10**9, b"{}", NOW)


def test_the_previous_task_instance(store: Store, a_run: Callable[..., Run]) -> None:
    a_run("r1", at=later(0), t="success")
    a_run("r2", at=later(10), t="failed")
    a_run("r3", at=later(20), t=None)

    found = store.task_instances.previous("a", "t", -1, later(20))
    assert found is not None
    assert (found[0].run_id, found[1].state) == ("r2", "failed")
    found = store.task_instances.previous("a", "t", -1, later(20), "success")
    assert found is not None
    assert found[0].run_id == "r1"
    assert store.task_instances.previous("a", "t", -1, later(0)) is None


def test_states_and_counts(store: Store, a_run: Callable[..., Run]) -> None:
    a_run("r1", at=later(0), t="success", u=None)
    a_run("r2", at=later(10), t="failed")

    assert store.task_instances.states("a", task_ids=["t"]) == [("r1", "t", -1, "success"), ("r2", "t", -1, "failed")]
    assert store.task_instances.count("a") == 3
    assert store.task_instances.count("a", states=[None, "failed"]) == 2
    assert store.task_instances.count("a", logical_dates=[later(10)], map_index=-1) == 1
    assert store.task_instances.count("a", run_ids=["r1"], task_ids=["u"], states=["success"]) == 0


def test_deleting_one(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="failed", u="running")

    store.task_instances.delete("a", "r1", "t")

    assert states(store) == {"u": "running"}
    with pytest.raises(Conflict):
        store.task_instances.delete("a", "r1", "u")
    with pytest.raises(TaskInstanceNotFound):
        store.task_instances.delete("a", "r1", "t")


def test_what_runs_on_another_version_shows_up_for_the_scheduler(store: Store) -> None:
    """A run whose version was deleted goes on with the latest one."""
    store.dags.record_parse(parse(serialized("a", "t")), NOW)
    run = store.runs.create("a", "r1", now=NOW, run_after=NOW)
    add_task_instance(store, run, "t", "failed")
    with store.database.write() as conn:
        conn.execute(tables.dag_run.update().values(version_id=None))

    store.task_instances.clear(ALL, NOW)

    dag = store.dags.require("a")
    assert store.runs.all("a")[0].version_id == dag.version_id
