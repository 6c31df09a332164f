"""A worker as its own process, with a fake scheduler and a folder of DAG files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec

from gnomon.service import home, task_logs
from gnomon.wire import execution as wire
from tests.integration.worker_parts.scheduler import PATIENCE, FakeScheduler

_ROOT = Path(__file__).parents[3]
_MAIN = """
import logging, sys
from gnomon.worker.supervisor import Worker, WorkerError
logging.basicConfig(level=logging.INFO)
try:
    Worker(slots=8, usercode=sys.argv[1]).run()
except WorkerError as error:
    sys.exit(str(error))
"""
_RUN = wire.RunInfo(id=1, dag_id="d", run_id="r", run_type="manual", run_after=0)


class Site:
    """One worker and what is around it."""

    def __init__(self, folder: Path, usercode: str = "tests.integration.worker_parts.usercode") -> None:
        self.folder = folder
        self._usercode = usercode
        self._numbers = count(1)
        self._hash = 0
        self.file = wire.FileRef("dags", str(folder / "d.py"), "d.py", "h0", bundle_root=str(folder))
        self.scheduler = FakeScheduler(home.runtime_dir() / "scheduler.sock")
        self._workers: list[subprocess.Popen[bytes]] = []

    def write(self, source: str) -> None:
        """Write the DAG file."""
        self._hash += 1
        Path(self.file.path).write_text(dedent(source))
        self.file = msgspec.structs.replace(self.file, source_hash=f"h{self._hash}")

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'src'}"}
        worker = subprocess.Popen([sys.executable, "-c", _MAIN, self._usercode], env=environment, cwd=_ROOT)
        self._workers.append(worker)
        return worker

    def workload(self, task_id: str, **more: Any) -> wire.Workload:
        """Return a new piece that calls a function of the DAG file."""
        values: dict[str, Any] = {
            "key": wire.TryKey(next(self._numbers), 1),
            "task_id": task_id,
            "try_number": 1,
            "max_tries": 0,
            "file": self.file,
            "run": msgspec.Raw(wire.encode(_RUN)),
        }
        return wire.Workload(**{**values, **more})

    def callback(self, kind: str) -> wire.CallbackWorkload:
        """Return a callback of the DAG file."""
        run = msgspec.Raw(wire.encode(_RUN))
        return wire.CallbackWorkload(id=next(self._numbers), kind=kind, file=self.file, run=run)

    def log(self, workload: wire.Workload) -> list[dict[str, Any]]:
        """Return the log of a piece."""
        return task_logs.read_all(task_logs.try_log_path("d", "r", workload.task_id, workload.map_index, 1))

    def events(self, workload: wire.Workload) -> list[str]:
        """Return the messages in the log of a piece."""
        return [entry["event"] for entry in self.log(workload)]

    def close(self) -> None:
        """End everything."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGINT)
                try:
                    worker.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()
        self.scheduler.close()


def eventually(true: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait for something that nobody announces, such as the end of somebody else's process."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
