"""dbt with DuckDB: in a Bash task, and through Cosmos as a DAG and as a group of tasks."""

from __future__ import annotations

import subprocess

import pytest


@pytest.fixture(scope="module")
def trains(deployment):
    deployment.connection("duck", "duckdb")
    deployment.add("dbt.py", "trains")
    deployment.add("dbt_virtualenv.py")
    return deployment


@pytest.fixture
def lines(trains, dbt):
    """Returns what a database has in the table that is built last."""

    def read(name):
        script = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('from lines').fetchall())"
        file = trains.home / f"{name}.duckdb"
        done = subprocess.run([dbt.python, "-c", script, file], capture_output=True, text=True, check=True)
        return sorted(eval(done.stdout))

    return read


EXPECTED = [("S1", 120), ("S11", 120), ("S3", 60)]


def test_a_bash_task_builds_it(trains, lines):
    run = trains.run("dbt_bash", seconds=240)
    assert run.state == "success", run.why()
    assert "PASS=6" in run.log("build")
    assert lines("bash") == EXPECTED


def test_cosmos_makes_a_dag_of_it(trains, lines):
    run = trains.run("dbt_dag", seconds=400)
    assert run.states == {
        "stations_seed": "success",
        "stg_stations.run": "success",
        "stg_stations.test": "success",
        "lines.run": "success",
        "lines.test": "success",
    }, run.why()
    assert lines("dag") == EXPECTED


def test_cosmos_makes_a_group_of_tasks_of_it_with_a_profile_from_a_connection(trains, lines):
    run = trains.run("dbt_group", seconds=400)
    assert run.state == "success", run.why()
    made = {name.removeprefix("transform.") for name in run.states} - {"before", "after"}
    assert made == {"stations_seed", "stg_stations_run", "lines_run", "trains_test"}
    assert run.xcom("after") == "ready and done"
    assert lines("group") == EXPECTED


def test_cosmos_makes_a_virtual_environment_for_it(trains):
    run = trains.run("dbt_virtualenv", seconds=400)
    assert run.states == {
        "stations_seed": "success",
        "stg_stations.run": "success",
        "stg_stations.test": "success",
    }, run.why()
    assert (trains.home / "dbt-environment/bin/dbt").exists()
