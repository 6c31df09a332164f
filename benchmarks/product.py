"""The product, from outside: a project in a temporary folder, driven over REST, its database read for times."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from gnomon.service import clock
from tests.fixtures.processes import end_leftovers, of_home

GNOMON = Path(sys.executable).with_name("gnomon")
_LOOK_SECONDS = 0.02


class Failed(Exception):
    """The product did not do what the workload asked for; the message says what, and what the product said."""


class Product:
    """One project and what runs in it: a folder of DAG files, a home below it, a database."""

    def __init__(self, root: Path, url: str | None) -> None:
        self.root = root
        self.home = root / ".astro" / "gnomon"
        self.dags = root / "dags"
        self.url = url or f"sqlite:///{self.home}/airflow.db"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._database = Database(self.url)

    def init(self) -> None:
        """Make the folder a project, as `dev init` does, without its example DAGs."""
        self.run("dev", "init")
        for example in self.dags.glob("*.py"):
            example.unlink()

    def write(self, name: str, text: str) -> Path:
        """Write a DAG file, whole or not at all, and return its path."""
        path = self.dags / f"{name}.py"
        hidden = path.with_suffix(".tmp")
        hidden.write_text(text, encoding="utf-8")
        hidden.rename(path)
        return path

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands: settings of the product only, and nothing of whoever measures."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "GNOMON"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url}

    def spawn(self, *command: str) -> None:
        """Start a command of the product and return at once."""
        with (self.root / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [GNOMON, *command],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *command: str) -> str:
        """Run a command of the product to its end and return what it printed."""
        done = subprocess.run(
            [GNOMON, *command], cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"gnomon {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self) -> None:
        """Start all processes; they run when this returns."""
        self.run("dev", "start", "--no-browser", "--port", str(self.port))

    def stop(self) -> None:
        """End everything of this project; whatever the product leaves behind is an error."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=30)
        if self.home.exists():
            self.run("dev", "stop")
        left = end_leftovers(self.home)
        self._database.close()
        if left:
            raise Failed(f"these processes were left after the stop: {left}")

    # ---------------------------------------------------------------------------------------------------- driving

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Make a run over REST."""
        self._call("POST", f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None})

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause over REST."""
        self._call("PATCH", f"/dags/{dag_id}", {"is_paused": paused})

    def wait_listed(self, count: int, *, seconds: float = 60.0, pause: float = _LOOK_SECONDS) -> None:
        """Wait until so many DAGs are known."""
        self.until(f"{count} DAGs are listed", lambda: self.listed() >= count or None, seconds=seconds, pause=pause)

    def listed(self) -> int:
        """Return how many DAGs are known."""
        return int(self._database.one("SELECT count(*) FROM dag")[0])

    def wait_finished(self, dag_id: str, prefix: str, runs: int, *, seconds: float) -> int:
        """Wait until so many runs whose ids begin with `prefix` have succeeded; return when the last one ended, in µs."""
        sql = (
            "SELECT count(*), coalesce(sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0), max(end_date) FROM dag_run"
            f" WHERE dag_id = '{dag_id}' AND run_id LIKE '{prefix}%' AND state IN ('success', 'failed')"
        )

        def look() -> int | None:
            finished, failed, end = self._database.one(sql)
            if failed:
                raise Failed(f"a run of {dag_id} failed, its tasks are {self.tasks_of(dag_id)}; {self._last_words()}")
            return int(end) if finished >= runs else None

        ended: int = self.until(f"{runs} runs of {dag_id} finish", look, seconds=seconds)
        return ended

    def tasks_of(self, dag_id: str) -> dict[str | None, int]:
        """Return how many task instances of a DAG are in which state."""
        return dict(
            self._database.all(
                "SELECT ti.state, count(*) FROM task_instance ti JOIN dag_run r ON r.id = ti.dag_run_id"
                f" WHERE r.dag_id = '{dag_id}' GROUP BY ti.state"
            )
        )

    def until(self, what: str, look: Any, *, seconds: float, pause: float = _LOOK_SECONDS) -> Any:
        """Look again and again until `look` returns something."""
        deadline = clock.monotonic() + seconds
        while True:
            with contextlib.suppress(sqlite3.OperationalError, NotYet):
                found = look()
                if found is not None:
                    return found
            if self._process is not None and self._process.poll() not in (None, 0):
                raise Failed(f"the product ended while waiting until {what}; {self._last_words()}")
            if clock.monotonic() > deadline:
                raise Failed(f"{seconds:g} s passed while waiting until {what}; {self._last_words()}")
            time.sleep(pause)

    # ------------------------------------------------------------------------------------------------- its processes

    def processes(self) -> list[psutil.Process]:
        """Return all of its processes."""
        return of_home(self.home)

    def schedulers(self) -> list[psutil.Process]:
        """Return the scheduler's process, as the table of jobs names it."""
        rows = self._database.all("SELECT pid FROM job WHERE job_type LIKE 'Scheduler%' AND state = 'running'")
        found = []
        for (pid,) in rows:
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    def _last_words(self) -> str:
        lines = []
        for path in (self.root / "output.log", *sorted((self.home / "logs" / "processes").glob("*.log"))):
            with contextlib.suppress(OSError):
                found = path.read_text(encoding="utf-8", errors="replace").splitlines()
                lines += [f"{path.name}: {line}" for line in found[-5:]]
        return "its last words:\n" + "\n".join(lines)


class NotYet(Exception):
    """The database is not there yet."""


class Database:
    """Reads the product's database, without its help."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    def one(self, sql: str) -> tuple[Any, ...]:
        """Return the only row."""
        return self.all(sql)[0]

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows."""
        if self._url.startswith("sqlite"):
            return self._sqlite(sql)
        import psycopg

        if self._connection is None:
            self._connection = psycopg.connect(self._url.replace("+psycopg", ""), autocommit=True)
        try:
            rows: list[tuple[Any, ...]] = self._connection.execute(sql.replace("%", "%%")).fetchall()
        except psycopg.errors.UndefinedTable:
            raise NotYet from None
        return rows

    def _sqlite(self, sql: str) -> list[tuple[Any, ...]]:
        path = Path(self._url.removeprefix("sqlite:///"))
        if self._connection is None:
            if not path.exists():
                raise NotYet
            self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def installation(url: str | None) -> Iterator[Product]:
    """Yield a project in an empty folder, stopped and removed at the end; without a URL it has a SQLite file."""
    root = Path(tempfile.mkdtemp(prefix="gnb-", dir="/tmp"))
    product = Product(root, url)
    try:
        yield product
    finally:
        try:
            product.stop()
        finally:
            shutil.rmtree(root, ignore_errors=True)


def pss_mb(processes: list[psutil.Process]) -> float:
    """Return the memory of processes, shared pages counted once."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the processor time that processes have used."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
