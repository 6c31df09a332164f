"""Properties that hold for any schedule, and equality with an enumeration minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gnomon.model.timetables import DataInterval, TimetableError, build
from gnomon.model.timetables.cron import CronSchedule
from gnomon.wire.dag import TimetableSpec

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Adelaide", "+05:30"]
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


def _field(low: int, high: int, *, steps: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # croniter, and so Airflow, reads 0-0 and a range of all values as a star
    pairs = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1] and pair != (low, high))
    ranges = pairs.map(lambda pair: f"{pair[0]}-{pair[1]}")
    lists = st.lists(number, min_size=1, max_size=3, unique=True).map(lambda xs: ",".join(map(str, sorted(xs))))
    step = st.sampled_from([2, 3, 5, 10, 15]).filter(lambda n: n <= high).map(lambda n: f"*/{n}")
    return st.one_of(st.just("*"), st.just("*"), ranges, lists, *([step] if steps else []))


CRONS = st.tuples(
    _field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12, steps=False), _field(0, 6, steps=False)
).map(" ".join)


def _matches(expression: str, moment: datetime) -> bool:
    """Say whether a moment is a tick, by cron's definition and without croniter."""
    lows = (0, 0, 1, 1, 0)
    actual = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    fields = expression.split()
    hits = [_hit(field, value, low) for field, value, low in zip(fields, actual, lows, strict=True)]
    # if both day fields say something, either day will do
    days = (hits[2] or hits[4]) if fields[2] != "*" and fields[4] != "*" else hits[2] and hits[4]
    return hits[0] and hits[1] and days and hits[3]


def _hit(field: str, value: int, low: int) -> bool:
    if field == "*":
        return True
    if field.startswith("*/"):
        return (value - low) % int(field[2:]) == 0
    if "-" in field:
        first, last = field.split("-")
        return int(first) <= value <= int(last)
    return value in {int(part) for part in field.split(",")}


@given(cron=CRONS, start=MOMENTS)
@settings(max_examples=50, deadline=None)
def test_ticks_in_utc_are_those_of_an_enumeration(cron: str, start: datetime) -> None:
    schedule = CronSchedule(cron, "UTC")
    begin = start.replace(second=0, microsecond=0)
    minutes = [begin + timedelta(minutes=n) for n in range(2 * 1440)]
    expected = [minute for minute in minutes if _matches(cron, minute)][:20]
    found: list[datetime] = []
    tick = schedule.at_or_after(begin)
    while tick <= minutes[-1] and len(found) < len(expected):
        found.append(tick)
        tick = schedule.after(tick)

    assert expected == found
    if not expected:
        assert tick > minutes[-1]


@given(cron=CRONS, zone=st.sampled_from(ZONES), start=MOMENTS)
@settings(max_examples=40, deadline=None)
def test_ticks_go_forward_and_back(cron: str, zone: str, start: datetime) -> None:
    schedule = CronSchedule(cron, zone)
    tick = schedule.after(start)

    assert start < tick
    assert schedule.before(start) < start
    assert schedule.after(tick) > tick
    assert schedule.at_or_after(start) >= start
    assert schedule.at_or_before(start) <= start


@given(
    cron=CRONS,
    zone=st.sampled_from(ZONES),
    start=MOMENTS,
    kind=st.sampled_from(["cron_interval", "cron_trigger", "delta_interval", "delta_trigger"]),
    catchup=st.booleans(),
    ahead=st.timedeltas(timedelta(0), timedelta(days=400)),
)
@settings(max_examples=50, deadline=None)
def test_runs_are_monotone_and_intervals_join_up(
    cron: str, zone: str, start: datetime, kind: str, catchup: bool, ahead: timedelta
) -> None:
    timetable = build(TimetableSpec(kind=kind, crons=[cron], timezone=zone, delta=5400.0))
    now = start + ahead
    last: DataInterval | None = None
    for _ in range(4):
        try:
            run = timetable.next_run(last, earliest=start, latest=None, catchup=catchup, now=now)
        except TimetableError:
            # One of every hour of some days loses its step where clocks change, as it does in Airflow.
            assume(cron.split()[1] != "*")
            raise
        assert run is not None
        assert run.logical_date >= start
        assert run.data_interval.start <= run.data_interval.end == run.run_after
        if last is not None:
            assert run.logical_date > last.start
            assert run.data_interval.start >= last.end
            if catchup and kind.endswith("interval"):
                assert run.data_interval.start == last.end
        last = run.data_interval


@given(cron=CRONS, start=MOMENTS, kind=st.sampled_from(["cron_interval", "cron_trigger"]))
@settings(max_examples=40, deadline=None)
def test_without_catchup_at_most_one_run_is_due(cron: str, start: datetime, kind: str) -> None:
    timetable = build(TimetableSpec(kind=kind, crons=[cron]))
    now = start + timedelta(days=90)
    asked = {"earliest": start, "latest": None, "catchup": False, "now": now}
    first = timetable.next_run(None, **asked)  # type: ignore[arg-type]
    assert first is not None
    second = timetable.next_run(first.data_interval, **asked)  # type: ignore[arg-type]

    assert second is not None
    assert second.run_after > now
