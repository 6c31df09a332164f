"""SIGKILL at random moments: every run still ends as it would have, no try runs twice, nothing is stuck.

The kills hit the scheduler, the worker, a task, the dag-processor and the triggerer while about 300 task instances run,
on both databases, under the real supervisor. The seed is printed; set FAULT_SEED to repeat one.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from gnomon.cli import statefile
from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.engine import Store, open_store
from tests.fixtures.postgresql_server import PostgresServer

#: How every run of a DAG ends, and its task instances.
EXPECTED: dict[str, tuple[str, dict[str, str]]] = {
    "chain": ("success", {f"t{n}": "success" for n in range(8)}),
    "fan": ("success", {"first": "success", "last": "success", **{f"t{n}": "success" for n in range(10)}}),
    "branches": ("success", {"branch": "success", "left": "success", "right": "skipped", "join": "success"}),
    "mapped": (
        "success",
        {"numbers": "success", "total": "success", **{f"double[{n}]": "success" for n in range(4)}},
    ),
    "failing": ("failed", {"bad": "failed", "never": "upstream_failed", "after": "success"}),
    "deferring": ("success", {"wait": "success", "then": "success"}),
}
RUNS_EACH = 9
PARTS = ("scheduler", "worker", "task", "dag-processor", "triggerer")
#: In all, at most; the runs may be over before.
KILLS = 50
#: Far more than it takes; a run that is not over by then is stuck.
PATIENCE_SECONDS = 150.0


@pytest.fixture
def database(request: pytest.FixtureRequest, database_kind: str, airflow_home: Path) -> Iterator[str]:
    if database_kind == "sqlite":
        yield f"sqlite:///{airflow_home}/airflow.db"
        return
    server: PostgresServer = request.getfixturevalue("durable_postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def supervisor(database: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    dags = airflow_home / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).with_name("fault_dags.py"), dags / "fault_dags.py")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION", "False")
    monkeypatch.setenv("FAULT_JOURNAL", str(airflow_home / "journal"))
    (airflow_home / "journal").touch()
    command = [sys.executable, "-m", "gnomon.cli.supervise", "--logs", str(airflow_home / "processes")]
    command += ["--parts", "worker,scheduler,dag-processor,triggerer"]
    with (airflow_home / "supervisor.out").open("wb") as output:
        process = subprocess.Popen(command, env=dict(os.environ), stdout=output, stderr=output)
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(30)


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_runs_twice(
    database: str, supervisor: subprocess.Popen[bytes], airflow_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("FAULT_SEED", "20240101"))
    wait_for(
        lambda: (state := statefile.read()) is not None and all(p.state == "running" for p in state.parts.values())
    )
    with open_store(database) as store:
        wait_for(lambda: len(store.dags.all()) == len(EXPECTED))
        for dag_id in EXPECTED:
            for n in range(RUNS_EACH):
                now = clock.now()
                store.runs.create(dag_id, f"r{n}", now=now, run_after=now)

        kills = kill_at_random(store, random.Random(seed))
        wait_for(lambda: not unfinished(store), PATIENCE_SECONDS, lambda: f"stuck: {unfinished(store)}")
        runs, instances = results(store)

    expected_runs = {(dag_id, f"r{n}"): state for dag_id, (state, _) in EXPECTED.items() for n in range(RUNS_EACH)}
    assert runs == expected_runs
    for (dag_id, _), states in instances.items():
        assert states == EXPECTED[dag_id][1]
    pieces = [line.rpartition(" ")[0] for line in (airflow_home / "journal").read_text().splitlines()]
    twice = [piece for piece, count in collections.Counter(pieces).items() if count > 1]
    assert twice == []
    total = sum(len(states) for states in instances.values())
    with capsys.disabled():
        what = ", ".join(f"{kills[part]} {part}" for part in PARTS)
        print(f"\n{sum(kills.values())} kills ({what}) during {total} task instances, {len(pieces)} tries; seed {seed}")
    assert all(kills[part] > 0 for part in PARTS)


def kill_at_random(store: Store, rng: random.Random) -> collections.Counter[str]:
    """Kill until every run is over, or enough was killed; return how often which part."""
    kills: collections.Counter[str] = collections.Counter()
    turn: list[str] = []
    while unfinished(store) and sum(kills.values()) < KILLS:
        time.sleep(rng.uniform(0.02, 0.3))
        turn = turn or rng.sample(PARTS, len(PARTS))  # each part once, in another order every time
        part = turn.pop()
        if (pid := victim(part, rng)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills[part] += 1
    return kills


def victim(part: str, rng: random.Random) -> int | None:
    """Return the pid of a part, or of any task process."""
    state = statefile.read()
    if state is None:
        return None
    if part != "task":
        return state.parts[part].pid or None
    with contextlib.suppress(psutil.Error):
        worker = psutil.Process(state.parts["worker"].pid)
        # worker → base → template → task
        templates = [template for base in worker.children() for template in base.children()]
        tasks = [task.pid for template in templates for task in template.children()]
        return rng.choice(tasks) if tasks else None
    return None


def unfinished(store: Store) -> list[tuple[str, str, str]]:
    r = t.dag_run.c
    with store.database.read() as connection:
        query = select(r.dag_id, r.run_id, r.state).where(r.state.in_(("queued", "running")))
        return [tuple(row) for row in connection.execute(query)]


def results(store: Store) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], dict[str, str]]]:
    r, i = t.dag_run.c, t.task_instance.c
    with store.database.read() as connection:
        runs = {(row.dag_id, row.run_id): row.state for row in connection.execute(select(r.dag_id, r.run_id, r.state))}
        rows = connection.execute(
            select(r.dag_id, r.run_id, i.task_id, i.map_index, i.state).join(t.dag_run, r.id == i.dag_run_id)
        ).all()
    instances: dict[tuple[str, str], dict[str, str]] = collections.defaultdict(dict)
    for dag_id, run_id, task_id, map_index, state in rows:
        instances[dag_id, run_id][task_id if map_index < 0 else f"{task_id}[{map_index}]"] = state
    return runs, instances


def wait_for(condition: object, seconds: float = 30.0, explain: object = None) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain() if callable(explain) else "waited in vain"
        time.sleep(0.05)
