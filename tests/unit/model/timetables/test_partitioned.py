"""Timetables whose runs are about partitions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gnomon.model.timetables import TimetableError, build
from gnomon.wire.dag import TimetableSpec


def cron(offset: int = 0, form: str = "%Y-%m-%dT%H:%M:%S", zone: str = "UTC", expression: str = "0 0 * * *"):
    data = {"run_offset": offset, "key_format": form}
    return build(TimetableSpec(kind="cron_trigger", crons=[expression], timezone=zone, data=data))


@pytest.mark.parametrize(
    ("timetable", "key", "date"),
    [
        (cron(), "2024-03-10T00:00:00", datetime(2024, 3, 10, tzinfo=UTC)),
        (cron(-1), "2024-03-09T00:00:00", datetime(2024, 3, 9, tzinfo=UTC)),
        (cron(2), "2024-03-12T00:00:00", datetime(2024, 3, 12, tzinfo=UTC)),
        (cron(form="%Y-%m-%d"), "2024-03-10", datetime(2024, 3, 10, tzinfo=UTC)),
    ],
)
def test_the_partition_of_a_tick(timetable, key, date):
    assert timetable.partition_of(datetime(2024, 3, 10, tzinfo=UTC)) == (key, date)


def test_a_key_is_in_the_clock_of_the_timetable():
    timetable = cron(zone="Asia/Taipei")
    tick = datetime(2024, 3, 9, 16, tzinfo=UTC)

    assert timetable.partition_of(tick) == ("2024-03-10T00:00:00", tick)
    assert timetable.date_of("2024-03-10T00:00:00") == tick


def test_a_key_of_another_form_is_refused():
    with pytest.raises(TimetableError, match="does not match the timetable's key_format"):
        cron().date_of("tomorrow")


def test_the_date_of_a_key_of_assets():
    day = {"kind": "start_of", "unit": "day", "output_format": "%Y-%m-%d"}
    condition = {"all": [{"asset": {"name": "a", "uri": "a"}}, {"asset": {"name": "b", "uri": "b"}}]}
    timetable = build(TimetableSpec(kind="partitioned_assets", assets=condition, data={"names": {"a": day}}))

    assert timetable.date_of("2024-03-10") == datetime(2024, 3, 10, tzinfo=UTC)
    assert timetable.summary == "Partitioned Asset"
    with pytest.raises(TimetableError, match="invalid for this timetable's mappers"):
        timetable.date_of("no day")


def test_who_takes_a_partition_key():
    at_runtime = build(TimetableSpec(kind="partitioned_at_runtime"))

    assert (at_runtime.partitioned, at_runtime.can_be_scheduled, at_runtime.date_of("any")) == (True, False, None)
    assert not build(TimetableSpec(kind="null")).partitioned
    assert build(TimetableSpec(kind="null")).partition_of(datetime(2024, 3, 10, tzinfo=UTC)) is None
