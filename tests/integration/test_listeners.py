"""Listeners of plugins, with all processes: what they hear of that no task's process could tell them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.standalone import SECONDS, Standalone

_PLUGIN = """
import json, os, sys
from airflow.models import TaskInstance
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl

def note(hook, **what):
    # One short write is never cut, whichever processes write.
    line = json.dumps({"hook": hook, "pid": os.getpid(), "database": "gnomon.store" in sys.modules, **what})
    with open(os.path.join(os.environ["AIRFLOW_HOME"], "heard"), "a") as file:
        file.write(line + chr(10))

def of(ti):
    return {"task": ti.task_id, "state": str(ti.state), "stored": isinstance(ti, TaskInstance), "index": ti.map_index,
            "run": ti.dag_run.run_id, "has_task": ti.task is not None}

class Listener:
    @hookimpl
    def on_starting(self, component):
        if getattr(component, "job_type", None):
            note("on_starting", job=component.job_type, job_pid=component.pid)
    @hookimpl
    def before_stopping(self, component):
        if getattr(component, "job_type", None):
            note("before_stopping", job=component.job_type, ended=component.end_date is not None)
    @hookimpl
    def on_asset_created(self, asset):
        note("on_asset_created", name=asset.name, group=asset.group)
    @hookimpl
    def on_asset_alias_created(self, asset_alias):
        note("on_asset_alias_created", name=asset_alias.name)
    @hookimpl
    def on_asset_changed(self, asset):
        note("on_asset_changed", name=asset.name)
    @hookimpl
    def on_asset_event_emitted(self, asset_event):
        e = asset_event
        note("on_asset_event_emitted", name=e.asset.name, extra=e.extra, key=e.partition_key, task=e.source_task_id,
             aliases=[alias.name for alias in e.source_aliases])
    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        note("on_task_instance_success", before=previous_state, **of(task_instance))
    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        note("on_task_instance_failed", before=previous_state, error=str(error), **of(task_instance))
    @hookimpl
    def on_task_instance_skipped(self, previous_state, task_instance):
        note("on_task_instance_skipped", before=previous_state, **of(task_instance))
    @hookimpl
    def on_dag_run_success(self, dag_run, msg):
        note("on_dag_run_success", run=dag_run.run_id, msg=msg, version=dag_run.version_number, dag=dag_run.dag.dag_id)
    @hookimpl
    def on_dag_run_failed(self, dag_run, msg):
        note("on_dag_run_failed", run=dag_run.run_id, msg=msg, version=dag_run.version_number, dag=dag_run.dag.dag_id)
        raise RuntimeError("a listener may fail")

class Own(AirflowPlugin):
    name = "own"
    listeners = [Listener()]
"""
_DAG = """
import time
from airflow.sdk import DAG, Asset, AssetAlias, task
with DAG("told", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[Asset("leaf", group="tea"), AssetAlias("scent")])
    def first():
        time.sleep(600)
    @task
    def second(): pass
    first() >> second()
with DAG("works", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[Asset.ref(name="leaf"), Asset.ref(name="unknown"), AssetAlias("scent")])
    def works(outlet_events):
        outlet_events[AssetAlias("scent")].add(Asset("petal"), extra={"n": 2})
    works()
"""


@pytest.fixture
def running(airflow_home: Path, database_url: str) -> Iterator[Standalone]:
    (airflow_home / "plugins").mkdir()
    (airflow_home / "plugins" / "own.py").write_text(_PLUGIN)
    settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url}
    with Standalone(airflow_home, {"told.py": _DAG}, waits_for=["told", "works"], settings=settings) as running:
        yield running


def heard(home: Path) -> list[dict[str, Any]]:
    file = home / "heard"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def _said(home: Path) -> str:
    return "\n".join([*map(str, heard(home)), (home / "standalone.log").read_text()])


def until(home: Path, hook: str, count: int = 1, **what: Any) -> list[dict[str, Any]]:
    """Wait until listeners have heard of something, and return what."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = [one for one in heard(home) if one["hook"] == hook and what.items() <= one.items()]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, _said(home)
        time.sleep(0.05)  # what another process writes is not told otherwise


