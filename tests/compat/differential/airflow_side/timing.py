"""Airflow's own timetables, asked as its scheduler asks them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pendulum
from both import schedules

from airflow.models import backfill as models_backfill
from airflow.sdk import DAG
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables import events, interval, simple, trigger
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.utils.types import DagRunType


@contextmanager
def _at(now: datetime) -> Iterator[None]:
    """Make it `now` where timetables look at the clock."""
    with ExitStack() as stack:
        for module in (interval, trigger):
            stack.enter_context(patch.object(module, "utcnow", lambda: now))
        stack.enter_context(patch.object(trigger.time, "time", now.timestamp))
        for module in (events, simple):
            stack.enter_context(patch.object(module.timezone, "utcnow", lambda: now))
        yield


def _aware(text: str | None) -> Any:
    return None if text is None else pendulum.parse(text)


def _core(case: dict[str, Any]) -> Any:
    dag = DAG("d", schedule=schedules.schedule(case), start_date=_aware(case.get("start")))
    table = coerce_to_core_timetable(dag.timetable)
    table.validate()
    return type(table).deserialize(table.serialize())


def runs(case: dict[str, Any]) -> Any:
    """Return the runs that follow each other, each asked for at its own time."""
    try:
        table = _core(case)
        bounds = TimeRestriction(_aware(case["start"]), _aware(case["end"]), case["catchup"])
        last, found = None, []
        for text in case["nows"]:
            with _at(_aware(text)):
                info = table.next_dagrun_info(last_automated_data_interval=last, restriction=bounds)
            if info is None:
                found.append(None)
                continue
            times = (info.run_after, info.logical_date, info.data_interval.start, info.data_interval.end)
            found.append([schedules.written(time) for time in times])
            last = info.data_interval
    except Exception as error:
        return {"raises": type(error).__name__}
    return found


def manual(case: dict[str, Any]) -> Any:
    """Return the data intervals of runs that are triggered by hand."""
    try:
        table = _core(case)
        spans = [table.infer_manual_data_interval(run_after=_aware(text)) for text in case["nows"]]
    except Exception as error:
        return {"raises": type(error).__name__}
    return [[schedules.written(span.start), schedules.written(span.end)] for span in spans]


def descriptions(case: dict[str, Any]) -> Any:
    """Return what screens show for a schedule."""
    try:
        table = _core(case)
        return [table.summary, table.description]
    except Exception as error:
        return {"raises": type(error).__name__}


def run_ids(case: dict[str, Any]) -> Any:
    """Return the id that a run gets."""
    table = coerce_to_core_timetable(DAG("d", schedule=case["schedule"]).timetable)
    after = _aware(case["run_after"])
    made = table.generate_run_id(
        run_type=DagRunType(case["type"]), run_after=after, data_interval=DataInterval(after, after)
    )
    return [made, str(DagRunType.from_run_id(made)), str(DagRunType.from_run_id(case["run_id"]))]


def backfill(case: dict[str, Any]) -> Any:
    """Return the runs that a backfill is to make."""
    dag = DAG("d", schedule=schedules.schedule(case), start_date=_aware(case["start"]))
    core = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    now, bounds = _aware(case["now"]), {"from_date": _aware(case["from"]), "to_date": _aware(case["to"])}
    with _at(now), patch.object(models_backfill.timezone, "utcnow", lambda: now):
        found = models_backfill._get_info_list(reverse=case["backwards"], dag=core, **bounds)
    spans = [(info, info.data_interval) for info in found]
    return schedules.shortened(
        [
            [info.run_after, info.logical_date]
            + ([None, None] if span is None else [span.start, span.end])
            + [info.partition_key, info.partition_date]
            for info, span in spans
        ]
    )
