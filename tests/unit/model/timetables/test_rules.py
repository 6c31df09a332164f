"""The scheduling rules that are easiest to get wrong, by their number in the feature map (1 to 10), in both profiles."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gnomon.model.schedule import earliest_latest, plan_manual
from gnomon.model.states import DagRunType
from gnomon.model.timetables import Profile, TimetableError, check_manual_run_id, run_id, type_of
from tests.unit.model.timetables.asking import ask, at, between, chain, make


class TestRule01CronDataIntervals:
    def test_trigger_names_a_run_after_its_tick(self, profile: Profile) -> None:
        run = ask(make("cron_trigger", profile, crons=["0 0 * * *"]), earliest="2024-01-01")

        assert run is not None
        assert at("2024-01-01") == run.run_after == run.logical_date
        assert between("2024-01-01", "2024-01-01") == run.data_interval

    def test_interval_names_a_run_after_its_start_and_runs_at_its_end(self, profile: Profile) -> None:
        run = ask(make("cron_interval", profile, crons=["0 0 * * *"]), earliest="2024-01-01")

        assert run is not None
        assert at("2024-01-02") == run.run_after
        assert at("2024-01-01") == run.logical_date
        assert between("2024-01-01", "2024-01-02") == run.data_interval

    def test_trigger_can_have_a_data_interval_of_its_own(self, profile: Profile) -> None:
        timetable = make("cron_trigger", profile, crons=["0 12 * * 5"], interval=4 * 86400.0)
        run = ask(timetable, earliest="2024-01-01")

        assert run is not None
        assert between("2024-01-01 12:00", "2024-01-05 12:00") == run.data_interval
        assert at("2024-01-05 12:00") == run.run_after


class TestRule02DeltaKinds:
    def test_trigger(self, profile: Profile) -> None:
        runs = chain(make("delta_trigger", profile, delta=3600.0), 2, earliest="2024-01-01 00:10")

        assert [at("2024-01-01 00:10"), at("2024-01-01 01:10")] == [run.run_after for run in runs]
        assert runs[0].logical_date == runs[0].run_after

    def test_interval(self, profile: Profile) -> None:
        runs = chain(make("delta_interval", profile, delta=3600.0), 2, earliest="2024-01-01 00:10")

        assert [at("2024-01-01 01:10"), at("2024-01-01 02:10")] == [run.run_after for run in runs]
        assert between("2024-01-01 00:10", "2024-01-01 01:10") == runs[0].data_interval


class TestRule03And04Catchup:
    @pytest.mark.parametrize("kind", ["cron_trigger", "cron_interval"])
    def test_on_starts_at_the_start_date(self, profile: Profile, kind: str) -> None:
        run = ask(make(kind, profile, crons=["@daily"]), earliest="2024-01-01 05:00", now="2024-06-15 12:00")

        assert run is not None
        assert at("2024-01-02") == run.logical_date

    def test_off_interval_takes_the_latest_complete_period(self, profile: Profile) -> None:
        timetable = make("cron_interval", profile, crons=["@daily"])
        run = ask(timetable, earliest="2024-01-01", now="2024-06-15 12:00", catchup=False)

        assert run is not None
        assert between("2024-06-14", "2024-06-15") == run.data_interval

    def test_off_interval_on_a_boundary_takes_the_period_that_ends_now(self, profile: Profile) -> None:
        timetable = make("cron_interval", profile, crons=["@daily"])
        run = ask(timetable, earliest="2024-01-01", now="2024-06-15 00:00", catchup=False)

        assert run is not None
        assert between("2024-06-14", "2024-06-15") == run.data_interval

    def test_off_trigger_takes_the_latest_tick(self, profile: Profile) -> None:
        timetable = make("cron_trigger", profile, crons=["@daily"])
        run = ask(timetable, earliest="2024-01-01", now="2024-06-15 12:00", catchup=False)

        assert run is not None
        assert at("2024-06-15") == run.run_after

    def test_off_trigger_takes_the_next_tick_after_a_run_of_the_latest(self, profile: Profile) -> None:
        timetable = make("cron_trigger", profile, crons=["@daily"])
        last = between("2024-06-15", "2024-06-15")
        run = ask(timetable, last, earliest="2024-01-01", now="2024-06-15 12:00", catchup=False)

        assert run is not None
        assert at("2024-06-16") == run.run_after

    def test_off_trigger_waits_for_a_later_start_date(self, profile: Profile) -> None:
        timetable = make("cron_trigger", profile, crons=["@daily"])
        run = ask(timetable, earliest="2024-07-01 06:00", now="2024-06-15 12:00", catchup=False)

        assert run is not None
        assert at("2024-07-02") == run.run_after

    def test_off_interval_waits_for_a_later_start_date(self, profile: Profile) -> None:
        timetable = make("cron_interval", profile, crons=["@daily"])
        run = ask(timetable, earliest="2024-07-01 06:00", now="2024-06-15 12:00", catchup=False)

        assert run is not None
        assert between("2024-07-02", "2024-07-03") == run.data_interval

    def test_off_delta_lines_up_with_the_epoch(self, profile: Profile) -> None:
        timetable = make("delta_interval", profile, delta=3600.0)
        run = ask(timetable, earliest="2024-01-01 00:10", now="2024-06-15 12:34", catchup=False)

        assert run is not None
        assert between("2024-06-15 11:00", "2024-06-15 12:00") == run.data_interval

    def test_off_months_line_up_with_the_start_date_in_airflow_3_only(self) -> None:
        asked = {"earliest": "2024-01-31", "now": "2024-06-15", "catchup": False}
        three = ask(make("delta_interval", 3, relative={"months": 1}), **asked)  # type: ignore[arg-type]
        two = ask(make("delta_interval", 2, relative={"months": 1}), **asked)  # type: ignore[arg-type]

        assert three is not None
        assert two is not None
        assert between("2024-04-29", "2024-05-29") == three.data_interval
        assert at("2024-06-15") - two.run_after < timedelta(days=30)
        assert two.data_interval != three.data_interval

    def test_trigger_without_start_date_catches_up_in_airflow_3_only(self) -> None:
        asked = {"now": "2024-06-15 00:02", "catchup": True}

        assert ask(make("cron_trigger", 2, crons=["@daily"]), **asked) is None  # type: ignore[arg-type]
        run = ask(make("cron_trigger", 3, crons=["@daily"]), **asked)  # type: ignore[arg-type]
        assert run is not None
        assert at("2024-06-15") == run.run_after

    def test_interval_without_start_date_does_not_catch_up(self, profile: Profile) -> None:
        assert ask(make("cron_interval", profile, crons=["@daily"]), catchup=True) is None

    @pytest.mark.parametrize(
        ("run_immediately", "now", "expected"),
        [
            (True, "2024-06-15 23:00", "2024-06-15"),
            (False, "2024-06-15 02:00", "2024-06-15"),
            (False, "2024-06-15 02:30", "2024-06-16"),
            (60.0, "2024-06-15 00:01", "2024-06-15"),
            (60.0, "2024-06-15 00:02", "2024-06-16"),
        ],
    )
    def test_run_immediately(self, run_immediately: bool | float, now: str, expected: str) -> None:
        timetable = make("cron_trigger", 3, crons=["@daily"], run_immediately=run_immediately)
        run = ask(timetable, now=now, catchup=False)

        assert run is not None
        assert at(expected) == run.run_after


class TestRule05BoundsAndManualRuns:
    def test_earliest_is_the_least_of_all_start_dates(self) -> None:
        tasks = [(at("2024-01-02"), None), (None, None), (at("2023-12-30"), None)]

        assert (at("2023-12-30"), None) == earliest_latest(at("2024-01-01"), None, tasks)
        assert (at("2024-01-01"), None) == earliest_latest(at("2024-01-01"), None, [])
        assert (None, None) == earliest_latest(None, None, [(None, None)])

    def test_latest_is_the_dags_unless_every_task_has_one(self) -> None:
        some = [(None, at("2024-03-01")), (None, None)]
        every = [(None, at("2024-03-01")), (None, at("2024-02-01"))]

        assert at("2024-02-15") == earliest_latest(None, at("2024-02-15"), some)[1]
        assert earliest_latest(None, None, some)[1] is None
        assert at("2024-03-01") == earliest_latest(None, at("2024-02-15"), every)[1]
        assert at("2024-04-01") == earliest_latest(None, at("2024-04-01"), every)[1]

    @pytest.mark.parametrize("kind", ["cron_trigger", "cron_interval", "delta_trigger", "delta_interval"])
    def test_bounds_are_inclusive(self, profile: Profile, kind: str) -> None:
        timetable = make(kind, profile, crons=["@daily"], delta=86400.0)
        runs = chain(timetable, 10, earliest="2024-01-01", latest="2024-01-03")

        assert [at("2024-01-01"), at("2024-01-02"), at("2024-01-03")] == [run.logical_date for run in runs]

    def test_next_follows_the_last_automated_run(self, profile: Profile) -> None:
        run = ask(
            make("cron_interval", profile, crons=["@daily"]), between("2024-02-01", "2024-02-02"), earliest="2024-01-01"
        )

        assert run is not None
        assert at("2024-02-02") == run.logical_date


class TestRule06And07ManualRuns:
    def test_without_logical_date(self) -> None:
        timetable = make("cron_interval", crons=["@daily"])
        now = at("2024-06-15 12:00")
        two = plan_manual(timetable, logical_date=None, run_after=now, profile=2, salt="abc")
        three = plan_manual(timetable, logical_date=None, run_after=now, profile=3, salt="abc")

        assert now == two.logical_date
        assert between("2024-06-14", "2024-06-15") == two.data_interval
        assert three.logical_date is None
        assert three.data_interval is None

    def test_interval_is_inferred_from_logical_date_or_from_run_after(self) -> None:
        timetable = make("cron_interval", crons=["@daily"])
        asked = {"logical_date": at("2024-03-05 07:00"), "run_after": at("2024-06-15 12:00"), "salt": ""}
        rest = plan_manual(timetable, profile=3, **asked)  # type: ignore[arg-type]
        trigger = plan_manual(timetable, profile=3, infer_from_logical_date=False, **asked)  # type: ignore[arg-type]

        assert between("2024-03-04", "2024-03-05") == rest.data_interval
        assert between("2024-06-14", "2024-06-15") == trigger.data_interval

    def test_an_interval_that_is_given_is_kept(self) -> None:
        given = between("2020-01-01", "2020-02-01")
        run = plan_manual(
            make("null"),
            logical_date=at("2024-01-01"),
            run_after=at("2024-01-01"),
            profile=3,
            salt="",
            data_interval=given,
        )

        assert given == run.data_interval

    def test_inference_per_kind(self, profile: Profile) -> None:
        moment = at("2024-06-15 12:30")

        def infer(kind: str, **fields: object) -> object:
            return make(kind, profile, **fields).infer_manual_interval(moment)

        assert between("2024-06-14", "2024-06-15") == infer("cron_interval", crons=["@daily"])
        assert between("2024-06-15 11:30", "2024-06-15 12:30") == infer("delta_interval", delta=3600.0)
        assert between("2024-06-15 12:30", "2024-06-15 12:30") == infer("cron_trigger", crons=["@daily"])
        assert between("2024-06-15 11:30", "2024-06-15 12:30") == infer(
            "cron_trigger", crons=["@daily"], interval=3600.0
        )
        assert between("2024-06-15 12:30", "2024-06-15 12:30") == infer("null")
        assert between("2024-06-15 12:30", "2024-06-15 12:30") == infer("events", events=["2024-01-01"])
        assert between("2024-01-01", "2024-01-01") == infer("events", events=["2024-01-01"], restrict_to_events=True)
        assert between("2025-01-01", "2025-01-01") == infer("events", events=["2025-01-01"], restrict_to_events=True)

    def test_cron_interval_on_a_tick_takes_the_period_that_ends_there(self, profile: Profile) -> None:
        interval = make("cron_interval", profile, crons=["@daily"]).infer_manual_interval(at("2024-06-15"))

        assert between("2024-06-14", "2024-06-15") == interval


class TestRule08RunIds:
    def test_after_logical_date_or_run_after(self) -> None:
        asked = {"run_after": at("2024-01-02"), "logical_date": at("2024-01-01"), "salt": "Xy"}

        assert run_id(DagRunType.SCHEDULED, profile=2, **asked) == "scheduled__2024-01-01T00:00:00+00:00"  # type: ignore[arg-type]
        assert run_id(DagRunType.SCHEDULED, profile=3, **asked) == "scheduled__2024-01-02T00:00:00+00:00"  # type: ignore[arg-type]

    def test_without_logical_date_gets_the_salt(self) -> None:
        name = run_id(DagRunType.MANUAL, run_after=at("2024-01-02"), logical_date=None, salt="Xy", profile=3)

        assert name == "manual__2024-01-02T00:00:00+00:00_Xy"

    def test_a_manual_run_cannot_use_another_types_prefix(self) -> None:
        check_manual_run_id("manual__2024-01-01")
        check_manual_run_id("my own run")
        for kind in set(DagRunType) - {DagRunType.MANUAL}:
            assert type_of(f"{kind}__x") is kind
            with pytest.raises(TimetableError, match="reserved"):
                check_manual_run_id(f"{kind}__x")


class TestRule10ChangedSchedule:
    def test_daily_to_hourly_goes_on_from_the_last_end(self, profile: Profile) -> None:
        run = ask(
            make("cron_interval", profile, crons=["@hourly"]),
            between("2024-01-01", "2024-01-02"),
            earliest="2024-01-01",
        )

        assert run is not None
        assert between("2024-01-02 00:00", "2024-01-02 01:00") == run.data_interval

    def test_hourly_to_daily_lines_up_again(self, profile: Profile) -> None:
        run = ask(
            make("cron_interval", profile, crons=["@daily"]),
            between("2024-01-05 04:00", "2024-01-05 05:00"),
            earliest="2024-01-01",
        )

        assert run is not None
        assert between("2024-01-06", "2024-01-07") == run.data_interval

    def test_never_collides_with_the_previous_logical_date(self, profile: Profile) -> None:
        # the last run started on midnight; the coarser schedule lines up with that very midnight
        run = ask(
            make("cron_interval", profile, crons=["@daily"]),
            between("2024-01-05 00:00", "2024-01-05 01:00"),
            earliest="2024-01-01",
        )

        assert run is not None
        assert run.logical_date > at("2024-01-05")

    def test_trigger_goes_on_after_the_last_run(self, profile: Profile) -> None:
        run = ask(
            make("cron_trigger", profile, crons=["@weekly"]), between("2024-01-05", "2024-01-05"), earliest="2024-01-01"
        )

        assert run is not None
        assert at("2024-01-07") == run.run_after
