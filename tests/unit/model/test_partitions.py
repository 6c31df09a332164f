"""How keys of partitions are mapped: figures of Airflow 3.3, and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.model.partitions import Mappers, PartitionError, agreed, build, enough

_UNITS = {
    "hour": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%Y-%m-%d (W%V)",
    "month": "%Y-%m",
    "quarter": "%Y-Q{quarter}",
    "year": "%Y",
}


def start_of(unit: str, **fields: str) -> dict[str, str]:
    return {"kind": "start_of", "unit": unit, "output_format": _UNITS[unit], **fields}


def rollup(unit: str, window: str, **fields: object) -> dict[str, object]:
    return {"kind": "rollup", "mapper": start_of(unit), "window": {"kind": window}, **fields}


@pytest.mark.parametrize(
    ("spec", "key", "keys"),
    [
        ({"kind": "identity"}, "x", ["x"]),
        ({"kind": "fixed", "key": "all"}, "x", ["all"]),
        ({"kind": "allowed", "keys": ["x", "y"]}, "y", ["y"]),
        (start_of("hour"), "2024-03-13T10:42:15", ["2024-03-13T10"]),
        (start_of("day"), "2024-03-13T10:42:15", ["2024-03-13"]),
        (start_of("week"), "2024-03-13T10:42:15", ["2024-03-11 (W11)"]),
        (start_of("month"), "2024-03-13T10:42:15", ["2024-03"]),
        (start_of("quarter"), "2024-05-13T10:42:15", ["2024-Q2"]),
        (start_of("year"), "2024-03-13T10:42:15", ["2024"]),
        (start_of("day", timezone="Asia/Tokyo", input_format="%Y-%m-%dT%H%z"), "2024-03-13T20+0000", ["2024-03-14"]),
        # a time that the clock skips is the one after the change
        (start_of("hour", timezone="America/New_York"), "2024-03-10T02:30:00", ["2024-03-10T03"]),
        ({"kind": "chain", "mappers": [start_of("day"), start_of("month", input_format="%Y-%m-%d")]},
         "2024-03-13T10:42:15", ["2024-03"]),
        ({"kind": "product", "mappers": [{"kind": "identity"}, start_of("day")]}, "eu|2024-03-13T01:00:00",
         ["eu|2024-03-13"]),
        (rollup("day", "day"), "2024-03-13T10:00:00", ["2024-03-13"]),
    ],
)  # fmt: skip
def test_from_a_key_upstream_to_keys_downstream(spec, key, keys):
    assert build(spec).downstream(key) == keys


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        ({"kind": "allowed", "keys": ["x"]}, "y"),
        (start_of("day"), "2024-03-13"),
        ({"kind": "product", "mappers": [{"kind": "identity"}, {"kind": "identity"}]}, "one"),
        ({"kind": "fan_out", "mapper": {"kind": "chain", "mappers": [{"kind": "allowed", "keys": []}]},
          "window": {"kind": "day"}, "downstream": start_of("hour")}, "x"),
    ],
)  # fmt: skip
def test_a_key_that_does_not_fit(spec, key):
    with pytest.raises(PartitionError):
        build(spec).downstream(key)


@pytest.mark.parametrize(
    "spec",
    [{"kind": "custom", "classpath": "my.Mapper"}, {}, {**rollup("day", "day"), "window": {"kind": "custom"}}],
)
def test_user_code_cannot_be_evaluated_here(spec):
    with pytest.raises(PartitionError, match=r"cannot evaluate|not a window"):
        build(spec)


@pytest.mark.parametrize(
    ("unit", "window", "key", "count", "first", "last"),
    [
        ("hour", "hour", "2024-03-13T10", 60, "2024-03-13T10:00:00", "2024-03-13T10:59:00"),
        ("day", "day", "2024-03-13", 24, "2024-03-13T00:00:00", "2024-03-13T23:00:00"),
        ("week", "week", "2024-03-11 (W11)", 7, "2024-03-11T00:00:00", "2024-03-17T00:00:00"),
        ("month", "month", "2024-02", 29, "2024-02-01T00:00:00", "2024-02-29T00:00:00"),
        ("quarter", "quarter", "2024-Q2", 3, "2024-04-01T00:00:00", "2024-06-01T00:00:00"),
        ("year", "year", "2024", 12, "2024-01-01T00:00:00", "2024-12-01T00:00:00"),
    ],
)
def test_what_a_window_is_made_of(unit, window, key, count, first, last):
    expected = sorted(build(rollup(unit, window)).expected(key))

    assert (len(expected), expected[0], expected[-1]) == (count, first, last)


def test_a_window_that_ends_with_its_key():
    spec = {**rollup("month", "month"), "window": {"kind": "month", "direction": "backward"}}
    expected = sorted(build(spec).expected("2024-03"))
    assert (len(expected), expected[0], expected[-1]) == (29, "2024-02-02T00:00:00", "2024-03-01T00:00:00")
    spec = {**rollup("week", "week"), "window": {"kind": "week", "direction": "backward"}}
    assert min(build(spec).expected("2024-03-11 (W11)")) == "2024-03-05T00:00:00"


@pytest.mark.parametrize(
    ("policy", "arrived", "content"),
    [
        ({"kind": "all"}, "abc", True),
        ({"kind": "all"}, "abx", False),
        ({"kind": "minimum", "n": 2}, "ab", True),
        ({"kind": "minimum", "n": 2}, "ax", False),
        ({"kind": "minimum", "n": -1}, "ab", True),
        ({"kind": "minimum", "n": -5}, "", True),
        ({"kind": "minimum", "n": 9}, "abc", False),
        ({}, "abc", True),
    ],
)
def test_when_enough_has_arrived(policy, arrived, content):
    assert enough(policy, set(arrived), set("abc")) is content


moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(microsecond=0))
zones = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "+02:00"])


@given(moments, zones, st.sampled_from(sorted(_UNITS)))
def test_a_key_stands_for_the_start_of_its_period(moment, zone, unit):
    mapper = build(start_of(unit, timezone=zone))
    (key,) = mapper.downstream(moment.isoformat())

    assert mapper.format(mapper.decode(key)) == key
    date = mapper.date(key)
    assert date is not None
    assert date.tzinfo is not None
    lengths = {"hour": 0.05, "day": 1.1, "week": 7.1, "month": 31.1, "quarter": 92.1, "year": 366.1}
    distance = moment.replace(tzinfo=UTC) - date
    assert timedelta(days=-1.1) < distance < timedelta(days=lengths[unit] + 1)


@given(moments, st.sampled_from(["day", "week", "month", "quarter", "year", "hour"]))
def test_each_key_of_a_window_leads_back_to_the_whole(moment, unit):
    mapper = build(rollup(unit, unit))
    (key,) = mapper.downstream(moment.isoformat())

    assert all(mapper.downstream(upstream) == [key] for upstream in mapper.expected(key))
    assert mapper.complete(key, mapper.expected(key))
    assert not mapper.complete(key, set(sorted(mapper.expected(key))[1:]))


def test_dates_that_mappers_agree_on():
    day = datetime(2024, 1, 1, tzinfo=UTC)
    assert agreed([None, day, day]) == (day, True)
    assert agreed([day, day + timedelta(days=1)]) == (None, True)
    assert agreed([None]) == (None, False)
    product = build({"kind": "product", "mappers": [{"kind": "identity"}, start_of("day")]})
    assert product.date("eu|2024-01-01") == day
    assert product.date("odd") is None


def test_the_mapper_of_an_asset():
    mappers = Mappers.of({"names": {"a": {"kind": "fixed", "key": "n"}}, "uris": {"u": {"kind": "fixed", "key": "u"}}})

    assert mappers.of_asset("a", "u").downstream("x") == ["n"]
    assert mappers.of_asset("b", "u").downstream("x") == ["u"]
    assert mappers.of_asset("b", "v").downstream("x") == ["x"]
    assert Mappers.of(None).of_asset("a", "u").carry(5) == 5
    assert mappers.of_asset("a", "u").carry(5) is None
