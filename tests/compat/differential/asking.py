"""A real Airflow in a process of its own, which answers what it is asked."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.compat.environments import airflow_environment

_HERE = Path(__file__).parent


class RealAirflow:
    """Speaks JSON lines with `airflow_side`; the database of that process is gone with it."""

    def __init__(self) -> None:
        environment = airflow_environment("3.3.2")
        self._home = tempfile.TemporaryDirectory(prefix="airflow-")
        self._log = Path(self._home.name, "errors.log")
        settings = {
            "AIRFLOW_HOME": self._home.name,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home.name}/airflow.db",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
            "PYTHONPATH": str(_HERE),
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [environment.python, "-m", "airflow_side"],
                cwd=self._home.name,
                env=environment.environ(**settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def answer(self, subject: str, case: Any) -> Any:
        """Return what Airflow makes of a case."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"subject": subject, "case": case}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Airflow ended:\n{self._log.read_text()[-3000:]}")
        said = json.loads(line)
        if "failed" in said:
            raise RuntimeError(f"Airflow's side of {subject!r} failed:\n{said['failed']}")
        return said["answer"]

    def __enter__(self) -> RealAirflow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(30)
        self._home.cleanup()
