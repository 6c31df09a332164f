"""The standard provider's sensors and TriggerDagRunOperator with all processes, in each of their modes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.standalone import Standalone

_OTHER = """
from airflow.sdk import DAG, task, task_group

with DAG("other", schedule=None, is_paused_upon_creation=False):
    @task
    def work(): ...

    @task_group
    def group():
        work.override(task_id="a")() >> work.override(task_id="b")()

    @task
    def breaks():
        raise ValueError("always")

    group()
    breaks()

with DAG("child", schedule=None, is_paused_upon_creation=False, params={"ends": "well"}):
    @task
    def end(params=None):
        assert params["ends"] == "well"
    end()

with DAG("paused", schedule=None, is_paused_upon_creation=True):
    work.override(task_id="never")()
"""
_WATCHING = """
import os
from datetime import time, timedelta
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensor
from airflow.providers.standard.sensors.external_task import ExternalTaskMarker, ExternalTaskSensor
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.time import TimeSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.providers.standard.sensors.weekday import DayOfWeekSensor

FILE = os.path.join(os.environ["AIRFLOW_HOME"], "inbox", "a.csv")

with DAG("watching", schedule=None, is_paused_upon_creation=False):
    of_other = {"external_dag_id": "other", "poke_interval": 0.05, "timeout": 60}
    ExternalTaskSensor(task_id="poke_task", external_task_id="group.b", **of_other)
    ExternalTaskSensor(task_id="poke_tasks", external_task_ids=["group.a", "group.b"], mode="reschedule", **of_other)
    ExternalTaskSensor(task_id="group_poke", external_task_group_id="group", **of_other)
    ExternalTaskSensor(task_id="group_deferred", external_task_group_id="group", deferrable=True, **of_other)
    ExternalTaskSensor(task_id="dag_failed", failed_states=["failed"], soft_fail=True, **of_other)
    ExternalTaskSensor(task_id="dag_failed_deferred", failed_states=["failed"], deferrable=True, **of_other)
    ExternalTaskSensor(task_id="dag_skips", skipped_states=["failed"], deferrable=True, **of_other)
    ExternalTaskSensor(task_id="no_such_dag", external_dag_id="nowhere", check_existence=True)
    ExternalTaskSensor(task_id="too_long", external_dag_id="other", external_task_id="breaks", poke_interval=0.05,
                       timeout=0.2, deferrable=True)
    ExternalTaskMarker(task_id="marker", external_dag_id="other", external_task_id="breaks")

    for mode in ("poke", "reschedule", "deferred"):
        how = {"deferrable": True} if mode == "deferred" else {"mode": mode}
        FileSensor(task_id=f"file_{mode}", filepath=FILE, poke_interval=0.05, timeout=60, **how)
        if mode != "reschedule":
            DateTimeSensor(task_id=f"moment_{mode}", target_time="{{ dag_run.start_date }}", poke_interval=0.05)
            TimeDeltaSensor(task_id=f"delta_{mode}", delta=timedelta(days=-1), poke_interval=0.05, **how)
            TimeSensor(task_id=f"time_{mode}", target_time=time(0, 0), poke_interval=0.05, **how)
    DayOfWeekSensor(task_id="weekday", week_day=["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
                                                 "Sunday"])

    @task
    def drop_file():
        os.makedirs(os.path.dirname(FILE))
        open(FILE, "w").close()
    drop_file()

    LatestOnlyOperator(task_id="latest")

with DAG("triggering", schedule=None, is_paused_upon_creation=False):
    child = {"trigger_dag_id": "child", "poke_interval": 0.05}
    waits = TriggerDagRunOperator(task_id="waits", trigger_run_id="one", wait_for_completion=True, **child)
    exists = TriggerDagRunOperator(task_id="exists", trigger_run_id="one", **child)
    skips = TriggerDagRunOperator(task_id="skips", trigger_run_id="one", skip_when_already_exists=True, **child)
    resets = TriggerDagRunOperator(task_id="resets", trigger_run_id="one", reset_dag_run=True, trigger_rule="all_done",
                                   wait_for_completion=True, **child)
    waits >> [exists, skips] >> resets
    TriggerDagRunOperator(task_id="deferred", trigger_run_id="two", conf='{"ends": "badly"}', wait_for_completion=True,
                          deferrable=True, **child)
    TriggerDagRunOperator(task_id="allowed", trigger_run_id="three", conf={"ends": "badly"}, deferrable=True,
                          wait_for_completion=True, allowed_states=["success", "failed"], failed_states=[], **child)
    TriggerDagRunOperator(task_id="is_paused", trigger_dag_id="paused", fail_when_dag_is_paused=True)
    TriggerDagRunOperator(task_id="is_gone", trigger_dag_id="nowhere")
"""


@pytest.fixture
def running(airflow_home: Path) -> Iterator[Standalone]:
    files = {"other.py": _OTHER, "watching.py": _WATCHING}
    with Standalone(airflow_home, files, waits_for=["other", "child", "watching", "triggering"]) as running:
        yield running


def test_sensors_in_each_mode(running: Standalone) -> None:
    date = "2026-03-01T00:00:00Z"
    watching = running.trigger("watching", logical_date=date)
    running.wait(running.trigger("other", logical_date=date))
    running.wait(watching)

    ended = running.states(watching)
    bad = {"dag_failed_deferred": "failed", "no_such_dag": "failed", "too_long": "failed"}
    bad |= {"dag_failed": "skipped", "dag_skips": "skipped"}
    assert {task_id: state for task_id, state in ended.items() if state != "success"} == bad
    assert "does not exist" in running.log_of(watching, "no_such_dag")
    assert "failed" in running.log_of(watching, "dag_failed_deferred")


def test_runs_of_other_dags(running: Standalone) -> None:
    run = running.trigger("triggering")
    running.wait(run)

    assert running.states(run) == {
        "waits": "success",
        "exists": "failed",
        "skips": "skipped",
        "resets": "success",
        "deferred": "failed",
        "allowed": "success",
        "is_paused": "failed",
        "is_gone": "failed",
    }
    assert running.get("/dags/child/dagRuns/one")["state"] == "success"
    (task,) = running.get("/dags/child/dagRuns/one/taskInstances")["task_instances"]
    assert task["try_number"] == 2  # it was cleared and ran again
    assert "Dag paused is paused" in running.log_of(run, "is_paused")
    assert "'nowhere'" in running.log_of(run, "is_gone")
    link = running.get(f"{run}/taskInstances/waits/xcomEntries/trigger_run_id")
    assert link["value"] == "one"
