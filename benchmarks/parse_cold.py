"""200 DAG files of 10 tasks, parsed and recorded from cold, against importing them in one plain Python process.

    python benchmarks/parse_cold.py [--files 200] [--tasks 10] [--rounds 5]

Both sides start with a process and have their bytecode; nothing of either is warm. Also measured: a restart with nothing
changed, and the time from the save of a new file to its DAG in the database.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAG = """
from datetime import datetime

from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator


def work(x):
    return x + 1


with DAG("{dag_id}", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False, tags=["bench"]) as dag:
    tasks = [PythonOperator(task_id=f"py_{{i}}", python_callable=work, op_args=[i]) for i in range({half})]
    tasks += [BashOperator(task_id=f"sh_{{i}}", bash_command="echo {{{{ ds }}}}") for i in range({tasks} - {half})]
    for first, second in zip(tasks, tasks[1:]):
        first >> second
"""
PLAIN = """
import glob, runpy, sys
for path in sorted(glob.glob(sys.argv[1] + "/*.py")):
    runpy.run_path(path)
"""


def write_project(home: Path, files: int, tasks: int) -> Path:
    """Make a DAGs folder."""
    folder = home / "dags"
    folder.mkdir()
    for number in range(files):
        text = DAG.format(dag_id=f"bench_{number}", tasks=tasks, half=tasks // 2)
        (folder / f"bench_{number}.py").write_text(text)
    return folder


def plain(folder: Path) -> float:
    """Return the seconds that one Python process takes to import all files, its start included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", PLAIN, str(folder)], check=True)
    return time.perf_counter() - began


def processor(home: Path) -> dict[str, float]:
    """Return what a process with a dag-processor on a new SQLite database measures of itself, and its whole time."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--serve", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = dict(line.split("=") for line in done.stdout.split())
    ready_at = float(figures.pop("ready_at"))
    return {"from process start": ready_at - began, **{name: float(value) for name, value in figures.items()}}


async def serve(home: Path) -> None:
    """Be the process that `processor` starts."""
    from gnomon.parsing.processor import DagProcessor
    from gnomon.store import engine
    from gnomon.store.errors import Unavailable
    from gnomon.wire import execution as wire

    store = engine.open_store(f"sqlite:///{home}/airflow.db")

    def refuse(request: wire.Request) -> wire.Reply:
        return wire.Problem("not_found", f"{request} is not there")

    count = len(list((home / "dags").iterdir()))
    began = time.perf_counter()
    service = DagProcessor(store.dags, refuse, outage=(Unavailable,))
    await service.start()
    ready = time.perf_counter()
    assert len(store.dags.all()) == count, store.dags.import_errors()[:1]
    print(f"ready_at={ready}", f"first_pass={ready - began}")
    await service.stop()
    began = time.perf_counter()
    service = DagProcessor(store.dags, refuse, outage=(Unavailable,))
    await service.start()
    print(f"restart={time.perf_counter() - began}")
    print(f"new_file_median={await new_files(home, store, 20)}")
    await service.stop()


async def new_files(home: Path, store: object, count: int) -> float:
    """Return the median of the seconds from the save of a file to its DAG in the database."""
    taken = []
    for number in range(count):
        await asyncio.sleep(0.15)  # longer than a parser's child lingers, so that each is a fork of its own
        text = DAG.format(dag_id=f"new_{number}", tasks=10, half=5)
        began = time.perf_counter()
        (home / "dags" / f"new_{number}.py").write_text(text)
        while store.dags.get(f"new_{number}") is None:  # type: ignore[attr-defined]  # noqa: ASYNC110 - what is measured
            await asyncio.sleep(0.001)
        taken.append(time.perf_counter() - began)
    print(f"new_file_p95={statistics.quantiles(taken, n=20)[-1]}")
    return statistics.median(taken)


def prepare(home: Path) -> None:
    """Make the home's database."""
    migrate = "import sys; from gnomon.store import engine; engine.migrate(sys.argv[1])"
    subprocess.run([sys.executable, "-c", migrate, f"sqlite:///{home}/airflow.db"], check=True)


def main() -> None:
    """Run rounds and print the best figure of each."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--files", type=int, default=200)
    arguments.add_argument("--tasks", type=int, default=10)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--serve", type=Path, default=None)
    given = arguments.parse_args()
    if given.serve is not None:
        asyncio.run(serve(given.serve))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds: list[dict[str, float]] = []
    for _ in range(given.rounds + 1):
        home = Path(tempfile.mkdtemp(prefix="gnomon-bench-"))
        os.environ["AIRFLOW_HOME"] = str(home)
        try:
            folder = write_project(home, given.files, given.tasks)
            prepare(home)
            rounds.append({"plain python": plain(folder), **processor(home)})
        finally:
            shutil.rmtree(home)
    del rounds[0]  # it wrote the bytecode
    best = {name: min(one[name] for one in rounds) for name in rounds[0]}
    for name, seconds in best.items():
        print(f"{name:20} {seconds * 1000:8.1f} ms")
    floor = best["plain python"]
    print(f"first pass / plain   {best['first_pass'] / floor:8.2f}   (to reach: 2)")
    print(f"with process start   {best['from process start'] / floor:8.2f}   (to reach: 2)")


if __name__ == "__main__":
    main()
