from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest
from dateutil.relativedelta import MO, relativedelta

from gnomon.model import timetables as model
from gnomon.sdk import (
    DAG,
    Asset,
    AssetAlias,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
)
from gnomon.sdk.exceptions import AirflowTimetableInvalid
from gnomon.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable
from gnomon.sdk.timetables import CRON_PRESETS
from gnomon.wire.dag import TimetableSpec

START = pendulum.datetime(2024, 1, 1)


def spec(schedule, **kwargs):
    return DAG("d", schedule=schedule, start_date=START, **kwargs).timetable.to_spec()


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, TimetableSpec(kind="null")),
        ("@once", TimetableSpec(kind="once")),
        ("@daily", TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"])),  # mistake 1
        ("5 4 * * *", TimetableSpec(kind="cron_trigger", crons=["5 4 * * *"])),
        (timedelta(hours=1), TimetableSpec(kind="delta_trigger", delta=3600.0)),  # mistake 2
        (relativedelta(months=1), TimetableSpec(kind="delta_trigger", relative={"months": 1})),
    ],
)
def test_what_a_schedule_means_in_airflow_3(schedule, expected):
    assert spec(schedule) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("@daily", TimetableSpec(kind="cron_interval", crons=["0 0 * * *"])),  # mistake 1
        (timedelta(hours=1), TimetableSpec(kind="delta_interval", delta=3600.0)),
    ],
)
def test_what_a_schedule_means_in_airflow_2(profile_2, schedule, expected):
    assert spec(schedule, catchup=False) == expected


def test_the_setting_decides_whatever_the_profile(monkeypatch):  # mistake 2
    monkeypatch.setenv("AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS", "True")

    assert spec("@daily").kind == "cron_interval"
    assert spec(timedelta(days=1)).kind == "delta_interval"


def test_continuous():
    assert spec("@continuous", max_active_runs=1) == TimetableSpec(kind="continuous")


def test_the_clock_of_a_cron_expression_hangs_where_the_start_date_is():
    start = pendulum.datetime(2024, 1, 1, tz="Europe/Berlin")
    fixed = datetime.fromisoformat("2024-01-01T00:00:00+05:30")

    assert DAG("d", schedule="@daily", start_date=start).timetable.to_spec().timezone == "Europe/Berlin"
    assert DAG("d", schedule="@daily", start_date=fixed).timetable.to_spec().timezone == "+05:30"
    assert DAG("d", schedule="@daily", start_date=datetime(2024, 1, 1)).timetable.to_spec().timezone == "UTC"


def test_timetables_as_objects():
    assert spec(CronDataIntervalTimetable("@hourly", "Asia/Tokyo")) == TimetableSpec(
        kind="cron_interval", crons=["0 * * * *"], timezone="Asia/Tokyo"
    )
    assert spec(
        CronTriggerTimetable("0 1 * * 3", timezone="UTC", interval=timedelta(days=4), run_immediately=True)
    ) == TimetableSpec(kind="cron_trigger", crons=["0 1 * * 3"], interval=345600.0, run_immediately=True)
    assert spec(
        CronTriggerTimetable("@daily", "UTC", interval=relativedelta(weeks=1), run_immediately=timedelta(hours=1))
    ) == TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"], interval_relative={"days": 7}, run_immediately=3600.0)
    assert spec(MultipleCronTriggerTimetable("@daily", "0 12 * * *", timezone="UTC")) == TimetableSpec(
        kind="multiple_cron_trigger", crons=["0 0 * * *", "0 12 * * *"]
    )
    assert spec(DeltaTriggerTimetable(timedelta(days=1), interval=timedelta(days=2))) == TimetableSpec(
        kind="delta_trigger", delta=86400.0, interval=172800.0
    )
    assert spec(DeltaDataIntervalTimetable(relativedelta(weekday=MO(1), hours=1))).relative == {
        "hours": 1, "weekday": 0, "weekday_n": 1,
    }  # fmt: skip
    assert spec(EventsTimetable([datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 1, 1)], restrict_to_events=True)) == (
        TimetableSpec(
            kind="events",
            events=["2024-01-01T00:00:00+00:00", "2024-02-01T00:00:00+00:00"],
            restrict_to_events=True,
        )
    )
    with pytest.raises(ValueError, match="cron expression required"):
        MultipleCronTriggerTimetable(timezone="UTC")


