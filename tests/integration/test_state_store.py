"""What tasks and assets keep, with all processes: written by tasks, found by the next try, shown and changed over REST."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.store.engine import open_store
from tests.fixtures.standalone import Standalone

_DAG = """
import os
from datetime import timedelta
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, NEVER_EXPIRE, ResumableJobMixin, task

ORDERS = Asset("orders")

class Job(ResumableJobMixin, BaseOperator):
    def execute(self, context):
        return self.execute_resumable(context)
    def submit_job(self, context):
        print("submitting")
        return "job-7"
    def get_job_status(self, external_id, context):
        return "RUNNING"
    def is_job_active(self, status):
        return status == "RUNNING"
    def is_job_succeeded(self, status):
        return status == "DONE"
    def poll_until_complete(self, external_id, context):
        print("polling", external_id, "in try", context["ti"].try_number)
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), 9)
    def get_job_result(self, external_id, context):
        return external_id + " is done"

with DAG("keep", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[ORDERS])
    def write(number, task_state_store=None, asset_state_store=None):
        assert task_state_store.get("seen", "nothing") == "nothing"
        task_state_store.set("seen", {"number": number}, retention=NEVER_EXPIRE)
        task_state_store.set("brief", 1, retention=timedelta(microseconds=1))
        task_state_store.set("gone", 1)
        task_state_store.delete("gone")
        task_state_store.delete("never there")
        if number == 3:
            asset_state_store.set("mark", [number])
            return asset_state_store[ORDERS].get("mark")

    @task(retries=1, retry_delay=0)
    async def count(task_state_store=None):
        n = await task_state_store.aget("n", 0) + 1
        await task_state_store.aset("n", n)
        if n == 1:
            raise RuntimeError("once more")
        return n

    @task
    def refuse(task_state_store=None):
        task_state_store.set("nothing", None)

    @task(outlets=[AssetAlias("anything")])
    def pack(outlet_events=None):
        outlet_events[AssetAlias("anything")].add(Asset("parcels"))

    @task(inlets=[AssetAlias("anything"), AssetAlias("nothing")])
    def send(asset_state_store=None):
        asset_state_store.set("sent", True)
        return asset_state_store[Asset("parcels")].get("sent")

    pack() >> send()
    write.expand(number=[3, 4]); count(); refuse()
    Job(task_id="job", retries=1, retry_delay=timedelta(0))
    Job(task_id="forgetful", durable=False, retries=1, retry_delay=timedelta(0))
"""


@pytest.fixture
def running(airflow_home: Path) -> Iterator[Standalone]:
    with Standalone(airflow_home, {"keep.py": _DAG}, waits_for=["keep"]) as running:
        yield running


def test_state_outlives_a_try_and_is_seen_over_rest(running: Standalone) -> None:
    run = running.trigger("keep")
    over = running.wait(run, result=["write", "count", "job", "send"])
    assert over["state"] == "failed"  # "refuse" does
    assert over["results"] == {"write": [[3]], "count": 2, "job": "job-7 is done", "send": True}
    assert "Cannot set value as None" in running.log_of(run, "refuse")
    assert "submitting" in running.log_of(run, "job", 1)
    assert "submitting" not in running.log_of(run, "job", 2)
    assert "polling job-7 in try 2" in running.log_of(run, "job", 2)
    assert "submitting" in running.log_of(run, "forgetful", 2)

    _tasks_over_rest(running, f"{run}/taskInstances/write/state-store")
    _assets_over_rest(running)
    assert _clean("--dry-run").splitlines()[2:] == [
        f"  Dag 'keep', run 'r1', task 'write', map_index {index}, key 'brief'" for index in (0, 1)
    ]
    assert _clean() == "Deleted 2 expired task state store row(s).\n"
    assert _clean("--dry-run") == "Nothing to delete.\n"


def _tasks_over_rest(running: Standalone, store: str) -> None:
    listed = running.get(store, map_index=1)
    assert [(one["key"], one["value"]) for one in listed["task_state_store"]] == [("brief", 1), ("seen", {"number": 4})]
    assert listed["total_entries"] == 2
    assert listed["task_state_store"][1]["expires_at"] is None
    assert running.get(store, map_index=1, limit=1)["total_entries"] == 2
    assert running.get(store)["task_state_store"] == []

    client = running.client
    assert client.put(f"{store}/a/b", params={"map_index": 1}, json={"value": {"x": [1]}}).status_code == 204
    kept = running.get(f"{store}/a/b", map_index=1)
    assert (kept["key"], kept["value"]) == ("a/b", {"x": [1]})
    assert kept["expires_at"] is not None
    assert client.patch(f"{store}/a/b", params={"map_index": 1}, json={"value": 2}).status_code == 200
    changed = running.get(f"{store}/a/b", map_index=1)
    assert (changed["value"], changed["expires_at"]) == (2, kept["expires_at"])
    assert client.patch(f"{store}/unknown", params={"map_index": 1}, json={"value": 2}).status_code == 404
    assert client.put(f"{store}/a", params={"map_index": 9}, json={"value": 2}).status_code == 404
    assert client.put(f"{store}/a", params={"map_index": 1}, json={"value": None}).status_code == 422
    assert client.delete(f"{store}/a/b", params={"map_index": 1}).status_code == 204
    assert client.get(f"{store}/a/b", params={"map_index": 1}).status_code == 404


def _assets_over_rest(running: Standalone) -> None:
    with open_store() as opened:
        store = f"/assets/{opened.asset_states.asset_id(name='orders')}/state-store"
    (mark,) = running.get(store)["asset_state_store"]
    assert mark["value"] == [3]
    writer: dict[str, Any] = {"kind": "task", "dag_id": "keep", "run_id": "r1", "task_id": "write"}
    assert mark["last_updated_by"] == {**writer, "map_index": 0}
    client = running.client
    assert client.put(f"{store}/mark", json={"value": "z"}).status_code == 204
    assert running.get(f"{store}/mark")["last_updated_by"]["kind"] == "api"
    assert client.delete(store).status_code == 204
    assert running.get(store) == {"asset_state_store": [], "total_entries": 0}
    assert client.get("/assets/99999/state-store").status_code == 404


def _clean(*options: str) -> str:
    command = [str(Path(sys.executable).parent / "airflow"), "state-store", "clean", *options]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True, timeout=60).stdout


def test_state_can_be_cleared_on_success(airflow_home: Path) -> None:
    settings = {"AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS": "True"}
    with Standalone(airflow_home, {"keep.py": _DAG}, waits_for=["keep"], settings=settings) as running:
        run = running.trigger("keep")
        running.wait(run)
        for task_id, index in (("write", 0), ("count", -1), ("job", -1)):
            assert running.get(f"{run}/taskInstances/{task_id}/state-store", map_index=index)["total_entries"] == 0
