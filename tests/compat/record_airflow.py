"""Records how the example DAGs end in real Apache Airflow: `python -m tests.compat.record_airflow [3|2-on-3|2]`.

Starts Airflow's scheduler, DAG processor, triggerer and web server from an environment of their own, with a home and a
PostgreSQL of their own, all on loopback; runs the scenarios of tests/compat/examples/plan.py through the REST API, and
writes tests/compat/examples/recorded-*.json. Takes about twenty minutes on two cores.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.compat.environments import Environment, airflow_environment
from tests.compat.examples import plan
from tests.compat.examples.driving import Api, run_all
from tests.compat.ports import free_port
from tests.fixtures.postgresql_server import running_postgresql

_DRIVERS = ("psycopg2-binary", "asyncpg", "virtualenv", "dill", "pandas")
_CREATE_USER = [
    "users",
    "create",
    "--username",
    "u",
    "--password",
    "p",
    "--role",
    "Admin",
    "--firstname",
    "u",
    "--lastname",
    "u",
    "--email",
    "u@localhost",
]


_SETTINGS_OF_2 = {
    "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
    "AIRFLOW__SCHEDULER__STANDALONE_DAG_PROCESSOR": "True",
    "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
    "AIRFLOW__WEBSERVER__SECRET_KEY": "of a recording",
}


@contextmanager
def running_airflow(
    collection: plan.Collection, environment: Environment | None = None, **settings: str
) -> Iterator[Api]:
    """Start all parts of a real Airflow with the DAGs of a collection, and end them with the block.

    Args:
        collection: Which DAGs, and which Airflow.
        environment: Another environment than that with this Airflow and what its examples need.
        settings: Further environment variables of its processes.
    """
    environment = environment or airflow_environment(collection.airflow, _DRIVERS)
    home = Path(tempfile.mkdtemp(prefix="gnomon-compat-", dir="/var/tmp"))
    processes: list[subprocess.Popen[bytes]] = []
    with running_postgresql() as server:
        database = server.create()
        port = free_port()
        environ = environment.environ(**_settings(home, server.port, database, port, collection), **settings)
        try:
            collection.fill(home)
            _run(environment, environ, "db", "migrate")
            _run(environment, environ, "connections", "create-default-connections")
            parts = ["scheduler", "dag-processor", "triggerer"]
            if collection.profile == 2:
                _run(environment, environ, *_CREATE_USER)
                parts.append("webserver --workers 1")
            else:
                parts.append("api-server --workers 1")
            for part in parts:
                log = (home / f"{part.split()[0]}.out").open("wb")
                command = [str(environment.path / "bin/airflow"), *part.split()]
                processes.append(
                    subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=home, start_new_session=True)
                )
            with closing(_api(port, home, collection.profile)) as api:
                yield api
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
            shutil.rmtree(home, ignore_errors=True)


def _settings(home: Path, server: int, database: str, port: int, collection: plan.Collection) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://postgres@127.0.0.1:{server}/{database}",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "12",
        "AIRFLOW__CORE__LOAD_EXAMPLES": str(collection.bundled),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of a recording",
        "AIRFLOW__API__SECRET_KEY": "of a recording",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "100",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1",
    } | (_SETTINGS_OF_2 if collection.profile == 2 else {})


def _api(port: int, home: Path, profile: int) -> Api:
    base = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 180
    while True:
        try:
            if profile == 2:
                httpx.get(f"{base}/api/v1/health").raise_for_status()
                return Api(base, {"Authorization": f"Basic {base64.b64encode(b'u:p').decode()}"}, version="v1")
            token = httpx.get(f"{base}/auth/token").raise_for_status().json()["access_token"]
            return Api(base, {"Authorization": f"Bearer {token}"})
        except (httpx.HTTPError, KeyError, ValueError):
            if time.monotonic() > deadline:
                server = home / ("webserver.out" if profile == 2 else "api-server.out")
                raise RuntimeError(server.read_text()[-3000:]) from None
            time.sleep(1)


def _run(environment: Environment, environ: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        [environment.path / "bin/airflow", *command], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"airflow {' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def record(collection: plan.Collection, only: set[str]) -> None:
    """Run a collection's scenarios and write what was seen."""
    with running_airflow(collection) as api:
        known = _wait_for_dags(api) & _dag_ids_of(api, collection)
        scenarios = [s for s in collection.scenarios(known) if not only or only & set(s.dags)]
        outcomes = run_all(api, scenarios, at_once=6, settle=12, patience=270)
        errors = sorted(Path(name).name for name in api.import_errors())
    old = collection.recorded() if only and collection.recording.exists() else {"dags": {}}
    recorded = {
        "airflow": collection.airflow,
        "weekday": time.strftime("%A", time.gmtime()),
        "dag_ids": sorted(known),
        "import_errors": errors,
        "dags": dict(sorted((old["dags"] | outcomes).items())),
    }
    collection.recording.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{collection.recording.name}: {len(outcomes)} DAGs")


def _wait_for_dags(api: Api) -> set[str]:
    """Wait until the DAG processor has found nothing new for a while."""
    known: set[str] = set()
    since = time.monotonic()
    while time.monotonic() - since < 25 or not known:
        now = api.dag_ids()
        if now != known:
            known, since = now, time.monotonic()
        time.sleep(1)
    return known


def _dag_ids_of(api: Api, collection: plan.Collection) -> set[str]:
    """Return the DAGs of the collection's files: other providers of the environment bring examples of their own."""
    files = {Path(path).name for path in collection.files()}
    return {row["dag_id"] for row in api.all("/dags", "dags") if Path(row["fileloc"]).name in files}


if __name__ == "__main__":
    name, *dag_ids = sys.argv[1:] or ["3"]
    record(plan.COLLECTIONS[name], set(dag_ids))