def test_assets_as_schedules():
    a, b = Asset("a"), Asset("b", uri="s3://bucket/b")
    data = [{"asset": {"name": "a", "uri": "a", "group": "asset", "extra": {}}}]

    assert spec(a).assets == data[0]
    assert spec([a]).assets == {"all": data}
    assert set(spec(a | b).assets) == {"any"}
    assert set(spec(a & (b | a)).assets) == {"all"}
    assert spec(AssetAlias("x")).assets == {"alias": "x"}
    assert spec(Asset.ref(name="a")).assets == {"ref": {"name": "a"}}
    both = spec(AssetOrTimeSchedule(timetable=CronTriggerTimetable("@daily", "UTC"), assets=[a]))
    assert (both.kind, both.base.kind, both.assets) == ("asset_or_time", "cron_trigger", {"all": data})
    with pytest.raises(ValueError, match="should be either assets"):
        spec([a, "text"])


@pytest.mark.parametrize("expression", ["* * *", "99 * * * *", "nonsense", "@never"])
def test_a_wrong_cron_expression_is_named(expression):
    dag = DAG("d", schedule=expression, start_date=START)

    with pytest.raises(AirflowTimetableInvalid) as caught:
        dag.validate()

    assert expression in str(caught.value)


def test_a_delta_goes_forward():
    with pytest.raises(AirflowTimetableInvalid, match="positive"):
        DAG("d", schedule=timedelta(0), start_date=START).validate()


@pytest.mark.parametrize("preset", CRON_PRESETS)
def test_presets_have_words(preset):
    timetable = DAG("d", schedule=preset, start_date=START).timetable

    assert timetable.description
    assert timetable.summary == CRON_PRESETS[preset]


@pytest.mark.parametrize(
    "schedule",
    [
        None, "@once", "@daily", timedelta(hours=3), relativedelta(months=1),
        EventsTimetable([datetime(2024, 2, 1, tzinfo=UTC)]), CronDataIntervalTimetable("@weekly", "UTC"),
        MultipleCronTriggerTimetable("@daily", "@weekly", timezone="Europe/Paris"), DeltaTriggerTimetable(timedelta(1)),
    ],
)  # fmt: skip
def test_the_scheduler_understands_each(schedule):
    assert model.build(spec(schedule)) is not None


class Weekdays(Timetable):
    def __init__(self, hour=9):
        self.hour = hour

    def serialize(self):
        return {"hour": self.hour}

    @classmethod
    def deserialize(cls, data):
        return cls(data["hour"])

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        return DagRunInfo.interval(restriction.earliest, restriction.earliest.add(hours=self.hour))


def test_a_timetable_of_ones_own():
    made = spec(Weekdays(7))

    assert (made.kind, made.data) == ("custom", {"hour": 7})
    assert made.classpath.endswith("Weekdays")
    assert Weekdays.deserialize(made.data) == Weekdays(7) != Weekdays(8)
    restriction = TimeRestriction(START, None, False)
    info = Weekdays().next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert info.data_interval == DataInterval(START, START.add(hours=9))
    assert info.logical_date == START


def test_partitions_by_cron():
    made = spec(CronPartitionTimetable("@daily", timezone="UTC", run_offset=-1))

    assert (made.kind, made.data["run_offset"]) == ("cron_trigger", -1)


class Plain(Timetable):
    """Neither `serialize` nor `deserialize`: as in Airflow it is made without arguments."""


def test_what_a_timetable_says_of_itself_is_part_of_its_data():
    made = spec(Plain())

    assert Plain.deserialize(made.data) == Plain()
    assert (made.summary, made.can_be_scheduled, made.periodic, made.active_runs_limit) == ("Plain", True, True, None)
    with pytest.raises(model.AnswerNeededError):
        model.build(made).infer_manual_interval(START)


class Skipping(CronDataIntervalTimetable):
    """A subclass of a schedule that comes with the SDK has rules that only its own code knows."""


def test_a_subclass_of_a_schedule_of_the_sdk_is_a_custom_one():
    made = spec(Skipping("@daily", "UTC"))

    assert (made.kind, made.summary) == ("custom", "0 0 * * *")
    at = Skipping("@daily", "UTC").infer_manual_data_interval(run_after=START.add(hours=5))
    assert at == CronDataIntervalTimetable("@daily", "UTC").infer_manual_data_interval(run_after=START.add(hours=5))


def test_a_class_that_cannot_be_imported_is_refused():
    class Inner(Timetable):
        pass

    with pytest.raises(AirflowTimetableInvalid, match="at the top level of a module"):
        spec(Inner())
