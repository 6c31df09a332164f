"""Tasks outside of whose dates a run lies are not part of it, as in Airflow's DagRun.verify_integrity."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gnomon.model.states import DagRunState
from gnomon.model.task_dates import TaskDates
from gnomon.wire.dag import ExpandInput, SerializedDag, SerializedTask, TimetableSpec, XComLength
from tests.unit.model.test_run import begin, execute, states, task

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def dates(*tasks: SerializedTask, **fields: object) -> TaskDates:
    dag = SerializedDag(dag_id="d", timetable=TimetableSpec(kind="null"), tasks=list(tasks), **fields)  # type: ignore[arg-type]
    return TaskDates(dag, dag.tasks)


def dated(task_id: str, start: str | None = None, end: str | None = None) -> SerializedTask:
    return SerializedTask(task_id=task_id, start_date=start, end_date=end)


@pytest.mark.parametrize(
    ("start", "end", "out"),
    [
        (None, None, False),
        ("2026-06-01T00:00:00+00:00", None, False),
        ("2026-06-01T00:00:01+00:00", None, True),
        ("2026-06-01T01:00:00+02:00", None, False),
        (None, "2026-06-01T00:00:00+00:00", False),
        (None, "2026-05-31T23:59:59+00:00", True),
        ("2026-05-01T00:00:00+00:00", "2026-07-01T00:00:00+00:00", False),
    ],
)
def test_both_dates_belong_to_the_time_of_a_task(start: str | None, end: str | None, *, out: bool) -> None:
    found = dates(dated("always"), dated("sometimes", start, end)).left_out(JUNE, "manual")
    assert found == (frozenset({1}) if out else frozenset())


def test_the_dates_of_the_dag_bound_those_of_its_tasks() -> None:
    late = dates(dated("a"), dated("b", "2026-01-01T00:00:00+00:00"), start_date="2026-06-02T00:00:00+00:00")
    assert late.left_out(JUNE, "manual") == {0, 1}
    over = dates(dated("a", end="2027-01-01T00:00:00+00:00"), end_date="2026-05-02T00:00:00+00:00")
    assert over.left_out(JUNE, "scheduled") == {0}


def test_a_backfill_and_a_run_without_a_date_have_all_tasks() -> None:
    late = dates(dated("a", "2030-01-01T00:00:00+00:00"))
    assert late.left_out(JUNE, "manual") == {0}
    assert late.left_out(JUNE, "backfill") == frozenset()
    assert late.left_out(None, "manual") == frozenset()


def test_a_run_of_no_tasks_is_a_success() -> None:
    run = begin(task("a"), task("b", "a"), left_out=frozenset({0, 1}))
    assert states(run) == {}
    assert run.outcome() is DagRunState.SUCCESS


def test_what_follows_a_task_that_is_left_out_waits_in_vain() -> None:
    run = begin(task("a"), task("b"), task("c", "a", "b"), left_out=frozenset({0}))
    execute(run, "b")
    assert states(run) == {"b": "success", "c": None}
    assert run.outcome() is DagRunState.FAILED


def test_a_rule_that_needs_one_upstream_does_not_wait_for_it() -> None:
    run = begin(task("a"), task("b"), task("c", "a", "b", trigger_rule="one_success"), left_out=frozenset({0}))
    execute(run, "b")
    assert states(run)["c"] == "scheduled"


def test_a_task_that_is_expanded_over_it_waits_as_well() -> None:
    over = ExpandInput(kind="expand", inputs={"x": XComLength(task_id="a")})
    run = begin(task("a"), task("b", "a", expand=over), left_out=frozenset({0}))
    assert states(run) == {"b": None}
    assert run.outcome() is DagRunState.FAILED
