"""Which runs a backfill asks for, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.model.backfills import BackfillRefused, ReprocessBehavior, check, runs_of, wanted
from gnomon.model.schedule import RowState, Schedule, plan_next
from gnomon.model.timetables import AnswerNeededError, BetweenQuestion, DataInterval, NextRun, TimetableError, build
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec

NOW = datetime(2024, 6, 15, 12, tzinfo=UTC)
DAILY = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def asked(spec: TimetableSpec, first: str, last: str, **options: Any) -> list[Any]:
    options = {"backwards": False, "now": NOW, "profile": 3, "salt": "x", **options}
    return runs_of(build(spec), earliest=at(first), latest=at(last), **options)


def refusal(spec: TimetableSpec = DAILY, *, past: bool = False, **options: Any) -> str:
    dag = SerializedDag(dag_id="d", tasks=[SerializedTask(task_id="t", depends_on_past=past)], timetable=spec)
    options = {
        "earliest": at("2024-01-01"),
        "latest": at("2024-01-03"),
        "backwards": False,
        "reprocess": ReprocessBehavior.NONE,
        "now": NOW,
        **options,
    }
    with pytest.raises(BackfillRefused) as caught:
        check(dag, build(spec), **options)
    return str(caught.value)


def test_both_bounds_are_included() -> None:
    runs = asked(DAILY, "2024-01-01", "2024-01-03")

    assert [run.logical_date for run in runs] == [at("2024-01-01"), at("2024-01-02"), at("2024-01-03")]
    assert next(run.run_id for run in runs) == "backfill__2024-01-01T00:00:00+00:00"
    assert {run.run_type for run in runs} == {"backfill"}


def test_backwards_is_the_other_way_round() -> None:
    assert asked(DAILY, "2024-01-01", "2024-01-03", backwards=True) == asked(DAILY, "2024-01-01", "2024-01-03")[::-1]


def test_what_is_not_over_is_left_out() -> None:
    interval = TimetableSpec(kind="cron_interval", crons=["0 0 * * *"])

    assert [run.logical_date.day for run in asked(DAILY, "2024-06-14", "2024-06-30")] == [14, 15]
    assert [run.logical_date.day for run in asked(interval, "2024-06-13", "2024-06-30")] == [13, 14]


def test_partitions_are_read_on_the_clock_of_the_schedule() -> None:
    spec = TimetableSpec(
        kind="cron_trigger",
        crons=["0 0 * * *"],
        timezone="Asia/Taipei",
        data={"key_format": "%Y-%m-%d", "run_offset": -1},
    )
    runs = asked(spec, "2024-01-01", "2024-01-02")

    assert [(run.partition.key, run.partition.date) for run in runs] == [
        ("2024-01-01", at("2023-12-31T16:00")),
        ("2024-01-02", at("2024-01-01T16:00")),
    ]
    assert next((run.run_after, run.logical_date, run.data_interval) for run in runs) == (
        at("2023-12-31T16:00"),
        None,
        None,
    )
    assert runs[0].run_id == "backfill__2023-12-31T16:00:00+00:00__2024-01-01__x"


def test_a_partition_to_come_is_left_out() -> None:
    spec = TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"], data={"key_format": "%Y-%m-%d"})

    assert [run.partition.key for run in asked(spec, "2024-06-15", "2024-06-18")] == ["2024-06-15"]


def test_a_schedule_of_assets_or_time_has_the_dates_of_its_time() -> None:
    both = TimetableSpec(kind="asset_or_time", base=DAILY)

    assert asked(both, "2024-01-01", "2024-01-03") == asked(DAILY, "2024-01-01", "2024-01-03")


def test_a_custom_timetable_is_asked_once_for_all_of_them() -> None:
    timetable = build(TimetableSpec(kind="custom", classpath="a.Mine"))
    bounds = {"earliest": at("2024-01-01"), "latest": at("2024-01-02")}
    with pytest.raises(AnswerNeededError) as needed:
        runs_of(timetable, **bounds, backwards=False, now=NOW, profile=3, salt="")
    assert needed.value.question == BetweenQuestion(**bounds)

    told = [NextRun.over(at("2024-01-01"), at("2024-01-02")), NextRun.over(at("2024-06-15"), at("2024-06-16"))]
    needed.value.timetable.answers_between[needed.value.question] = told
    runs = runs_of(timetable, **bounds, backwards=False, now=NOW, profile=3, salt="")
    assert [run.data_interval for run in runs] == [DataInterval(at("2024-01-01"), at("2024-01-02"))]


@given(
    cron=st.sampled_from(["0 0 * * *", "*/7 * * * *", "30 2 * * *", "15 */6 1,15 * *", "0 12 * * 1-5"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    kind=st.sampled_from(["cron_interval", "cron_trigger", "delta_interval", "delta_trigger"]),
    start=st.datetimes(datetime(2023, 1, 1), datetime(2024, 6, 1), timezones=st.just(UTC)),
    length=st.timedeltas(timedelta(0), timedelta(days=9)),
)
@settings(max_examples=60, deadline=None)
def test_the_dates_are_those_that_catching_up_would_make(
    cron: str, zone: str, kind: str, start: datetime, length: timedelta
) -> None:
    spec = TimetableSpec(kind=kind, crons=[cron], timezone=zone, delta=5400.0)
    schedule = Schedule(
        timetable=build(spec), earliest=start, latest=start + length, catchup=True, max_active_runs=16, profile=3
    )
    caught_up, row = [], RowState(next=None, last_automated=None)
    while (plan := plan_next(schedule, row, NOW)).run is not None:
        caught_up.append((plan.run.logical_date, plan.run.data_interval, plan.run.run_after))
        row = RowState(next=plan.next, last_automated=plan.run.data_interval)

    runs = runs_of(build(spec), earliest=start, latest=start + length, backwards=False, now=NOW, profile=3, salt="")
    assert [(run.logical_date, run.data_interval, run.run_after) for run in runs] == caught_up


@pytest.mark.parametrize("kind", ["null", "once", "continuous", "assets"])
def test_a_schedule_without_a_rhythm_is_refused(kind: str) -> None:
    assert refusal(TimetableSpec(kind=kind)) == "DAG 'd' has no periodic schedule, so there is nothing to backfill"


def test_dates_that_make_no_sense_are_refused() -> None:
    assert "is after to_date" in refusal(earliest=at("2024-01-04"))
    assert "in the future" in refusal(earliest=at("2024-06-16"), latest=at("2024-06-17"))


def test_tasks_that_depend_on_their_past_forbid_some_backfills() -> None:
    assert "backwards" in refusal(past=True, backwards=True, reprocess=ReprocessBehavior.COMPLETED)
    assert "reprocess behavior" in refusal(past=True)


@pytest.mark.parametrize(
    ("state", "none", "failed", "completed"),
    [
        (None, True, True, True),
        ("queued", False, False, False),
        ("running", False, False, False),
        ("success", False, False, True),
        ("failed", False, True, True),
    ],
)
def test_which_dates_are_made(state: str | None, none: bool, failed: bool, completed: bool) -> None:
    assert [wanted(state, how) for how in ReprocessBehavior] == [none, failed, completed]


def test_a_schedule_that_never_comes_due_says_so() -> None:
    with pytest.raises(TimetableError, match="never comes due"):
        asked(TimetableSpec(kind="cron_trigger", crons=["0 0 30 2 *"]), "2024-01-01", "2024-01-02")
