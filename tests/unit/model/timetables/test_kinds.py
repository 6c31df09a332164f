"""The kinds of timetable besides cron and delta, presets, summaries, and specs that cannot be used."""

from __future__ import annotations

import pytest

from gnomon.model.timetables import Profile, TimetableError
from gnomon.wire.dag import TimetableSpec
from tests.unit.model.timetables.asking import ask, at, between, chain, make


def test_null_never_runs(profile: Profile) -> None:
    timetable = make("null", profile)

    assert ask(timetable, earliest="2024-01-01") is None
    assert not timetable.can_be_scheduled


def test_once_runs_at_the_start_date_whatever_catchup_says(profile: Profile) -> None:
    for catchup in (True, False):
        runs = chain(make("once", profile), 3, earliest="2024-01-01", catchup=catchup)

        assert [at("2024-01-01")] == [run.run_after for run in runs]
    assert ask(make("once", profile), earliest="2024-01-02", latest="2024-01-01") is None


def test_once_without_start_date_runs_at_once_in_airflow_3_only() -> None:
    assert ask(make("once", 2)) is None
    run = ask(make("once", 3), now="2024-06-15 12:00")
    assert run is not None
    assert at("2024-06-15 12:00") == run.run_after


def test_continuous_joins_up_to_now(profile: Profile) -> None:
    timetable = make("continuous", profile)
    first = ask(timetable, earliest="2024-06-01", now="2024-06-15 12:00")
    second = ask(timetable, between("2024-06-01", "2024-06-15 12:00"), earliest="2024-06-01", now="2024-06-15 13:00")

    assert first is not None
    assert second is not None
    assert between("2024-06-01", "2024-06-15 12:00") == first.data_interval
    assert between("2024-06-15 12:00", "2024-06-15 13:00") == second.data_interval
    assert timetable.active_runs_limit == 1
    assert ask(timetable, earliest="2024-06-01", latest="2024-06-10", now="2024-06-15") is None


def test_continuous_waits_for_a_start_date(profile: Profile) -> None:
    run = ask(make("continuous", profile), earliest="2024-07-01", now="2024-06-15")

    assert run is not None
    assert at("2024-07-01") == run.run_after


def test_continuous_without_start_date(profile: Profile) -> None:
    run = ask(make("continuous", profile), now="2024-06-15")

    assert (run is None) == (profile == 2)


def test_multiple_crons_run_once_per_moment(profile: Profile) -> None:
    timetable = make("multiple_cron_trigger", profile, crons=["0 0 * * *", "0 */12 * * *", "30 6 * * *"])
    runs = chain(timetable, 4, earliest="2024-01-01")

    assert [at(f"2024-01-0{when}") for when in ("1 00:00", "1 06:30", "1 12:00", "2 00:00")] == [
        run.run_after for run in runs
    ]
    assert timetable.summary == "0 0 * * *, 0 */12 * * *, 30 6 * * *"


def test_multiple_crons_without_catchup_take_the_latest_due(profile: Profile) -> None:
    timetable = make("multiple_cron_trigger", profile, crons=["0 0 * * *", "30 6 * * *"])
    run = ask(timetable, earliest="2024-01-01", now="2024-06-15 12:00", catchup=False)
    after = ask(timetable, between("2024-06-15 06:30", "2024-06-15 06:30"), now="2024-06-15 12:00", catchup=False)

    assert run is not None
    assert after is not None
    assert at("2024-06-15 06:30") == run.run_after
    assert at("2024-06-16 00:00") == after.run_after


def test_events(profile: Profile) -> None:
    timetable = make("events", profile, events=["2024-03-03T10:00:00+02:00", "2024-01-01", "2024-07-01"])

    assert [at("2024-01-01"), at("2024-03-03 08:00"), at("2024-07-01")] == [r.run_after for r in chain(timetable, 9)]
    late = ask(timetable, now="2024-06-15", catchup=False)
    assert late is not None
    assert at("2024-07-01") == late.run_after
    assert ask(timetable, latest="2024-06-30", earliest="2024-06-01") is None
    assert timetable.summary == "3 events"
    assert make("events", profile).description == "No events"
    assert make("events", profile, description="Cup finals").summary == "Cup finals"


def test_assets_are_never_due_by_time(profile: Profile) -> None:
    timetable = make("assets", profile, assets={"all": []})

    assert ask(timetable, earliest="2024-01-01") is None
    assert timetable.can_be_scheduled


def test_asset_or_time_is_due_by_its_time(profile: Profile) -> None:
    base = TimetableSpec(kind="cron_trigger", crons=["@daily"])
    timetable = make("asset_or_time", profile, assets={"all": []}, base=base)
    run = ask(timetable, earliest="2024-01-01")

    assert run is not None
    assert at("2024-01-01") == run.run_after
    assert timetable.summary == "Asset or 0 0 * * *"
    assert timetable.description == "Triggered by assets or At 00:00"


