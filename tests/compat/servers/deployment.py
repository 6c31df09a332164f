"""All processes of Gnomon, in an environment with provider packages, driven as users do: by files and the REST API."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.compat.environments import Environment
from tests.compat.servers.processes import free_port
from tests.fixtures.processes import end_leftovers

_DAGS = Path(__file__).with_name("dags")
_OVER = ("success", "failed")
#: Far more than anything here takes on a machine with nothing else to do.
_PATIENCE_SECONDS = 120.0


class Finished:
    """A run that is over."""

    def __init__(self, api: httpx.Client, run: dict[str, Any]) -> None:
        self._api = api
        self._path = f"/dags/{run['dag_id']}/dagRuns/{urllib.parse.quote(run['dag_run_id'])}"
        self.state: str = run["state"]
        found = api.get(f"{self._path}/taskInstances", params={"limit": 200}).json()["task_instances"]
        self.instances: list[dict[str, Any]] = found

    @property
    def states(self) -> dict[str, str]:
        """The tasks' states; a mapped one's instances have their index behind the name."""
        return {
            ti["task_id"] + (f"[{ti['map_index']}]" if ti["map_index"] >= 0 else ""): ti["state"]
            for ti in self.instances
        }

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task pushed; tuples, decimals and the like as the plain values that they are kept as."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._api.get(path, params={"map_index": map_index, "stringify": False})
        assert answer.status_code == 200, answer.text
        return _plain(answer.json()["value"])

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the lines of a try's log."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{try_number}"
        answer = self._api.get(path, params={"map_index": map_index})
        assert answer.status_code == 200, answer.text
        return "\n".join(_line(entry) for entry in answer.json()["content"])

    def why(self) -> str:
        """Return the ends of the logs of what failed."""
        failed = [ti for ti in self.instances if ti["state"] == "failed"]
        logs = [
            f"── {ti['task_id']}\n" + self.log(ti["task_id"], ti["try_number"], ti["map_index"])[-6000:]
            for ti in failed
        ]
        return f"{self.state}: {self.states}\n" + "\n".join(logs)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return _plain(value["__data__"]) if "__classname__" in value else {k: _plain(v) for k, v in value.items()}
    return value


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    lines = [f"{entry.get('level', '')} {entry.get('event', '')}"]
    for error in entry.get("error_detail") or []:
        lines += [f"    {frame['filename']}:{frame['lineno']} {frame['name']}" for frame in error.get("frames") or []]
        lines += [f"    {error.get('exc_type')}: {error.get('exc_value')}"]
    return "\n".join(lines)


class Deployment:
    """What `gnomon standalone` started, in a home of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=30)
        self._numbers = itertools.count(1)

    def connection(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        """Add a connection; `extra` may be a dictionary."""
        if isinstance(fields.get("extra"), Mapping):
            fields["extra"] = json.dumps(fields["extra"])
        self._post("/connections", {"connection_id": conn_id, "conn_type": conn_type, **fields})

    def variable(self, key: str, value: Any) -> None:
        """Add a variable."""
        self._post("/variables", {"key": key, "value": value if isinstance(value, str) else json.dumps(value)})

    def add(self, name: str, *folders: str) -> None:
        """Put a file of `dags/`, and folders that it needs, among the deployment's DAG files; wait until it is parsed."""
        for needed in folders:
            shutil.copytree(_DAGS / needed, self.home / "dags" / needed, dirs_exist_ok=True)
        shutil.copy(_DAGS / name, self.home / "dags" / name)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            errors = self.api.get("/importErrors").json()["import_errors"]
            of_file = [error["stack_trace"] for error in errors if Path(error["filename"]).name == name]
            assert not of_file, of_file[0]
            dags = self.api.get("/dags", params={"limit": 100}).json()["dags"]
            if any(Path(dag["fileloc"]).name == name for dag in dags):
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} was not parsed; {self.processes_logs()}")

    def run(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        seconds: float = _PATIENCE_SECONDS,
        run_id: str | None = None,
        logical_date: str | None = None,
    ) -> Finished:
        """Run a DAG and return how it ended."""
        run_id = run_id or f"r{next(self._numbers)}"
        body = {"dag_run_id": run_id, "logical_date": logical_date, "conf": dict(conf or {})}
        self._post(f"/dags/{dag_id}/dagRuns", body)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = self.api.get(f"/dags/{dag_id}/dagRuns/{run_id}").json()
            if run["state"] in _OVER:
                return Finished(self.api, run)
            time.sleep(0.05)
        unfinished = Finished(self.api, run)
        logs = [
            f"── {ti['task_id']} {ti['state']}\n{unfinished.log(ti['task_id'])[-3000:]}"
            for ti in unfinished.instances
            if ti["state"] not in (None, "success") and ti["try_number"]
        ]
        raise AssertionError(f"{dag_id} was not over after {seconds} s: {unfinished.states}\n" + "\n".join(logs))

    def processes_logs(self) -> str:
        """Return the ends of the logs of all processes."""
        files = sorted(self.home.glob("logs/processes/*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in files)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self.api.post(path, json=body)
        assert answer.status_code in (200, 201), f"{path}: {answer.status_code} {answer.text}"


@contextlib.contextmanager
def running_deployment(environment: Environment, **environ: str) -> Iterator[Deployment]:
    """Start all processes and end them with the block."""
    home = Path(tempfile.mkdtemp(prefix="gns-", dir="/tmp"))
    (home / "dags").mkdir()
    port = free_port()
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    with (home / "standalone.out").open("wb") as output:
        process = subprocess.Popen(
            [environment.path / "bin/gnomon", "standalone", "--port", str(port)],
            env=environment.environ(**settings, **environ),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deployment = Deployment(home, port)
    try:
        with deployment.api:
            _wait_until_ready(deployment, process)
            yield deployment
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        left = end_leftovers(home)
        shutil.rmtree(home, ignore_errors=True)
    assert not left, f"processes are left: {left}"


def _wait_until_ready(deployment: Deployment, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    output = deployment.home / "standalone.out"
    while time.monotonic() < deadline and process.poll() is None and "ended (exit code" not in output.read_text():
        with contextlib.suppress(httpx.TransportError):
            health = deployment.api.get("/monitor/health").json()
            if all(part.get("status") == "healthy" for part in health.values()):
                token = deployment.api.get(f"http://127.0.0.1:{deployment.port}/auth/token").json()["access_token"]
                deployment.api.headers["Authorization"] = f"Bearer {token}"
                return
        time.sleep(0.05)
    raise AssertionError(f"the deployment is not up:\n{output.read_text()}\n{deployment.processes_logs()}")
