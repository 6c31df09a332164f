"""Dynamic mapping, setups and teardowns with real processes: the tasks check what they see themselves."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

_DAGS = Path(__file__).with_name("dags") / "mapping_dag.py"


@pytest.fixture
def states(project):
    shutil.copy(_DAGS, project.root / "dags")

    def run(dag_id):
        done = project("gnomon", "run", dag_id, "--json", timeout=100)
        found = json.loads(done.stdout)
        by_task = defaultdict(list)
        for one in sorted(found["tasks"], key=lambda one: one["map_index"]):
            by_task[one["task_id"]].append(one["state"])
        return found, by_task

    return run


def test_all_ways_to_expand(states):
    found, by_task = states("mapping")

    errors = [(one["task_id"], one["error"]) for one in found["tasks"] if one["state"] == "failed"]
    assert (found["state"], errors) == ("success", [])
    assert by_task["none"] == ["skipped"]
    assert by_task["some"] == ["success", "skipped", "success"]
    assert by_task["chosen.odd"] == ["success", "skipped", "success"]
    assert by_task["chosen.even"] == ["skipped", "success", "skipped"]
    assert by_task["circuit.large"] == ["skipped", "success"]
    assert by_task["steps.last"] == ["success"] * 3
    assert (len(by_task["rows.columns.multiply"]), len(by_task["rows.row_sum"])) == (6, 2)
    assert by_task["waits"] == ["success"] * 2


def test_what_was_set_up_is_torn_down(states):
    found, by_task = states("setups")

    assert found["state"] == "failed"
    assert {name: state for name, (state,) in by_task.items()} == {
        "create": "success",
        "work": "failed",
        "skipped_too": "upstream_failed",
        "delete": "success",
        "prepared.make": "success",
        "prepared.use": "success",
        "prepared.drop": "failed",
        "after_group": "success",
    }