@pytest.mark.parametrize(
    ("preset", "ticks"),
    [
        ("@hourly", ["2024-02-03 05:00", "2024-02-03 06:00"]),
        ("@daily", ["2024-02-04", "2024-02-05"]),
        ("@midnight", ["2024-02-04", "2024-02-05"]),
        ("@weekly", ["2024-02-04", "2024-02-11"]),
        ("@monthly", ["2024-03-01", "2024-04-01"]),
        ("@quarterly", ["2024-04-01", "2024-07-01"]),
        ("@yearly", ["2025-01-01", "2026-01-01"]),
        ("@annually", ["2025-01-01", "2026-01-01"]),
    ],
)
def test_presets(preset: str, ticks: list[str], profile: Profile) -> None:
    runs = chain(make("cron_trigger", profile, crons=[preset]), 2, earliest="2024-02-03 04:20")

    assert [at(tick) for tick in ticks] == [run.run_after for run in runs]


def test_start_date_off_the_schedule_is_aligned(profile: Profile) -> None:
    cron = chain(make("cron_interval", profile, crons=["0 6 * * *"]), 1, earliest="2024-01-01 07:00")
    delta = chain(make("delta_interval", profile, delta=86400.0), 1, earliest="2024-01-01 07:00")

    assert between("2024-01-02 06:00", "2024-01-03 06:00") == cron[0].data_interval
    assert between("2024-01-01 07:00", "2024-01-02 07:00") == delta[0].data_interval


def test_relativedelta_months_are_stepped(profile: Profile) -> None:
    runs = chain(make("delta_interval", profile, relative={"months": 1}), 3, earliest="2024-01-31")

    assert [at("2024-01-31"), at("2024-02-29"), at("2024-03-29")] == [run.logical_date for run in runs]


def test_relativedelta_to_a_weekday(profile: Profile) -> None:
    relative = {"months": 1, "day": 1, "weekday": 4, "weekday_n": 2}  # the second Friday of the next month
    runs = chain(make("delta_trigger", profile, relative=relative), 3, earliest="2024-01-01")

    assert [at("2024-01-01"), at("2024-02-09"), at("2024-03-08")] == [run.run_after for run in runs]


def test_six_fields_tick_by_the_second(profile: Profile) -> None:
    runs = chain(make("cron_trigger", profile, crons=["*/5 * * * * 30"]), 2, earliest="2024-01-01")

    assert [at("2024-01-01 00:00:30"), at("2024-01-01 00:05:30")] == [run.run_after for run in runs]


def test_words() -> None:
    assert make("cron_trigger", crons=["0 0 * * *"]).description == "At 00:00"
    assert " (or) " in make("cron_interval", crons=["0 0 1 * 1"]).description
    assert make("cron_trigger", crons=["@daily"]).summary == "0 0 * * *"
    assert make("delta_trigger", delta=86400.0).summary == "1 day, 0:00:00"
    assert make("once").summary == "@once"
    assert make("null").summary == "None"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "cron_trigger", "crons": ["0 25 * * *"]}, r"'0 25 \* \* \*' is not a cron expression"),
        ({"kind": "cron_trigger", "crons": ["daily"]}, "'daily' is not a cron expression"),
        ({"kind": "cron_trigger", "crons": []}, "has one cron expression, not 0"),
        ({"kind": "cron_interval", "crons": ["@daily"], "timezone": "Mars"}, "'Mars' is not a time zone"),
        ({"kind": "multiple_cron_trigger"}, "at least one expression"),
        ({"kind": "delta_interval", "delta": 0.0}, "must be a positive distance"),
        ({"kind": "delta_trigger", "delta": -60.0}, "must be a positive distance"),
        ({"kind": "delta_trigger", "relative": {"moons": 1}}, "is not a relativedelta"),
        ({"kind": "events", "events": ["soon"]}, "'soon' is not an ISO 8601 time"),
        ({"kind": "asset_or_time"}, "needs its time part"),
        ({"kind": "asset_or_time", "base": TimetableSpec(kind="assets")}, "cannot have assets"),
        ({"kind": "lunar"}, "'lunar' is not a kind of timetable"),
    ],
)
def test_specs_that_cannot_be_used(fields: dict[str, object], message: str) -> None:
    with pytest.raises(TimetableError, match=message):
        make(**fields)  # type: ignore[arg-type]


def test_a_date_that_never_comes() -> None:
    with pytest.raises(TimetableError, match="never comes due"):
        ask(make("cron_trigger", crons=["0 0 30 2 *"]), earliest="2024-01-01")
