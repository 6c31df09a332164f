"""What this machine allows: the cost of a fork, of a durable commit, of importing files in plain Python."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import percentile

ROOT = Path(__file__).parents[1]
_COMMITS = 200
#: What a worker starts its base with; the floor is the cheaper of both ways.
_ALLOCATORS: tuple[dict[str, str], ...] = (
    {},
    {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
)


@dataclass(frozen=True)
class Forks:
    """Forking, exiting and waiting for a process as large as the template of a DAG file."""

    rss_mb: float
    fork_ms: float
    sequential_per_s: float
    pipelined_per_s: float
    parallel_per_s: float

    @property
    def rate(self) -> float:
        """Return the highest rate that this machine reaches."""
        return max(self.sequential_per_s, self.pipelined_per_s, self.parallel_per_s)


def forks(dag_file: Path) -> Forks:
    """Measure forks of a process that has loaded `dag_file` as a template does."""
    found = []
    for allocator in _ALLOCATORS:
        done = _python(["-m", "benchmarks.fork_floor", str(dag_file)], allocator)
        found.append(Forks(**json.loads(done)))
    return min(found, key=lambda each: each.fork_ms)


def commit_ms(url: str, folder: Path) -> float:
    """Return the median time of one durable single-row commit on the database of `url`."""
    times = _sqlite_commits(folder) if url.startswith("sqlite") else _postgresql_commits(url)
    return percentile(times, 0.5) * 1000


def plain_import_seconds(folder: Path) -> float:
    """Return how long one plain Python process takes to start, import the SDK and run every DAG file of a folder."""
    code = (
        "import pathlib, runpy, sys\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.py')):\n"
        "    runpy.run_path(str(path))\n"
    )
    start = time.perf_counter()
    _python(["-c", code, str(folder)], {})
    return time.perf_counter() - start


def _python(arguments: list[str], more: dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**environment, **more}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the floor could not be measured: {done.stderr.strip()}")
    return done.stdout


def _sqlite_commits(folder: Path) -> list[float]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE floor (n INTEGER)")
    times = []
    for number in range(_COMMITS):
        start = time.perf_counter()
        connection.execute("INSERT INTO floor VALUES (?)", (number,))
        times.append(time.perf_counter() - start)
    connection.close()
    return times


def _postgresql_commits(url: str) -> list[float]:
    import psycopg

    times = []
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE floor (n INTEGER)")
        for number in range(_COMMITS):
            start = time.perf_counter()
            connection.execute("INSERT INTO floor VALUES (%s)", (number,))
            times.append(time.perf_counter() - start)
        connection.execute("DROP TABLE floor")
    return times
