"""Random times, schedules, run ids and delays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

#: Clocks that change by an hour, by half of one, across midnight, by a whole day, and never.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Asia/Tehran"),
]
#: Shortly before clocks change somewhere.
_CHANGES = [
    datetime(2024, 3, 30, 12, tzinfo=UTC),  # Berlin
    datetime(2024, 10, 26, 12, tzinfo=UTC),
    datetime(2024, 3, 9, 20, tzinfo=UTC),  # New York
    datetime(2024, 11, 2, 20, tzinfo=UTC),
    datetime(2024, 4, 6, 3, tzinfo=UTC),  # Lord Howe
    datetime(2024, 10, 5, 3, tzinfo=UTC),
    datetime(2018, 11, 3, 12, tzinfo=UTC),  # Sao Paulo, at midnight
    datetime(2011, 12, 29, 0, tzinfo=UTC),  # Apia lost a day
    datetime(2024, 2, 28, 0, tzinfo=UTC),
    datetime(2024, 12, 30, 0, tzinfo=UTC),
]


@st.composite
def moments(draw: Any, spread: int = 3 * 86400) -> datetime:
    """Draw a time, mostly near a change of clocks and often on a full minute or hour."""
    near = draw(st.sampled_from(_CHANGES)) + timedelta(seconds=draw(st.integers(0, spread)))
    cut = draw(st.sampled_from([timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)]))
    return near - (near - _CHANGES[0]) % cut


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda two: f"{min(two)}-{max(two)}")
    return st.one_of(
        st.just("*"),
        numbers.map(str),
        st.integers(1, max(1, high // 2)).map(lambda step: f"*/{step}"),
        ranges,
        st.lists(numbers, min_size=2, max_size=3, unique=True).map(lambda some: ",".join(map(str, sorted(some)))),
        st.tuples(ranges, st.integers(1, 7)).map(lambda two: f"{two[0]}/{two[1]}"),
    )


_DAYS = st.one_of(_field(0, 6), st.sampled_from(["MON", "mon-fri", "SUN,WED", "5#2", "L5", "7", "?"]))
_DATES = st.one_of(st.just("*"), _field(1, 28), st.sampled_from(["L", "31", "30", "?"]))
_MONTHS = st.one_of(st.just("*"), st.just("*"), _field(1, 12), st.sampled_from(["JAN", "mar-oct"]))
PRESETS = ["@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly"]


def crons() -> st.SearchStrategy[str]:
    """Draw a cron expression."""
    fields = st.tuples(_field(0, 59), _field(0, 23), _DATES, _MONTHS, _DAYS).map(" ".join)
    plain = st.tuples(_field(0, 59), _field(0, 23)).map(lambda two: f"{two[0]} {two[1]} * * *")
    six = st.tuples(plain, _field(0, 59)).map(" ".join)
    return st.one_of(plain, fields, st.sampled_from(PRESETS), six)


def _distances() -> st.SearchStrategy[Any]:
    relative = st.sampled_from(
        [{"days": 1}, {"months": 1}, {"years": 1}, {"months": 1, "days": -1}, {"weeks": 2}, {"hours": 5}]
    )
    seconds = st.sampled_from([60, 900, 3600, 5400, 86400, 90061, 604800, 0.5])
    return st.one_of(seconds, relative)


@st.composite
def schedules(draw: Any) -> dict[str, Any]:
    """Draw a timetable."""
    kind = draw(
        st.sampled_from(
            ["cron_trigger", "cron_interval", "delta_trigger", "delta_interval", "multiple_cron_trigger", "events"]
        )
    )
    case: dict[str, Any] = {"kind": kind, "zone": draw(st.sampled_from(ZONES))}
    case["run_immediately"] = draw(st.sampled_from([False, True, 600, 86400]))
    case["interval"] = draw(st.one_of(st.just(0), st.just(0), _distances()))
    case["crons"] = draw(st.lists(crons(), min_size=1, max_size=3 if kind.startswith("mult") else 1))
    case["delta"] = draw(_distances())
    case["events"] = [moment.isoformat() for moment in draw(st.lists(moments(), max_size=4))]
    case["restrict"] = draw(st.booleans())
    case["description"] = draw(st.sampled_from([None, "My events"]))
    return case


@st.composite
def timetables(draw: Any) -> dict[str, Any]:
    """Draw a timetable with bounds, and the times at which it is asked."""
    if draw(st.integers(0, 9)):
        case = draw(schedules())
    else:
        texts = st.sampled_from([*PRESETS, "@once", "@continuous", None, "0 5 * * 1"])
        case = {"kind": "schedule", "schedule": draw(texts)}
    now = draw(moments())
    start = now + draw(st.timedeltas(timedelta(days=-40), timedelta(days=3)))
    start -= (start - _CHANGES[0]) % draw(st.sampled_from([timedelta(hours=1), timedelta(minutes=1)]))
    case["start"] = draw(st.sampled_from([start.isoformat(), start.isoformat(), None]))
    end = draw(st.none() | st.timedeltas(timedelta(days=0), timedelta(days=50)))
    case["end"] = None if end is None else (start + end).isoformat()
    case["catchup"] = draw(st.booleans())
    nows = []
    for _ in range(draw(st.integers(1, 5))):
        nows.append(now.isoformat())
        now += timedelta(seconds=draw(st.sampled_from([0, 1, 60, 3600, 7200, 86400, 2_000_000])))
    case["nows"] = nows
    return case


@st.composite
def backfills(draw: Any) -> dict[str, Any]:
    """Draw a timetable and the bounds of a backfill; what is to come is part of some."""
    case = draw(schedules())
    case["crons"] = [" ".join(cron.split()[:5]) for cron in case["crons"]]  # no seconds: there would be too many runs
    if not isinstance(case["delta"], dict):
        case["delta"] = max(900, case["delta"])
    if draw(st.integers(0, 4)) == 0:
        case["kind"] = "cron_partition"
        case["form"] = draw(st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%j"]))
        case["offset"] = draw(st.integers(-2, 2))
    first = draw(moments())
    last = first + draw(st.timedeltas(timedelta(0), timedelta(days=2)))
    # Airflow makes partitions that are still to come, too: see docs/gaps.md.
    later = timedelta(days=4) if case["kind"] == "cron_partition" else draw(st.sampled_from([1, 4])) * timedelta(days=1)
    case |= {"from": first.isoformat(), "to": last.isoformat(), "now": (first + later).isoformat()}
    case["start"] = draw(st.sampled_from([None, first.isoformat(), (first + timedelta(days=1)).isoformat()]))
    case["backwards"] = draw(st.booleans())
    return case


@st.composite
def described(draw: Any) -> dict[str, Any]:
    """Draw a schedule whose words are compared."""
    texts = st.sampled_from([*PRESETS, "@once", "@continuous", None])
    return draw(st.one_of(schedules(), st.builds(lambda text: {"kind": "schedule", "schedule": text}, texts)))


@st.composite
def run_ids(draw: Any) -> dict[str, Any]:
    """Draw what a run's id is made of, and an id that somebody gave."""
    kinds = ["scheduled", "manual", "backfill", "asset_triggered", "asset_materialization", "operator_triggered"]
    offset = draw(st.sampled_from([0, 123456]))
    prefixes = st.sampled_from([*kinds, "asset", "", "Manual", "scheduled_"])
    return {
        "schedule": draw(st.sampled_from([None, "@daily"])),
        "type": draw(st.sampled_from(kinds)),
        "run_after": (draw(moments()) + timedelta(microseconds=offset)).isoformat(),
        "run_id": f"{draw(prefixes)}{draw(st.sampled_from(['__', '_', '']))}{draw(st.text('abc_', max_size=4))}",
    }


@st.composite
def backoffs(draw: Any) -> dict[str, Any]:
    """Draw a task's delays and its tries."""
    return {
        "dag_id": draw(st.text("abcé_.-", min_size=1, max_size=6).filter(lambda name: name.isascii())),
        "task_id": draw(st.text("abc_.-", min_size=1, max_size=6)),
        "delay": draw(
            st.one_of(st.sampled_from([0, 0.1, 1, 300, 90000]), st.floats(0, 1000).map(lambda x: round(x, 3)))
        ),
        "multiplier": draw(st.sampled_from([0, 1, 1.0, 1.1, 2, 2.0, 3.7, 0.5, True, False, 1000.0])),
        "max_delay": draw(st.sampled_from([None, None, 1, 60, 7200.5, 100000])),
        "logical_date": (draw(moments()) + timedelta(microseconds=draw(st.sampled_from([0, 5, 500000])))).isoformat(),
        "tries": draw(st.lists(st.integers(1, 80), min_size=1, max_size=5)),
    }
