"""Values as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.values import NotSerializableError

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones(), allow_imaginary=False)
)
hashable = st.none() | st.booleans() | st.integers() | st.text() | st.dates()
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: key != values.CLASSNAME), inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(nested)
def test_what_was_written_is_read_back_with_its_types(value: Any) -> None:
    again = values.decode(values.encode(value))

    assert again == value
    assert type(again) is type(value)


@given(nested)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_plain_json(value: Any) -> None:
    json.loads(values.encode(value), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_plain_json_stays_as_it_is() -> None:
    assert values.encode({"a": [1, "é", None, True]}) == '{"a":[1,"é",null,true]}'.encode()


def test_numbers_that_json_does_not_know_come_back() -> None:
    assert values.decode(values.encode([float("inf"), float("-inf")])) == [float("inf"), float("-inf")]
    assert str(values.decode(values.encode(float("nan")))) == "nan"
    assert values.decode(values.encode(10**40)) == 10**40


def test_pendulum_times_keep_type_and_zone() -> None:
    at = pendulum.datetime(2024, 3, 31, 1, 30, tz="Europe/Berlin")

    again = values.decode(values.encode(at))

    assert type(again) is pendulum.DateTime
    assert again == at
    assert again.timezone_name == "Europe/Berlin"


def test_the_hour_that_happens_twice_keeps_its_instant() -> None:
    second = pendulum.datetime(2024, 10, 27, 0, 30, tz="UTC").add(hours=1).in_timezone("Europe/Berlin")

    assert values.decode(values.encode(second)).timestamp() == second.timestamp()


def test_fixed_offsets_are_kept() -> None:
    at = datetime(2024, 1, 1, tzinfo=timezone(-timedelta(hours=3, minutes=30)))

    assert values.decode(values.encode(at)).utcoffset() == -timedelta(hours=3, minutes=30)
    assert values.decode(values.encode(datetime(2024, 1, 1, tzinfo=UTC))).tzinfo is UTC


@dataclass
class Point:
    x: int
    when: date


class Color(Enum):
    RED = "red"


class Versioned:
    __version__ = 3

    def __init__(self, value: int) -> None:
        self.value = value

    def serialize(self) -> dict[str, Any]:
        return {"value": self.value}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Versioned:
        assert version == 3
        return Versioned(data["value"] + 100)


class Letters(Sequence[str]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return "ab"[index]

    def __iter__(self) -> Iterator[str]:
        return iter("ab")


@pytest.fixture
def allow_test_classes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES", f"airflow.* {__name__}.*")
    values.allowed_class.cache_clear()
    yield
    values.allowed_class.cache_clear()


@pytest.mark.usefixtures("allow_test_classes")
def test_dataclasses_come_back_as_themselves() -> None:
    assert values.decode(values.encode([Point(1, date(2024, 1, 1))])) == [Point(1, date(2024, 1, 1))]


@pytest.mark.usefixtures("allow_test_classes")
def test_classes_write_and_read_themselves_with_a_version() -> None:
    assert values.decode(values.encode(Versioned(1))).value == 101


def test_a_class_that_settings_do_not_allow_is_not_imported() -> None:
    values.allowed_class.cache_clear()
    data = values.encode(Point(1, date(2024, 1, 1)))

    with pytest.raises(ImportError, match="allowed_deserialization_classes"):
        values.decode(data)
    with pytest.raises(ImportError, match="allowed_deserialization_classes"):
        values.decode(b'{"__classname__": "os.system", "__version__": 1, "__data__": "true"}')


def test_enums_are_their_values_and_views_of_sequences_are_lists() -> None:
    assert values.decode(values.encode([Color.RED, Letters()])) == ["red", ["a", "b"]]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, {"b": object()}]}, "['a'][1]['b']"),
        ([b"raw"], "[0]"),
        ((1, {2, 3j}), "[1]"),
        ({"x": {"__classname__": 1}}, "['x']"),
    ],
)
def test_what_has_no_json_form_is_named_with_its_place(value: Any, path: str) -> None:
    with pytest.raises(NotSerializableError) as caught:
        values.encode(value)

    assert caught.value.path.startswith(path)


def test_a_value_that_contains_itself_ends_in_an_error() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(NotSerializableError, match="contains itself"):
        values.encode(circle)


def test_samples_of_every_tag() -> None:
    sample = [UUID(int=1), Decimal("1.10"), time(1, 2), timedelta(days=-1), {1}, frozenset({2}), (3,)]

    assert values.decode(values.encode(sample)) == sample


def test_keys_become_texts() -> None:
    assert values.decode(values.encode({(1, 2): "a", None: "b", 3: "c"})) == {"(1, 2)": "a", "None": "b", "3": "c"}


def test_time_zones_stay_what_they_are() -> None:
    for zone in (pendulum.timezone("Europe/Paris"), pendulum.timezone("UTC"), UTC, ZoneInfo("Asia/Tokyo")):
        again = values.decode(values.encode(zone))
        assert (type(again), str(again)) == (type(zone), str(zone))
