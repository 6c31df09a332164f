"""Tasks that wait for a trigger before they have a process."""

from __future__ import annotations

from datetime import timedelta

import pendulum

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs

START = pendulum.datetime(2024, 1, 1, tz="UTC")


class Starts(BaseOperator):
    """Says how it was resumed."""

    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow.providers.standard.triggers.temporal.DateTimeTrigger",
        trigger_kwargs={"moment": START},
        next_method="resume",
        next_kwargs={"more": ["of", "this"]},
    )

    def execute(self, context):
        return "in a process of its own"

    def resume(self, context, event=None, more=None):
        ti = context["ti"]
        if ti.try_number <= ti.task.retries:
            raise ValueError("once more")
        return [event == START, more, ti.try_number]


with DAG("compat_starts", schedule=None, start_date=START, params={"year": 2024}):
    DateTimeSensorAsync(task_id="date", target_time="2024-01-01T00:00:00+00:00", start_from_trigger=True)
    DateTimeSensorAsync(
        task_id="templated", target_time="{{ params.year }}-{{ '%02d' % ti.try_number }}-01", start_from_trigger=True
    )
    DateTimeSensorAsync(
        task_id="ends",
        target_time="{{ macros.ds_add('2024-01-01', 1) }}",
        start_from_trigger=True,
        end_from_trigger=True,
    )
    DateTimeSensorAsync(task_id="too_late", target_time="{{ dag_run.conf.nothing }}", start_from_trigger=True)
    Starts(task_id="resumed")
    Starts(task_id="again", retries=2, retry_delay=timedelta(0))
