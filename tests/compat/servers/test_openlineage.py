"""The OpenLineage provider tells of runs and tasks what it tells in a real Airflow."""

from __future__ import annotations

import json
import time

import pytest

from tests.compat.results import Results
from tests.compat.servers import lineage
from tests.compat.servers.deployment import running_deployment


@pytest.fixture(scope="module")
def told(providers, postgres_database, tmp_path_factory):
    """The file of the events of a deployment of its own: every task costs two more processes."""
    port, database = postgres_database
    file = tmp_path_factory.mktemp("openlineage") / "events.jsonl"
    warehouse = f"postgres://postgres:secret@127.0.0.1:{port}/{database}"
    with running_deployment(providers, **lineage.transport(file), AIRFLOW_CONN_WAREHOUSE=warehouse) as deployment:
        deployment.add("lineage.py")
        run = deployment.run("lineage", {"day": "Tuesday"}, run_id="compat", logical_date=lineage.LOGICAL_DATE)
        failed = {name for name, state in run.states.items() if state != "success"}
        assert failed == {"fails", "skips"}, run.why()
        deadline = time.monotonic() + 60
        while not lineage.whole(file):
            assert time.monotonic() < deadline, file.read_text()
            time.sleep(0.1)
        yield file, run


def test_events_of_runs_and_tasks_are_those_of_airflow(told):
    file, _ = told
    recorded, seen = json.loads(lineage.RECORDED.read_text()), lineage.events_of(file)
    found = [(*one, lineage.explanation(one[1])) for one in lineage.differences(recorded, seen)]
    places = sorted({(place, why) for _, place, _, _, why in found if place and why})
    results = Results("servers")
    results.figure("Events of OpenLineage compared with those of Airflow 3.3.2", len(recorded))
    results.table("Places in events of OpenLineage that differ", ["place", "why"], places)

    assert [one for one in found if one[-1] is None] == []
    assert len(seen) == len(recorded) == 37


def test_templates_and_triggered_runs_know_of_it(told):
    file, run = told
    events = lineage.events_of(file)
    [line] = [line for line in run.log("bash").splitlines() if line.startswith("info trains ")]
    assert line.split()[-1] == events["lineage.bash START 1"]["run"]["runId"]
    parent = events["lineage_child START 1"]["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == events["lineage.waiting.trigger START 1"]["run"]["runId"]
    assert parent["root"]["job"]["name"] == "lineage"
