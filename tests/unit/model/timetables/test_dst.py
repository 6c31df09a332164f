"""Rule 9: what a cron schedule does when clocks change. Times are compared in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gnomon.model.timetables import Profile, TimetableError
from gnomon.model.timetables.cron import CronSchedule, zone
from tests.unit.model.timetables.asking import at, chain, make

BERLIN, NEW_YORK, ADELAIDE, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Adelaide", "Australia/Lord_Howe"


def ticks(expression: str, name: str, start: str, count: int) -> list[datetime]:
    schedule = CronSchedule(expression, name)
    found = [schedule.at_or_after(at(start))]
    while len(found) < count:
        found.append(schedule.after(found[-1]))
    return found


def local(moments: list[datetime], name: str) -> list[str]:
    return [moment.astimezone(ZoneInfo(name)).strftime("%d %H:%M%z") for moment in moments]


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        (BERLIN, "2024-03-29 23:30", ["30 03:00+0100", "31 03:00+0200", "01 03:00+0200"]),
        (BERLIN, "2024-10-25 23:30", ["26 03:00+0200", "27 03:00+0100", "28 03:00+0100"]),
        (NEW_YORK, "2024-03-09 06:00", ["09 03:00-0500", "10 03:00-0400", "11 03:00-0400"]),
        (NEW_YORK, "2024-11-02 06:00", ["02 03:00-0400", "03 03:00-0500", "04 03:00-0500"]),
        (ADELAIDE, "2024-10-04 16:00", ["05 03:00+0930", "06 03:00+1030", "07 03:00+1030"]),
        (ADELAIDE, "2024-04-05 15:00", ["06 03:00+1030", "07 03:00+0930", "08 03:00+0930"]),
    ],
)
def test_a_fixed_hour_keeps_the_wall_clock(name: str, start: str, expected: list[str]) -> None:
    assert expected == local(ticks("0 3 * * *", name, start, 3), name)


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        (BERLIN, "2024-03-30 00:00", ["30 02:30+0100", "31 03:30+0200", "01 02:30+0200"]),
        (NEW_YORK, "2024-03-09 06:00", ["09 02:30-0500", "10 03:30-0400", "11 02:30-0400"]),
        (ADELAIDE, "2024-10-04 15:00", ["05 02:30+0930", "06 03:30+1030", "07 02:30+1030"]),
    ],
)
def test_a_time_in_the_gap_is_taken_as_far_after_it(name: str, start: str, expected: list[str]) -> None:
    assert expected == local(ticks("30 2 * * *", name, start, 3), name)


def test_the_gap_of_half_an_hour() -> None:
    found = ticks("15 2 * * *", LORD_HOWE, "2024-10-04 15:00", 3)

    assert ["05 02:15+1030", "06 02:45+1100", "07 02:15+1100"] == local(found, LORD_HOWE)


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        (BERLIN, "2024-10-26 00:00", ["26 02:30+0200", "27 02:30+0100", "28 02:30+0100"]),
        (NEW_YORK, "2024-11-02 05:00", ["02 01:30-0400", "03 01:30-0500", "04 01:30-0500"]),
    ],
)
def test_a_time_that_occurs_twice_is_the_second_one(name: str, start: str, expected: list[str]) -> None:
    hour = expected[0][3:5].lstrip("0")

    assert expected == local(ticks(f"30 {hour} * * *", name, start, 3), name)


@pytest.mark.parametrize("name", [BERLIN, NEW_YORK, ADELAIDE])
@pytest.mark.parametrize("day", ["2024-03-30", "2024-03-09", "2024-11-02", "2024-10-26", "2024-10-05", "2024-04-06"])
def test_every_hour_ticks_each_elapsed_hour(name: str, day: str) -> None:
    found = ticks("30 * * * *", name, day, 49)

    assert {timedelta(hours=1)} == {later - earlier for earlier, later in pairwise(found)}


def test_every_two_hours_skips_the_repeated_hour() -> None:
    found = ticks("0 */2 * * *", BERLIN, "2024-10-26 22:00", 3)

    assert ["27 00:00+0200", "27 02:00+0100", "27 04:00+0100"] == local(found, BERLIN)


def test_intervals_join_up_over_a_change(profile: Profile) -> None:
    runs = chain(make("cron_interval", profile, crons=["0 2 * * *"], timezone=BERLIN), 5, earliest="2024-03-29 12:00")

    assert [run.data_interval.end for run in runs[:-1]] == [run.data_interval.start for run in runs[1:]]
    assert timedelta(hours=23) in {run.data_interval.end - run.data_interval.start for run in runs}


def test_a_timedelta_is_added_to_utc(profile: Profile) -> None:
    runs = chain(make("delta_interval", profile, delta=86400.0, timezone=BERLIN), 3, earliest="2024-03-30 02:00")

    assert [at("2024-03-30 02:00"), at("2024-03-31 02:00"), at("2024-04-01 02:00")] == [r.logical_date for r in runs]


def test_zones() -> None:
    assert timedelta(hours=5, minutes=30) == zone("+05:30").utcoffset(None)
    assert timedelta(hours=-3) == zone("-03:00").utcoffset(None)
    assert timedelta(0) == zone("UTC").utcoffset(None)
    with pytest.raises(TimetableError, match="'Mars/Olympus' is not a time zone"):
        zone("Mars/Olympus")
