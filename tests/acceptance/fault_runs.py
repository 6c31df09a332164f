"""Runs whose ends are known, under a real supervisor, for tests that break something meanwhile."""

from __future__ import annotations

import collections
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gnomon.cli import statefile
from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.engine import Store

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
    "starting": ("success", {"wait": "success", "then": "success"}),
    "weighed": ("success", {f"t{n}": "success" for n in range(3)}),
}


@contextlib.contextmanager
def supervised(
    database: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch, *, dag_file: str = "fault_dags.py"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run worker, scheduler, dag-processor and triggerer with the DAGs of a file during the block."""
    dags = airflow_home / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / dag_file, dags / Path(dag_file).name)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION", "False")
    monkeypatch.setenv("FAULT_JOURNAL", str(airflow_home / "journal"))
    (airflow_home / "journal").touch()
    command = [sys.executable, "-m", "gnomon.cli.supervise", "--logs", str(airflow_home / "processes")]
    command += ["--parts", "worker,scheduler,dag-processor,triggerer"]
    with (airflow_home / "supervisor.out").open("wb") as output:
        process = subprocess.Popen(command, env=dict(os.environ), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def trigger(store: Store, runs_each: int) -> None:
    """Make so many runs of each DAG, once all are known."""
    wait_for(lambda: len(store.dags.all()) == len(EXPECTED))
    for dag_id in EXPECTED:
        for n in range(runs_each):
            now = clock.now()
            store.runs.create(dag_id, f"r{n}", now=now, run_after=now)


def wait_until_up() -> None:
    """Wait until every part of the supervisor runs."""
    wait_for(
        lambda: (state := statefile.read()) is not None and all(p.state == "running" for p in state.parts.values())
    )


def check(store: Store, journal: Path, runs_each: int) -> tuple[int, int]:
    """Every run must have ended as without faults, and no piece of a try may have run twice.

    Returns:
        how many task instances there were, and how many pieces of tries.
    """
    runs, instances = results(store)
    expected = {(dag_id, f"r{n}"): state for dag_id, (state, _) in EXPECTED.items() for n in range(runs_each)}
    assert runs == expected
    for (dag_id, _), states in instances.items():
        assert states == EXPECTED[dag_id][1]
    pieces = [line.rpartition(" ")[0] for line in journal.read_text().splitlines()]
    assert [piece for piece, count in collections.Counter(pieces).items() if count > 1] == []
    return sum(len(states) for states in instances.values()), len(pieces)


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
