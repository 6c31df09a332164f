"""`airflow dags report` and `dags reserialize`: real files, read by a real parser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.cli.errors import CommandError
from gnomon.cli.programs import airflow_group
from gnomon.store import engine

Airflow = Callable[..., str]


@pytest.fixture
def airflow(airflow_home: Path, capsys: pytest.CaptureFixture[str]) -> Airflow:
    """One file with two DAGs that have to do with each other, one that cannot be imported."""
    (airflow_home / "dags").mkdir()
    (airflow_home / "dags/good.py").write_text(
        "from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator\n"
        "from airflow.providers.standard.sensors.external_task import ExternalTaskSensor\n"
        "from airflow.sdk import DAG\n"
        "with DAG('b'):\n    TriggerDagRunOperator(task_id='go', trigger_dag_id='a')\n"
        "with DAG('a'):\n"
        "    ExternalTaskSensor(task_id='wait', external_dag_id='b')\n"
        "    TriggerDagRunOperator.partial(task_id='each', trigger_dag_id='c').expand(conf=[{}, {}])\n"
    )
    (airflow_home / "dags/bad.py").write_text("# airflow dag\nraise ValueError('no')\n")

    def call(*arguments: str) -> str:
        airflow_group.main(list(arguments), prog_name="airflow", standalone_mode=False)
        return capsys.readouterr().out

    return call


def test_report_tells_what_each_file_defines_and_how_long_it_took(airflow: Airflow) -> None:
    rows = {row["file"]: row for row in json.loads(airflow("dags", "report", "-o", "json"))}
    assert rows["bad.py"] | {"duration": ""} == {
        "file": "bad.py",
        "duration": "",
        "dag_num": "0",
        "task_num": "0",
        "dags": [],
    }
    assert (rows["good.py"]["dag_num"], rows["good.py"]["task_num"], rows["good.py"]["dags"]) == ("2", "3", ["a", "b"])
    assert rows["good.py"]["duration"].startswith("0:00:")
    with engine.open_store() as store:
        assert store.dags.all() == []


def test_reserialize_stores_what_all_files_define_though_none_has_changed(airflow: Airflow) -> None:
    assert airflow("dags", "reserialize") == "Read 2 files of dags-folder.\n"
    with engine.open_store() as store:
        assert [dag.dag_id for dag in store.dags.all()] == ["a", "b"]
        assert [path for _, path, _ in store.dags.import_errors()] == ["bad.py"]
        before = {file.relative_path: file.last_parsed for file in store.dags.files()}
        version = store.dags.latest_version("a")
        airflow("dags", "reserialize", "--bundle-name", "dags-folder")
        assert all(file.last_parsed > before[file.relative_path] for file in store.dags.files())
        assert store.dags.latest_version("a") == version
    said = airflow("dags", "show-dependencies")
    for edge in ('"dag:b" -> "trigger:b.go"', '"sensor:a.wait" -> "dag:a"', '"trigger:a.each" -> "dag:c"'):
        assert edge in said
    with pytest.raises(CommandError, match="there is no bundle 'dags-floder'; did you mean dags-folder"):
        airflow("dags", "reserialize", "-B", "dags-floder")
