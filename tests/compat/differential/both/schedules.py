"""Timetables as an author writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from airflow.sdk import (
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
)

# Airflow 3.3.2 cannot read the SDK's class of this name back from a serialized DAG.
from airflow.timetables.events import EventsTimetable


def distance(given: Any) -> timedelta | relativedelta:
    """Return a timedelta of seconds, or a relativedelta of keyword arguments."""
    return relativedelta(**given) if isinstance(given, dict) else timedelta(seconds=given)


def timetable(case: dict[str, Any]) -> Any:
    """Return the timetable that a case describes."""
    zone, immediately = case["zone"], case["run_immediately"]
    if isinstance(immediately, (int, float)) and not isinstance(immediately, bool):
        immediately = timedelta(seconds=immediately)
    kind = case["kind"]
    if kind == "cron_partition":
        return CronPartitionTimetable(
            case["crons"][0], timezone=zone, run_offset=case["offset"], key_format=case["form"]
        )
    if kind == "cron_trigger":
        interval = distance(case["interval"])
        return CronTriggerTimetable(case["crons"][0], timezone=zone, interval=interval, run_immediately=immediately)
    if kind == "multiple_cron_trigger":
        interval = distance(case["interval"])
        return MultipleCronTriggerTimetable(
            *case["crons"], timezone=zone, interval=interval, run_immediately=immediately
        )
    if kind == "cron_interval":
        return CronDataIntervalTimetable(case["crons"][0], timezone=zone)
    if kind == "delta_trigger":
        return DeltaTriggerTimetable(distance(case["delta"]), interval=distance(case["interval"]))
    if kind == "delta_interval":
        return DeltaDataIntervalTimetable(distance(case["delta"]))
    events = [datetime.fromisoformat(text) for text in case["events"]]
    return EventsTimetable(
        events, restrict_to_events=case["restrict"], presorted=False, description=case["description"]
    )


def schedule(case: dict[str, Any]) -> Any:
    """Return what stands behind `schedule=` of a DAG: a timetable, or the text that means one."""
    return case["schedule"] if case["kind"] == "schedule" else timetable(case)


def moment(text: str | None) -> datetime | None:
    """Return a time of a case."""
    return None if text is None else datetime.fromisoformat(text)


def written(value: datetime | None) -> str | None:
    """Return a time as it is compared: in UTC."""
    return None if value is None else value.astimezone(UTC).isoformat()


def shortened(runs: list[list[Any]]) -> list[Any]:
    """Return how many runs there are, the first ones and the last ones, in JSON."""
    ends = [*runs[:4], *runs[4:][-3:]]
    return [len(runs), *([part if isinstance(part, str) else part and written(part) for part in run] for run in ends)]
