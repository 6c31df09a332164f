"""The REST API of a running Gnomon: a run that is triggered over HTTP is done by the engine, and all of it is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

_DAG = """
from datetime import datetime
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False)
def tea():
    @task
    def boil():
        print("it is hot")
        return 100

    @task
    def pour(cup, degrees):
        return cup * degrees

    @task
    def drink(cups):
        return sum(cups)

    drink(pour.partial(degrees=boil()).expand(cup=[1, 2]))

tea()
"""
#: Generous: the machine may be doing other things.
_SECONDS = 60.0


@pytest.fixture
def running(airflow_home: Path) -> Iterator[httpx.Client]:
    """A client of a Gnomon with one DAG."""
    folder = airflow_home / "dags"
    folder.mkdir()
    (folder / "tea.py").write_text(_DAG)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    command = [str(Path(sys.executable).parent / "gnomon"), "standalone", "--port", str(port)]
    log = airflow_home / "standalone.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=_SECONDS) as client:
            _until_listed(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _until_listed(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/dags/tea").status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.05)  # nothing outside tells when the first DAG is listed
    pytest.fail(f"the DAG was not listed: {log.read_text()}")


def wait(client: httpx.Client, run: str, **params: Any) -> dict[str, Any]:
    with client.stream("GET", f"{run}/wait", params={"interval": 0.05, **params}) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    last: dict[str, Any] = lines[-1]
    return last


def states(client: httpx.Client, run: str) -> list[tuple[str, int, int, str]]:
    rows = client.get(f"{run}/taskInstances", params={"order_by": "id"}).json()["task_instances"]
    return sorted((row["task_id"], row["map_index"], row["try_number"], row["state"]) for row in rows)


def test_a_run_from_trigger_to_clear(running: httpx.Client) -> None:
    answer = running.post("/dags/tea/dagRuns", json={"logical_date": None, "dag_run_id": "first"})
    assert answer.status_code == 200, answer.text
    run = "/dags/tea/dagRuns/first"
    over = wait(running, run, result=["drink", "pour"])
    assert over == {"state": "success", "results": {"pour": [100, 200], "drink": 300}}
    assert states(running, run) == [
        ("boil", -1, 1, "success"),
        ("drink", -1, 1, "success"),
        ("pour", 0, 1, "success"),
        ("pour", 1, 1, "success"),
    ]
    log = running.get(f"{run}/taskInstances/boil/logs/1").json()
    assert "it is hot" in [line["event"] for line in log["content"]]
    assert log["continuation_token"] is None

    body = {"dry_run": False, "only_failed": False, "dag_run_id": "first", "task_ids": ["pour"]}
    cleared = running.post("/dags/tea/clearTaskInstances", json={**body, "include_downstream": True}).json()
    assert cleared["total_entries"] == 3
    assert wait(running, run)["state"] == "success"
    assert [row[2] for row in states(running, run)] == [1, 2, 2, 2]
    tries = running.get(f"{run}/taskInstances/pour/1/tries").json()["task_instances"]
    assert [(one["try_number"], one["state"]) for one in tries] == [(1, "success"), (2, "success")]

    assert running.delete(run).status_code == 204
    assert running.get(run).status_code == 404
