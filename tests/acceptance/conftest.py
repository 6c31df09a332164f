"""A project folder and the commands as a user types them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.processes import end_leftovers, of_home

_COMMANDS = Path(sys.executable).parent


class Project:
    """A project in a folder of its own, and the commands in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".astro" / "gnomon"
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "GNOMON")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        self.port = free_port()

    def __call__(self, *command: str, timeout: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command: the name of the program and its arguments."""
        program, *arguments = command
        return subprocess.run(
            [_COMMANDS / program, *arguments],
            cwd=self.root,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *command: str, **options: Any) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self(*command, **options)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, *command: str) -> Any:
        """Run a command with -o json and return what it printed."""
        return json.loads(self.ok(*command, "-o", "json"))

    def start(self, *options: str, **environ: str) -> str:
        """Start all processes."""
        return self.ok("gnomon", "dev", "start", "-n", "-p", str(self.port), *options, **environ)

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Start a command and leave it running; its output can be read."""
        program, *arguments = command
        return subprocess.Popen(
            [_COMMANDS / program, *arguments],
            cwd=self.root,
            env=self.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def parts(self) -> dict[str, dict[str, Any]]:
        """Return the processes, by name."""
        return {row["name"]: row for row in self.rows("gnomon", "dev", "ps")}

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def until(self, what: Callable[[], Any], seconds: float = 30) -> Any:
        """Return what `what` does once it is true; commands have no other way to wait than to ask again."""
        deadline = time.monotonic() + seconds
        while True:
            if found := what():
                return found
            assert time.monotonic() < deadline, f"not within {seconds} s; logs:\n{self.logs()}"
            time.sleep(0.1)

    def finished(self, dag_id: str, run_id: str | None = None) -> dict[str, Any] | None:
        """Return the newest run of a DAG, or the named one, if it is over."""
        done = self("airflow", "dags", "list-runs", dag_id, "-o", "json")
        runs = json.loads(done.stdout) if done.returncode == 0 else []
        found = [run for run in runs if run_id in (None, run["run_id"])]
        return found[0] if found and found[0]["state"] in ("success", "failed") else None

    def logs(self) -> str:
        """Return the logs of all processes."""
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.home.glob("logs/processes/*.log"))
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project() -> Iterator[Project]:
    """A new project; what runs in it is stopped at the end, and nothing may be left."""
    root = Path(tempfile.mkdtemp(prefix="gnp-", dir="/tmp"))
    project = Project(root)
    project.ok("gnomon", "dev", "init", "-n", "demo")
    try:
        yield project
        stopped = project("gnomon", "dev", "stop")
        left = end_leftovers(project.home)
    finally:
        for process in of_home(project.home):
            with contextlib.suppress(Exception):
                process.send_signal(signal.SIGKILL)
        shutil.rmtree(root, ignore_errors=True)
    assert stopped.returncode == 0, stopped.stderr
    assert not left, f"processes are left: {left}"
