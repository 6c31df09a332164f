"""`airflow assets`, on the database of AIRFLOW_HOME."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli.errors import CommandError
from gnomon.cli.programs import airflow_group
from gnomon.service import clock
from gnomon.store import engine
from gnomon.store.engine import Store
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.fixtures.api_data import add_dag

Airflow = Callable[..., Any]


@pytest.fixture
def store(airflow_home: Path) -> Iterator[Store]:
    """A DAG that makes two assets, and one that makes the second as well."""
    engine.migrate()
    leaf = {"asset": {"name": "leaf", "uri": "s3://leaf", "group": "g", "extra": {"n": 1}}}
    cup = {"asset": {"name": "cup", "uri": "cup", "group": "asset", "extra": {}}}
    with engine.open_store() as store:
        for dag_id, outlets in (("pick", [leaf, cup, {"alias": "scent"}]), ("wash", [cup])):
            task = SerializedTask(task_id="t", outlets=outlets)
            add_dag(store, SerializedDag(dag_id=dag_id, tasks=[task], timetable=TimetableSpec(kind="null")))
        yield store


@pytest.fixture
def airflow(store: Store, capsys: pytest.CaptureFixture[str]) -> Airflow:
    def run(*arguments: str) -> Any:
        capsys.readouterr()
        airflow_group.main(["assets", *arguments, "-o", "json"], prog_name="airflow", standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return run


def test_list(airflow: Airflow) -> None:
    assert airflow("list") == [
        {"name": "cup", "uri": "cup", "group": "asset", "extra": {}},
        {"name": "leaf", "uri": "s3://leaf", "group": "g", "extra": {"n": "1"}},
    ]
    assert airflow("list", "--columns", "uri") == [{"uri": "cup"}, {"uri": "s3://leaf"}]
    assert airflow("list", "--alias") == [{"name": "scent", "group": "asset"}]
    with pytest.raises(CommandError, match="there is no field colour"):
        airflow("list", "--columns", "name,colour")


def test_details(airflow: Airflow, store: Store) -> None:
    store.assets.emit(store.assets.find(name="leaf")[0]["id"], clock.now())

    (leaf,) = airflow("details", "--uri", "s3://leaf")
    assert (leaf["name"], leaf["producing_tasks"][0]["dag_id"]) == ("leaf", "pick")
    (alias,) = airflow("details", "--alias", "--name", "scent")
    assert alias["name"] == "scent"
    for arguments, message in (
        (["--name", "none"], "does not exist"),
        ([], "--name or --uri"),
        (["--alias", "--name", "none"], "does not exist"),
        (["--alias"], "needs --name"),
    ):
        with pytest.raises(CommandError, match=message):
            airflow("details", *arguments)


def test_materialize(airflow: Airflow, store: Store) -> None:
    (run,) = airflow("materialize", "--name", "leaf")

    assert (run["dag_id"], run["run_type"], run["triggered_by"]) == ("pick", "asset_materialization", "cli")
    assert store.runs.by_run_id("pick", run["dag_run_id"]) is not None
    with pytest.raises(CommandError, match="More than one DAG"):
        airflow("materialize", "--name", "cup")
    with pytest.raises(CommandError, match="does not exist"):
        airflow("materialize", "--name", "none")


def test_partitions_are_taken_away_from_runs(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    date = datetime(2026, 2, 3, tzinfo=UTC)
    where = {"now": clock.now(), "run_after": clock.now(), "partition_key": "k", "partition_date": date}
    store.runs.create("pick", "r1", **where)

    def clear(*arguments: str) -> str:
        command = ["partitions", "clear", "-d", "pick", *arguments]
        airflow_group.main(command, prog_name="airflow", standalone_mode=False)
        return capsys.readouterr().out

    assert "No matching" in clear("-k", "other")
    shown = clear("--date", "2026-02-01~2026-02-05", "--dry-run")
    assert shown == "DagRun r1: partition_key='k' -> None, partition_date=2026-02-03T00:00:00+00:00 -> None\n"
    clear("-s", "2026-02-03", "--clear-task-instances")
    assert "already cleared" in clear("--run-id", "r1")
    for arguments in ([], ["--run-id", "r1", "-k", "k"], ["--date", "x"], ["-s", "2026-02-03", "-e", "2026-01-01"]):
        with pytest.raises(CommandError):
            clear(*arguments)
