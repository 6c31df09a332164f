from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from gnomon.store.engine import Store
from gnomon.store.errors import DagNotFound, Invalid, RunExists, RunNotFound
from gnomon.store.parses import Recorded
from gnomon.store.records import Run
from gnomon.wire.dag import SerializedTask

from .conftest import NOW, add_task_instance, later, parse, set_run_state


def states(store: Store, dag_id: str = "a") -> dict[str, str | None]:
    return {task_id: state for _, task_id, _, state in store.task_instances.states(dag_id)}


def test_a_new_run_is_queued_with_the_latest_version(store: Store, a_dag: Callable[..., Recorded]) -> None:
    version = a_dag("a").versions["a"]

    run = store.runs.create(
        "a",
        "r1",
        now=NOW,
        run_after=later(1),
        run_type="scheduled",
        logical_date=NOW,
        data_interval=(NOW, later(60)),
        conf={"k": "v", "n": None},
        note="hello",
        triggered_by="cli",
        user="me",
    )

    assert store.runs.get(run.id) == run == store.runs.by_run_id("a", "r1") == store.runs.by_logical_date("a", NOW)
    assert (run.state, run.version_id, run.queued_at, run.run_after) == ("queued", version, NOW, later(1))
    assert (run.data_interval_start, run.data_interval_end) == (NOW, later(60))
    assert (run.conf, run.note, run.triggered_by) == ('{"k":"v","n":null}', "hello", "cli")
    assert (run.triggering_user_name, run.clear_number, run.expanded) == ("me", 0, False)


def test_times_in_other_zones_are_the_same_moments(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))

    store.runs.create("a", "r1", now=NOW, run_after=tokyo, logical_date=tokyo)

    found = store.runs.by_logical_date("a", NOW)
    assert found is not None
    assert found.run_after == NOW
    with pytest.raises(Exception, match="without a timezone"):
        store.runs.create("a", "r2", now=NOW, run_after=datetime(2026, 1, 1))


def test_a_run_id_and_a_logical_date_are_taken_once(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    a_dag("b")
    store.runs.create("a", "r1", now=NOW, run_after=NOW, logical_date=NOW)

    with pytest.raises(RunExists, match="run id 'r1'"):
        store.runs.create("a", "r1", now=NOW, run_after=NOW)
    with pytest.raises(RunExists, match="logical date 2026-03-01T12:00:00"):
        store.runs.create("a", "r2", now=NOW, run_after=NOW, logical_date=NOW)
    store.runs.create("b", "r1", now=NOW, run_after=NOW, logical_date=NOW)
    assert len(store.runs.all("a")) == 1


def test_runs_without_a_logical_date_do_not_collide(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    for number in range(3):
        store.runs.create("a", f"r{number}", now=NOW, run_after=NOW)

    assert store.runs.count("a") == 3


def test_only_dags_that_are_there_get_runs(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    store.dags.record_parse(parse(path="a.py"), NOW)

    for dag_id in ("a", "never"):
        with pytest.raises(DagNotFound):
            store.runs.create(dag_id, "r", now=NOW, run_after=NOW)


@pytest.mark.parametrize("conf", [b"[1]", b"{", "3", b"\xff", {"k": object()}])
def test_the_conf_is_a_json_object(store: Store, a_dag: Callable[..., Recorded], conf: object) -> None:
    a_dag("a")

    with pytest.raises(Invalid, match="JSON object"):
        store.runs.create("a", "r", now=NOW, run_after=NOW, conf=conf)  # type: ignore[arg-type]
    assert store.runs.count("a") == 0


def test_the_previous_run_by_logical_date(store: Store, a_run: Callable[..., Run]) -> None:
    first = a_run("r1", at=later(0))
    second = a_run("r2", at=later(10))
    third = a_run("r3", at=later(20))
    set_run_state(store, first, "success")
    set_run_state(store, second, "failed")

    assert getattr(store.runs.previous("a", later(20)), "run_id", None) == "r2"
    assert getattr(store.runs.previous("a", later(20), state="success"), "run_id", None) == "r1"
    assert store.runs.previous("a", later(20), run_types=["scheduled"]) is None
    assert store.runs.previous("a", later(0)) is None
    assert store.runs.latest("a") == third
    assert [run.run_id for run in store.runs.all("a", limit=2)] == ["r3", "r2"]


def test_counting(store: Store, a_run: Callable[..., Run]) -> None:
    a_run("r1", at=later(0))
    set_run_state(store, a_run("r2", at=later(10)), "failed")

    assert store.runs.count("a") == 2
    assert store.runs.count("a", states=["failed"]) == 1
    assert store.runs.count("a", run_ids=["r1", "r2"], logical_dates=[later(0)]) == 1
    assert store.runs.count("a", states=[]) == 0


@pytest.mark.parametrize("state", ["success", "failed"])
def test_marking_ends_what_is_under_way_and_skips_what_waits(
    store: Store, a_run: Callable[..., Run], state: str
) -> None:
    run = a_run(
        running="running",
        deferred="deferred",
        poking="up_for_reschedule",
        queued="queued",
        retrying="up_for_retry",
        waiting=None,
        done="success",
        bad="failed",
    )
    set_run_state(store, run, "running")

    ended = store.runs.set_state("a", "r1", state, later(5))

    assert (ended.state, ended.end_date) == (state, later(5))
    assert states(store) == {
        "running": state,
        "deferred": state,
        "poking": state,
        "queued": "skipped",
        "retrying": "skipped",
        "waiting": "skipped",
        "done": "success",
        "bad": "failed",
    }


def test_a_teardown_that_has_not_run_keeps_the_run_going(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a", "work", SerializedTask(task_id="down", is_teardown=True))
    run = store.runs.create("a", "r1", now=NOW, run_after=NOW)
    add_task_instance(store, run, "work", "running")
    add_task_instance(store, run, "down", None)
    set_run_state(store, run, "running")

    assert store.runs.set_state("a", "r1", "failed", later(5)).state == "running"
    assert states(store) == {"work": "failed", "down": None}


def test_queueing_a_finished_run_again(store: Store, a_run: Callable[..., Run]) -> None:
    run = a_run(t="success")
    set_run_state(store, run, "success")

    again = store.runs.set_state("a", "r1", "queued", later(5))

    assert (again.state, again.start_date, again.end_date, again.queued_at) == ("queued", None, None, later(5))
    assert states(store) == {"t": "success"}


def test_bad_marks_are_refused(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()

    with pytest.raises(Invalid, match="'running'"):
        store.runs.set_state("a", "r1", "running", NOW)
    with pytest.raises(RunNotFound, match="'r9' of DAG 'a'"):
        store.runs.set_state("a", "r9", "success", NOW)


def test_notes(store: Store, a_run: Callable[..., Run]) -> None:
    a_run()
    store.runs.set_note("a", "r1", "hello", later(1))
    assert store.runs.all("a")[0].note == "hello"
    store.runs.set_note("a", "r1", None, later(1))
    assert store.runs.all("a")[0].note is None
    with pytest.raises(RunNotFound):
        store.runs.set_note("a", "r9", "x", NOW)


def test_deleting_takes_task_instances_along(store: Store, a_run: Callable[..., Run]) -> None:
    a_run(t="success")

    store.runs.delete("a", "r1")

    assert states(store) == {}
    assert store.runs.all() == []
    with pytest.raises(RunNotFound):
        store.runs.delete("a", "r1")
