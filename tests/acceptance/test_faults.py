"""SIGKILL at random moments: every run still ends as it would have, no try runs twice, nothing is stuck.

The kills hit the scheduler, the worker, a task, the dag-processor and the triggerer while about 300 task instances run,
on both databases, under the real supervisor. The seed is printed; set FAULT_SEED to repeat one.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gnomon.cli import statefile
from gnomon.store.engine import Store, open_store
from tests.acceptance.fault_runs import check, supervised, trigger, unfinished, wait_for, wait_until_up

RUNS_EACH = 9
PARTS = ("scheduler", "worker", "task", "dag-processor", "triggerer")
#: In all, at most; the runs may be over before.
KILLS = 50
#: Far more than it takes; a run that is not over by then is stuck.
PATIENCE_SECONDS = 150.0


@pytest.fixture
def supervisor(
    durable_database: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    with supervised(durable_database, airflow_home, monkeypatch) as process:
        yield process


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_runs_twice(
    durable_database: str, supervisor: subprocess.Popen[bytes], airflow_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("FAULT_SEED", "20240101"))
    wait_until_up()
    with open_store(durable_database) as store:
        trigger(store, RUNS_EACH)
        kills = kill_at_random(store, random.Random(seed))
        wait_for(lambda: not unfinished(store), PATIENCE_SECONDS, lambda: f"stuck: {unfinished(store)}")
        total, pieces = check(store, airflow_home / "journal", RUNS_EACH)

    with capsys.disabled():
        what = ", ".join(f"{kills[part]} {part}" for part in PARTS)
        print(f"\n{sum(kills.values())} kills ({what}) during {total} task instances, {pieces} tries; seed {seed}")
    assert all(kills[part] > 0 for part in PARTS)


def kill_at_random(store: Store, rng: random.Random) -> collections.Counter[str]:
    """Kill until every run is over, or enough was killed; return how often which part."""
    kills: collections.Counter[str] = collections.Counter()
    turn: list[str] = []
    while unfinished(store) and sum(kills.values()) < KILLS:
        time.sleep(rng.uniform(0.02, 0.3))
        turn = turn or rng.sample(PARTS, len(PARTS))  # each part once, in another order every time
        part = turn.pop()
        pid = victim(part, rng)
        if pid is None:
            turn.insert(0, part)  # no task runs before a killed worker has recovered: it has its turn when one does
        else:
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
