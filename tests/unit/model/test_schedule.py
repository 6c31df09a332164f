"""What the scheduler does about a DAG: `plan_next`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gnomon.model.schedule import Plan, RowState, Schedule, plan_next, schedule_of
from gnomon.model.timetables import DataInterval, NextRun, Profile, TimetableError
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.unit.model.timetables.asking import at, between


def scheduled(profile: Profile = 3, *, kind: str = "cron_trigger", catchup: bool = False, **fields: object) -> Schedule:
    spec = TimetableSpec(kind=kind, crons=["@hourly"], delta=3600.0)
    dag = SerializedDag(dag_id="d", timetable=spec, start_date="2024-01-01T00:00:00+00:00", catchup=catchup, **fields)  # type: ignore[arg-type]
    return schedule_of(dag, profile)


def row(next_run: NextRun | None = None, last: DataInterval | None = None, **fields: object) -> RowState:
    return RowState(next=next_run, last_automated=last, **fields)  # type: ignore[arg-type]


def test_a_new_dag_runs_its_latest_tick_at_once() -> None:
    plan = plan_next(scheduled(), row(), at("2024-06-15 12:30"))

    assert plan.run is not None
    assert plan.next is not None
    assert plan.run.run_id == "scheduled__2024-06-15T12:00:00+00:00"
    assert at("2024-06-15 13:00") == plan.next.run_after


def test_nothing_is_created_before_it_is_due() -> None:
    schedule = scheduled()
    waiting = plan_next(schedule, row(), at("2024-06-15 12:30")).next

    assert Plan(None, waiting) == plan_next(schedule, row(waiting), at("2024-06-15 12:59:59"))
    due = plan_next(schedule, row(waiting), at("2024-06-15 13:00"))
    assert due.run is not None
    assert at("2024-06-15 13:00") == due.run.logical_date


@pytest.mark.parametrize("kind", ["cron_trigger", "cron_interval", "delta_trigger", "delta_interval"])
def test_catching_up_makes_every_run_once(kind: str, profile: Profile) -> None:
    schedule = scheduled(profile, kind=kind, catchup=True)
    state = row()
    made = []
    while (plan := plan_next(schedule, state, at("2024-01-01 05:00"))).run:
        made.append(plan.run.logical_date)
        state = row(plan.next, plan.run.data_interval)

    hours = 5 if kind.endswith("interval") else 6
    assert [at("2024-01-01") + timedelta(hours=n) for n in range(hours)] == made


@pytest.mark.parametrize("kind", ["cron_trigger", "cron_interval"])
def test_what_was_missed_is_left_out_without_catchup(kind: str, profile: Profile) -> None:
    schedule = scheduled(profile, kind=kind)
    before = plan_next(schedule, row(), at("2024-03-01 00:30"))
    assert before.run is not None
    assert before.next is not None

    plan = plan_next(schedule, row(before.next, before.run.data_interval), at("2024-06-15 12:30"))

    assert plan.run is not None
    assert plan.next is not None
    assert at("2024-06-15 12:00") == plan.run.run_after
    assert at("2024-06-15 13:00") == plan.next.run_after


def test_a_late_delta_trigger_does_not_drift() -> None:
    schedule = scheduled(kind="delta_trigger")
    stored = NextRun.over(at("2024-06-15 12:00"), at("2024-06-15 12:00"))
    plan = plan_next(schedule, row(stored, between("2024-06-15 11:00", "2024-06-15 11:00")), at("2024-06-15 12:00:02"))

    assert plan.run is not None
    assert plan.next is not None
    assert at("2024-06-15 12:00") == plan.run.run_after
    assert at("2024-06-15 13:00") == plan.next.run_after


def test_max_active_runs_holds_a_run_back_and_keeps_it() -> None:
    schedule = scheduled(catchup=True, max_active_runs=2)
    stored = NextRun.over(at("2024-06-15 12:00"), at("2024-06-15 12:00"))
    plan = plan_next(schedule, row(stored, active_runs=2), at("2024-06-15 12:30"))

    assert Plan(None, stored, at_limit=True) == plan
    assert plan_next(schedule, row(stored, active_runs=1), at("2024-06-15 12:30")).run is not None


def test_a_changed_version_is_worked_out_anew() -> None:
    old = NextRun.over(at("2024-06-15 12:30"), at("2024-06-15 12:30"))
    state = row(old, between("2024-06-15 11:00", "2024-06-15 11:00"), changed=True)
    plan = plan_next(scheduled(), state, at("2024-06-15 11:40"))

    assert plan.run is None
    assert plan.next is not None
    assert at("2024-06-15 12:00") == plan.next.run_after


def test_allowed_run_types_can_leave_scheduled_runs_out() -> None:
    schedule = scheduled(allowed_run_types=["manual"])

    assert Plan(None, None) == plan_next(schedule, row(), at("2024-06-15 12:30"))


def test_continuous_runs_join_up_and_are_one_at_a_time() -> None:
    schedule = scheduled(kind="continuous")
    first = plan_next(schedule, row(), at("2024-06-15 12:00"))
    assert first.run is not None
    assert first.next is not None
    assert plan_next(schedule, row(first.next, first.run.data_interval, active_runs=1), at("2024-06-15 12:10")).at_limit
    second = plan_next(schedule, row(first.next, first.run.data_interval), at("2024-06-15 12:20"))

    assert second.run is not None
    assert between("2024-06-15 12:00", "2024-06-15 12:20") == second.run.data_interval


def test_once_is_over_after_its_run() -> None:
    plan = plan_next(scheduled(kind="once"), row(), at("2024-06-15 12:30"))

    assert plan.run is not None
    assert plan.next is None
    assert Plan(None, None) == plan_next(scheduled(kind="once"), row(None, plan.run.data_interval), at("2024-06-16"))


def test_task_dates_bound_the_schedule() -> None:
    tasks = [SerializedTask(task_id="a", start_date="2023-06-01T00:00:00+00:00", end_date="2023-07-01T02:00:00+02:00")]
    spec = TimetableSpec(kind="cron_trigger", crons=["@daily"])
    schedule = schedule_of(SerializedDag(dag_id="d", timetable=spec, tasks=tasks), 3)

    assert at("2023-06-01") == schedule.earliest
    assert at("2023-07-01") == schedule.latest


def test_a_schedule_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(TimetableError, match="not a cron expression"):
        schedule_of(SerializedDag(dag_id="d", timetable=TimetableSpec(kind="cron_trigger", crons=["x"])), 3)
