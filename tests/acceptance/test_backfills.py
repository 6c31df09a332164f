"""A backfill from the command line, in real processes, with the scheduler killed again and again meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gnomon.cli import statefile
from gnomon.store import tables as t
from gnomon.store.engine import Store, open_store
from tests.acceptance.fault_runs import supervised, wait_for, wait_until_up

_DAYS = 17
_AT_A_TIME = 3


def backfill(*options: str) -> str:
    command = [str(Path(sys.executable).parent / "airflow"), "backfill", "create", "--dag-id", "past"]
    command += ["--from-date", "2023-12-15", "--to-date", "2023-12-31T23:00", *options]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def running(store: Store) -> int:
    query = select(func.count()).select_from(t.dag_run).where(t.dag_run.c.state == "running")
    with store.database.read() as conn:
        return int(conn.execute(query).scalar_one())


@pytest.mark.timeout(240)
def test_every_date_runs_once_whoever_is_killed(
    durable_database: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with supervised(durable_database, airflow_home, monkeypatch, dag_file="backfill_dags.py"):
        wait_until_up()
        with open_store(durable_database) as store:
            wait_for(lambda: store.dags.get("past") is not None)
            assert "2023-12-31T00:00:00+00:00" in backfill("--dry-run")
            options = ("--max-active-runs", str(_AT_A_TIME), "--dag-run-conf", '{"who": "me"}', "--run-backwards")
            assert backfill(*options) == f"Backfill 1 of DAG past: {_DAYS} created.\n"
            assert "Error: DAG 'past' has a backfill that is not completed" in backfill()
            most = kill_schedulers(store, 4)
            wait_for(lambda: completed(store), 90)

            lines = (airflow_home / "journal").read_text().splitlines()
            assert sorted(lines) == [f"2023-12-{day:02d} backfill me" for day in range(15, 32)]
            assert lines[0][:10] > "2023-12-28"
            assert {run.state for run in store.runs.all("past")} == {"success"}
            assert most <= _AT_A_TIME
            assert (
                backfill() == f"Backfill 2 of DAG past: 0 created, {_DAYS} left as they are: those dates have runs.\n"
            )


def completed(store: Store) -> bool:
    found = store.backfills.get(1)
    return found is not None and found.completed_at is not None


def kill_schedulers(store: Store, times: int) -> int:
    """Kill the scheduler so often, as long as the backfill goes on; return how many runs went at a time at most."""
    most = 0
    for _ in range(times):
        until = time.monotonic() + 0.4
        while time.monotonic() < until and not completed(store):
            most = max(most, running(store))
            time.sleep(0.02)
        state = statefile.read()
        if state is not None and state.parts["scheduler"].pid and not completed(store):
            os.kill(state.parts["scheduler"].pid, signal.SIGKILL)
    return most
