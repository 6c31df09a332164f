"""The Databricks provider on a stand-in: Databricks itself is outside this machine."""

from __future__ import annotations

import pytest

from tests.compat.servers.lakehouse import Lakehouse
from tests.compat.servers.web import running


@pytest.fixture(scope="module")
def bricks(deployment):
    with running(Lakehouse()) as server:
        deployment.connection(
            "bricks", "databricks", host="127.0.0.1", port=server.port, schema="http", password="dapi-token"
        )
        deployment.add("databricks.py")
        yield server


def test_runs_that_are_waited_for_and_runs_that_defer(deployment, bricks):
    run = deployment.run("databricks")
    failed = {name for name, state in run.states.items() if state != "success"}
    assert failed == {"fails", "deferred_fails"}, run.why()
    assert run.xcom("hook") == {"jobs": ["nightly"], "tested": [True, "Connection successfully tested"]}
    assert run.xcom("submit", key="run_page_url").startswith("https://bricks.example.com/")
    now = [body for body in bricks.asked("/api/2.1/jobs/run-now") + bricks.asked("/api/2.2/jobs/run-now") if body]
    assert {"day": "databricks"} in [body.get("notebook_params") for body in now]
    assert "the notebook failed" in run.log("fails")


def test_a_group_of_tasks_becomes_a_job(deployment, bricks):
    run = deployment.run("databricks_workflow")
    assert run.states == {"workflow.launch": "success", "workflow.first": "success", "workflow.second": "success"}, (
        run.why()
    )
