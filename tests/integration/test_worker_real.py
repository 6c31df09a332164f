"""The worker's processes with the real SDK and runner, against a scheduler that a test drives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.wire import execution as wire
from tests.integration.worker_parts.site import Site, eventually

_DAG = """
import subprocess
from airflow.sdk import DAG, task
from airflow.operators.bash import BashOperator
with DAG("d", schedule=None):
    @task
    def add(): return 1 + 1
    @task
    def fail(): raise ValueError("broken on purpose")
    @task
    def secret():
        from airflow.sdk.log import mask_secret
        mask_secret("geheim-123")
        print("geheim-123")
        subprocess.run(["echo", "raw geheim-123"], check=True)
    add(), fail(), secret()
    BashOperator(task_id="bash", bash_command="echo from bash; exit 0")
    BashOperator(task_id="endless", bash_command="echo started; sleep 1000")
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A worker with a DAG file of Airflow's words, and its scheduler."""
    site = Site(tmp_path, usercode="gnomon.worker.usercode")
    site.write(_DAG)
    site.start()
    site.scheduler.accept()
    yield site
    site.close()


@pytest.mark.parametrize("isolation", ["fork", "reuse"])
def test_tasks_run_and_report(site: Site, isolation: str) -> None:
    outcomes = {name: site.scheduler.run(site.workload(name, isolation=isolation)) for name in ("add", "fail", "bash")}

    added = outcomes["add"]
    assert (added.state, [(x.key, x.value) for x in added.xcoms]) == ("success", [("return_value", b"2")])
    assert outcomes["bash"].state == "success"
    assert outcomes["fail"].state == "failed"
    assert "broken on purpose" in str(outcomes["fail"].error)
    log = site.log(site.workload("fail"))
    assert any(entry.get("error_detail") for entry in log)


def test_a_masked_value_is_hidden_in_raw_output(site: Site) -> None:
    workload = site.workload("secret")
    assert site.scheduler.run(workload).state == "success"
    eventually(lambda: "raw ***" in site.events(workload))
    assert not any("geheim" in event for event in site.events(workload))


def test_terminate_ends_bash_and_the_try(site: Site) -> None:
    workload = site.workload("endless")
    site.scheduler.send(workload)
    site.scheduler.proceed(workload.key)
    eventually(lambda: "started" in site.events(workload))
    site.scheduler.send(wire.Terminate(key=workload.key, reason="somebody cleared it"))
    asked = site.scheduler.take(wire.Forward, workload.key)
    assert type(asked.body) is wire.GetTaskStates  # it wants to know whether its failure callbacks are wanted
    states = wire.Found(b'{"r": {"endless": "running"}}')
    site.scheduler.send(wire.Answer(n=asked.n, key=asked.key, body=states))
    assert site.scheduler.settle(workload.key).state == "failed"
