"""Runs a DAG that needs a connection and variables which only a secrets backend has."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.compat.environments import Environment

CONNECTION = "postgres://ada:s3cr3t@db.example.com:5432/trains"
VARIABLES = {"station": "Altona", "settings": json.dumps({"lines": [1, 3]})}


def a_run(environment: Environment, home: Path, backend: str, arguments: Mapping[str, Any], **environ: str) -> None:
    """Run the DAG of dags/secrets_elsewhere.py with a backend; it finds all, and the password is masked."""
    (home / "dags").mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("dags") / "secrets_elsewhere.py", home / "dags")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(arguments),
    }
    done = subprocess.run(
        [environment.path / "bin/gnomon", "run", "secrets_elsewhere", "-v"],
        env=environment.environ(**settings, **environ),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the password is ***" in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr
