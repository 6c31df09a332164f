"""An XCom backend of the user's own, with all processes: what it keeps elsewhere, finds again and purges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.standalone import Standalone

_BACKEND = """
import json, os, uuid
from airflow.sdk.bases.xcom import BaseXCom

FOLDER = os.path.join(os.environ["AIRFLOW_HOME"], "kept")

class Files(BaseXCom):
    PREFIX = "kept://"

    @staticmethod
    def serialize_value(value, *, key=None, task_id=None, dag_id=None, run_id=None, map_index=None):
        if isinstance(value, (list, dict)):
            os.makedirs(FOLDER, exist_ok=True)
            name = f"{dag_id}.{task_id}.{map_index}.{key}.{uuid.uuid4().hex[:6]}"
            with open(os.path.join(FOLDER, name), "w") as file:
                json.dump(value, file)
            value = Files.PREFIX + name
        return BaseXCom.serialize_value(value)

    @staticmethod
    def deserialize_value(result):
        value = BaseXCom.deserialize_value(result)
        if isinstance(value, str) and value.startswith(Files.PREFIX):
            with open(os.path.join(FOLDER, value.removeprefix(Files.PREFIX))) as file:
                return json.load(file)
        return value

    @staticmethod
    def purge(xcom, session=None):
        value = BaseXCom.deserialize_value(xcom)
        if isinstance(value, str) and value.startswith(Files.PREFIX):
            os.remove(os.path.join(FOLDER, value.removeprefix(Files.PREFIX)))
"""
_DAG = """
from airflow.sdk import DAG, XComArg, task
from airflow.sdk.execution_time.xcom import XCom

with DAG("pushing", schedule=None, is_paused_upon_creation=False):
    @task(retries=1, retry_delay=0)
    def push(ti=None):
        ti.xcom_push("extra", [ti.try_number])
        if ti.try_number == 1:
            raise RuntimeError("once more")
        XCom.set(key="by_class", value={"k": 1}, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id)
        return [1, 2]

    @task(multiple_outputs=True)
    def several():
        return {"a": [1], "b": 2}

    @task
    def double(n):
        return [n * 2]

    @task
    def pull(doubled, a, ti=None):
        return {
            "doubled": sorted(list(doubled)),
            "a": a,
            "extra": ti.xcom_pull(task_ids="push", key="extra"),
            "by_class": ti.xcom_pull(task_ids="push", key="by_class"),
            "both": list(ti.xcom_pull(task_ids=["push", "several"])),
            "class": type(ti).__name__ and XCom.__name__,
        }

    pull(double.expand(n=push()), several()["a"])
"""
_RETURNS = """
from airflow.sdk import DAG, task

with DAG("returns", schedule=None, is_paused_upon_creation=False):
    @task
    def one():
        return 1
    one()
"""


@pytest.fixture
def running(airflow_home: Path) -> Iterator[Standalone]:
    plugins = airflow_home / "plugins"
    plugins.mkdir()
    (plugins / "kept_elsewhere.py").write_text(_BACKEND)
    settings = {"AIRFLOW__CORE__XCOM_BACKEND": "kept_elsewhere.Files"}
    with Standalone(airflow_home, {"pushing.py": _DAG}, waits_for=["pushing"], settings=settings) as running:
        yield running


def test_values_are_kept_elsewhere_and_found_again(running: Standalone) -> None:
    run = running.trigger("pushing")
    assert running.wait(run)["state"] == "success", running.states(run)

    stored = running.get(f"{run}/taskInstances/pull/xcomEntries/return_value")["value"]
    assert stored.startswith("kept://pushing.pull.-1.return_value.")
    kept = running.home / "kept"
    assert json.loads((kept / stored.removeprefix("kept://")).read_text()) == {
        "doubled": [[2], [4]],
        "a": [1],
        "extra": [2],
        "by_class": {"k": 1},
        "both": [[1, 2], {"a": [1], "b": 2}],
        "class": "Files",
    }
    # What the first try had pushed was purged when the second began.
    assert sum(1 for file in kept.iterdir() if file.name.startswith("pushing.push.-1.extra")) == 1


def test_a_backend_that_cannot_be_imported_is_named(airflow_home: Path) -> None:
    settings = {"AIRFLOW__CORE__XCOM_BACKEND": "nowhere.Files"}
    with Standalone(airflow_home, {"returns.py": _RETURNS}, waits_for=["returns"], settings=settings) as running:
        run = running.trigger("returns")
        assert running.wait(run)["state"] == "failed"
        (line,) = [
            line for line in running.log_of(run, "one").splitlines() if "xcom_backend" in line and "nowhere" in line
        ]
        assert "Traceback" not in line
