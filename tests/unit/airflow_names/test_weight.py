"""What an import costs: templates are forked by the hundred, so the base must stay small."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("jinja2", "jsonschema", "sqlalchemy", "fastapi", "requests", "cryptography", "pendulum", "pydantic", "croniter",
         "msgspec", "asyncio", "yaml")  # fmt: skip


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["gnomon.sdk", "airflow", "airflow.sdk"])
def test_importing_brings_nothing_heavy(module):
    loaded = python(f"import sys, {module}; print(*sys.modules)")

    assert [name for name in HEAVY if name in loaded] == []


def test_an_empty_dag_brings_nothing_heavy_and_stays_under_30_megabytes():
    *loaded, kilobytes = python(
        "import sys\nfrom airflow import DAG\nwith DAG('d'): pass\n"
        "rss = next(line for line in open('/proc/self/status') if line.startswith('VmRSS'))\n"
        "print(*sys.modules, rss.split()[1])"
    )

    assert [name for name in HEAVY if name in loaded] == []
    assert int(kilobytes) < 30_000


def test_tasks_without_templates_need_no_jinja():
    loaded = python(
        "import sys\nfrom airflow.sdk import DAG, task, task_group, chain, Label\n"
        "from airflow.providers.standard.operators.python import PythonOperator\n"
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        "with DAG('d', schedule='@daily'):\n"
        "    a = PythonOperator(task_id='a', python_callable=print)\n"
        "    a >> BashOperator(task_id='b', bash_command='true')\n"
        "print(*sys.modules)"
    )

    assert [name for name in HEAVY if name in loaded and name != "pendulum"] == []


def test_nothing_in_gnomon_imports_airflow():
    loaded = python(
        "import sys, gnomon.sdk.taskflow, gnomon.sdk.mapping, gnomon.sdk.standard.python; print(*sys.modules)"
    )

    assert "airflow" not in loaded
