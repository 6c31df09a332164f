"""`gnomon run` of DAG files as people write them: policies, variables at the top, and pools of another installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_GNOMON = [sys.executable, "-c", "from gnomon.cli.main import main; main()"]
_DAG = """
from airflow.sdk import DAG, Variable
from airflow.providers.standard.operators.bash import BashOperator

print("this is no part of an answer")
Variable.set("greeting", "hello")
with DAG("d"):
    BashOperator(task_id="t", bash_command="echo " + Variable.get("greeting"), retries=2)
"""
_POLICY = """
def task_instance_mutation_hook(task_instance):
    task_instance.priority_weight = 7
"""


def run(home: Path) -> subprocess.CompletedProcess[str]:
    command = [*_GNOMON, "run", "d", "--json"]
    return subprocess.run(
        command, cwd=home, env=dict(os.environ), capture_output=True, text=True, timeout=100, check=False
    )


def test_a_policy_is_asked_about_a_task_whose_file_uses_variables(airflow_home: Path) -> None:
    for folder, name, text in (("dags", "d.py", _DAG), ("config", "airflow_local_settings.py", _POLICY)):
        (airflow_home / folder).mkdir()
        (airflow_home / folder / name).write_text(text)

    done = run(airflow_home)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"][0]["state"] == "success"


def test_a_run_here_waits_neither_for_a_pool_nor_for_a_queue_of_another_installation(airflow_home: Path) -> None:
    (airflow_home / "dags").mkdir()
    (airflow_home / "dags/d.py").write_text(_DAG.replace("retries=2", "pool='narrow', queue='far'"))

    done = run(airflow_home)

    assert done.returncode == 0, done.stderr
    assert "There is no pool 'narrow'; this run has one of 128 slots." in done.stderr
