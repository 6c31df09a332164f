"""Partition mappers and windows of the user's own, alone and as parts of others: figures of Airflow 3.3.2."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from gnomon.model.partitions import Mappers, PartitionError, build, is_custom
from gnomon.parsing import partition_answers
from gnomon.sdk.asset_timetables import PartitionedAssetTimetable
from gnomon.sdk.assets import Asset
from gnomon.sdk.partitions import (
    ChainMapper,
    FanOutMapper,
    IdentityMapper,
    MinimumCount,
    PartitionMapper,
    ProductMapper,
    RollupMapper,
    SegmentWindow,
    StartOfDayMapper,
    StartOfMonthMapper,
    WeekWindow,
    Window,
)
from gnomon.wire.questions import KeyAsked, PartitionsAsked


class Strip(PartitionMapper):
    def to_downstream(self, key: str) -> str:
        return key.removeprefix("eu:")


class Two(PartitionMapper):
    def to_downstream(self, key: str) -> Iterable[str]:
        return (f"{key}-{n}" for n in (1, 2))


class Year(PartitionMapper):
    expected_decoded_type: ClassVar[type] = datetime

    def to_downstream(self, key: str) -> str:
        return key[:4]

    def decode_downstream(self, downstream_key: str) -> datetime:
        return datetime(int(downstream_key), 1, 1)

    def encode_upstream(self, decoded: datetime) -> str:
        return decoded.strftime("%Y/%m")

    def to_partition_date(self, downstream_key: str) -> datetime:
        return datetime(int(downstream_key), 1, 1, tzinfo=UTC)


class WorkingDays(Window):
    expected_decoded_type: ClassVar[type] = datetime

    def to_upstream(self, start: datetime) -> Iterable[datetime]:  # type: ignore[override]
        days = calendar.monthrange(start.year, start.month)[1]
        return (day for n in range(days) if (day := start + timedelta(days=n)).weekday() < 5)


class Spring(Window):
    expected_decoded_type: ClassVar[type] = datetime

    def to_upstream(self, start: datetime) -> list[datetime]:  # type: ignore[override]
        return [start.replace(month=month) for month in (1, 2, 3)]


class Noon(StartOfDayMapper):
    def normalize(self, dt: datetime) -> datetime:
        return super().normalize(dt) + timedelta(hours=12)

    def format(self, dt: datetime) -> str:
        return f"noon {dt:%Y-%m-%dT%H}"

    def decode_downstream(self, downstream_key: str) -> datetime:
        return datetime.strptime(downstream_key, "noon %Y-%m-%dT%H")

    def encode_upstream(self, decoded: datetime) -> str:
        return super().encode_upstream(decoded)


def _days(form: str, *, every: bool = False) -> list[str]:
    days = [datetime(2024, 2, n, tzinfo=UTC) for n in range(1, 30)]
    return [day.strftime(form) for day in days if every or day.weekday() < 5]


WORKING = RollupMapper(upstream_mapper=StartOfMonthMapper(input_format="%Y-%m-%d"), window=WorkingDays())
SPRING = RollupMapper(upstream_mapper=Year(), window=Spring())
MONTH = StartOfMonthMapper(input_format="%Y-%m")
DAYS = FanOutMapper(upstream_mapper=MONTH, window=WorkingDays(), downstream_mapper=StartOfDayMapper())
PRODUCT = ProductMapper(Strip(), StartOfDayMapper())


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: WORKING.to_downstream("2024-02-13"), "2024-02"),
        (lambda: sorted(WORKING.to_upstream("2024-02")), _days("%Y-%m-%d")),
        (lambda: WORKING.to_partition_date("2024-02"), datetime(2024, 2, 1, tzinfo=UTC)),
        (lambda: SPRING.to_downstream("2024/02"), "2024"),
        (lambda: sorted(SPRING.to_upstream("2024")), ["2024/01", "2024/02", "2024/03"]),
        (lambda: SPRING.to_partition_date("2024"), datetime(2024, 1, 1, tzinfo=UTC)),
        (lambda: DAYS.to_downstream("2024-02"), _days("%Y-%m-%d")),
        (lambda: DAYS.to_partition_date("2024-02-05"), datetime(2024, 2, 5, tzinfo=UTC)),
        # without a format of its own, a moment is written as ISO 8601 has it
        (
            lambda: FanOutMapper(upstream_mapper=MONTH, window=WorkingDays(), downstream_mapper=Strip()).to_downstream(
                "2024-02"
            ),
            _days("%Y-%m-%dT00:00:00"),
        ),
        (lambda: ChainMapper(Strip(), Two()).to_downstream("eu:a"), ["a-1", "a-2"]),
        (lambda: ChainMapper(Two(), Two()).to_downstream("a"), ["a-1-1", "a-1-2", "a-2-1", "a-2-2"]),
        (lambda: PRODUCT.to_downstream("eu:a|2024-02-01T10:00:00"), "a|2024-02-01"),
        (lambda: PRODUCT.to_partition_date("a|2024-02-01"), datetime(2024, 2, 1, tzinfo=UTC)),
        (lambda: Noon().to_downstream("2024-02-01T10:00:00"), "noon 2024-02-01T12"),
        (
            lambda: Noon(timezone="America/New_York").to_partition_date("noon 2024-02-01T12"),
            datetime(2024, 2, 1, 12, tzinfo=ZoneInfo("America/New_York")),
        ),
        (
            lambda: sorted(RollupMapper(upstream_mapper=Noon(), window=WeekWindow()).to_upstream("noon 2024-02-01T12")),
            [f"2024-02-0{day}T12:00:00" for day in range(1, 8)],
        ),
        (
            lambda: RollupMapper(upstream_mapper=Strip(), window=SegmentWindow(["a", "b"])).to_upstream("x"),
            frozenset({"a", "b"}),
        ),
        (lambda: Strip().carry_partition_date(datetime(2024, 1, 1, tzinfo=UTC)), None),
        (
            lambda: IdentityMapper().carry_partition_date(datetime(2024, 1, 1, tzinfo=UTC)),
            datetime(2024, 1, 1, tzinfo=UTC),
        ),
        (lambda: Strip(max_downstream_keys=3).serialize(), {"max_downstream_keys": 3}),
        (lambda: Strip.deserialize({"max_downstream_keys": 4}).max_downstream_keys, 4),
        (lambda: WorkingDays().serialize(), {"direction": "forward"}),
    ],
)
def test_what_they_say(ask: Callable[[], Any], answer: object) -> None:
    assert ask() == answer


def test_a_part_of_a_product_is_one_key() -> None:
    with pytest.raises(ValueError, match="one key"):
        ProductMapper(Two(), IdentityMapper()).to_downstream("a|b")


def test_one_side_of_the_pair_is_not_enough() -> None:
    with pytest.raises(TypeError, match="both of decode_downstream and encode_upstream"):
        type("Half", (PartitionMapper,), {"decode_downstream": lambda self, key: key})


def test_a_class_that_cannot_be_asked_or_written_down_is_refused_when_it_is_parsed() -> None:
    with pytest.raises(TypeError, match=r"Silent does not define to_downstream\(\)"):
        type("Silent", (PartitionMapper,), {})().as_data()
    with pytest.raises(TypeError, match=r"Silent does not define to_upstream\(\)"):
        type("Silent", (Window,), {})().as_data()
    with pytest.raises(TypeError, match=r"Odd\.serialize\(\) has to give a dict of JSON values"):
        type("Odd", (Strip,), {"serialize": lambda self: {"x": object()}})().as_data()


@pytest.mark.parametrize("mapper", [Strip(), WORKING, SPRING, DAYS, PRODUCT, ChainMapper(Strip(), IdentityMapper())])
def test_the_control_side_evaluates_none_of_them(mapper: PartitionMapper) -> None:
    assert is_custom(mapper.as_data())
    with pytest.raises(PartitionError, match=r"cannot evaluate|can evaluate"):
        build(mapper.as_data())


def test_what_comes_with_the_sdk_is_evaluated_without_asking() -> None:
    assert not is_custom(MONTH.as_data())
    assert Mappers.of({"default": MONTH.as_data()}).custom is None


def _asked(timetable: PartitionedAssetTimetable, **keys: Any) -> PartitionsAsked:
    definition = partition_answers.definition_of(timetable.fields()["data"])
    return PartitionsAsked(definition, 10, **keys)


def test_answers_tell_what_each_key_becomes_and_what_a_mapper_raises() -> None:
    timetable = PartitionedAssetTimetable(
        assets=Asset("a") & Asset("b"), default_partition_mapper=SPRING, partition_mapper_config={Asset("b"): Two()}
    )
    arrivals = [KeyAsked(1, "a", "a", "2024/02"), KeyAsked(2, "b", "b", "x", 5), KeyAsked(3, "a", "a", "none")]
    asked = _asked(timetable, arrivals=arrivals, runs=[KeyAsked(7, "a", "a", "2023")])

    told = partition_answers.told(timetable, asked)

    spring, two, bad = told.arrivals
    assert (spring.keys[0].key, spring.keys[0].expected) == ("2024", ["2024/01", "2024/02", "2024/03"])
    assert [(one.key, one.expected, one.date) for one in two.keys] == [("x-1", None, None), ("x-2", None, None)]
    assert (bad.keys[0].error or "").startswith("what makes up the partition 'none' is not known: ValueError")
    assert bad.keys[0].date_error is not None
    assert told.runs[0].date == 1_672_531_200_000_000
    assert partition_answers.is_as_asked(timetable, asked)
    other = PartitionedAssetTimetable(assets=Asset("a"), default_partition_mapper=Two())
    assert not partition_answers.is_as_asked(other, asked)


def test_the_policy_of_a_rollup_of_the_users_own_is_kept() -> None:
    class Own(RollupMapper):
        pass

    own = Own(upstream_mapper=Year(), window=Spring(), wait_policy=MinimumCount(2))
    mappers = Mappers.of({"default": own.as_data()})
    assert mappers.asks("a", "a")
    assert not mappers.enough("a", "a", {"x"}, ["x", "y", "z"])
    assert mappers.enough("a", "a", {"x", "y"}, ["x", "y", "z"])
    assert mappers.enough("a", "a", {"x"}, None)
