"""What a command without a dag-processor asks user code, whose DAG file asks for variables in turn."""

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


def test_a_policy_is_asked_about_a_task_whose_file_uses_variables(airflow_home: Path) -> None:
    for folder, name, text in (("dags", "d.py", _DAG), ("config", "airflow_local_settings.py", _POLICY)):
        (airflow_home / folder).mkdir()
        (airflow_home / folder / name).write_text(text)

    done = subprocess.run(
        [*_GNOMON, "run", "d", "--json"],
        cwd=airflow_home,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"][0]["state"] == "success"