def test_listeners_hear_of_assets_marks_and_processes(running: Standalone, airflow_home: Path) -> None:
    jobs = ("SchedulerJob", "DagProcessorJob", "TriggererJob")
    began = [until(airflow_home, "on_starting", job=job)[0] for job in jobs]
    assert len({one["job_pid"] for one in began}) == 3

    # New assets are told of when their DAG is recorded, and once.
    (made,) = until(airflow_home, "on_asset_created", name="leaf")
    assert made["group"] == "tea"
    until(airflow_home, "on_asset_alias_created", name="scent")
    assert made["pid"] == began[0]["pid"]  # one process, so listeners can remember

    # An event of nobody's task.
    (leaf,) = running.get("/assets")["assets"]
    event = {"asset_id": leaf["id"], "extra": {"n": 1}, "partition_key": "monday"}
    assert running.client.post("/assets/events", json=event).status_code == 200
    (emitted,) = until(airflow_home, "on_asset_event_emitted")
    wanted = {"name": "leaf", "key": "monday", "task": None}
    assert emitted.items() >= wanted.items()
    assert emitted["extra"]["n"] == 1
    until(airflow_home, "on_asset_changed", name="leaf")

    _tasks_tell_themselves(running, airflow_home, made["pid"])
    _tasks_are_marked(running, airflow_home)
    _runs_are_marked(running, airflow_home)

    # Neither a task nor the database-holding processes have told any of it.
    assert not any(one["database"] for one in heard(airflow_home))
    running.process.terminate()
    running.process.wait(SECONDS)
    stopped = [one["job"] for one in heard(airflow_home) if one["hook"] == "before_stopping" and one["ended"]]
    assert "DagProcessorJob" in stopped


def _tasks_tell_themselves(running: Standalone, home: Path, host: int) -> None:
    assert running.wait(running.trigger("works"))["state"] == "success"
    (petal,) = until(home, "on_asset_event_emitted", name="petal")
    assert petal.items() >= {"aliases": ["scent"], "extra": {"n": 2}, "task": "works", "key": None}.items()
    (leaf,) = until(home, "on_asset_event_emitted", name="leaf", task="works")
    assert petal["pid"] == leaf["pid"] != host
    until(home, "on_asset_created", name="petal")  # the event has made it


def _tasks_are_marked(running: Standalone, home: Path) -> None:
    run = running.trigger("told", "r1")
    for state, hook in (("skipped", "skipped"), ("failed", "failed"), ("success", "success")):
        answer = running.patch(f"{run}/taskInstances/second", {"new_state": state})
        assert answer.status_code == 200, answer.text
        (marked,) = until(home, f"on_task_instance_{hook}", task="second", run="r1")
        assert marked.items() >= {"before": None, "state": state, "stored": True, "has_task": True, "index": -1}.items()
    assert "failed" in until(home, "on_task_instance_failed", task="second")[0]["error"]


def _runs_are_marked(running: Standalone, home: Path) -> None:
    run = running.trigger("told", "r2")
    deadline = time.monotonic() + SECONDS
    while running.states(run).get("first") != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert running.patch(run, {"state": "success"}).status_code == 200
    (told,) = until(home, "on_dag_run_success", run="r2")
    assert told.items() >= {"version": 1, "dag": "told"}.items()
    # Of its tasks only the one that was running counts as marked.
    until(home, "on_task_instance_success", task="first", run="r2", before=None)
    assert not [one for one in heard(home) if one.get("run") == "r2" and one.get("task") == "second"]
    assert running.patch(run, {"state": "failed"}).status_code == 200
    (failed,) = until(home, "on_dag_run_failed", run="r2")
    assert "failed" in failed["msg"]
    # The listener raised, and goes on listening.
    assert running.patch(run, {"state": "success"}).status_code == 200
    until(home, "on_dag_run_success", 2, run="r2")
