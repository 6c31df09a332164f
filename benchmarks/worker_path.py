"""The path of a task through the worker's processes alone, without scheduler and database.

    python -m benchmarks.worker_path [--usercode MODULE] [--ballast MB] [--tasks N]

A socket stands for the scheduler: it answers each TryStarting with Proceed and each Outcome with Settled at once. Printed
next to each figure is the floor of this machine: fork, exit and wait of a process as large as the template.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec

from gnomon.service.home import runtime_dir
from gnomon.wire import execution as wire
from gnomon.worker.eventloop import EventLoop, Listener, Stream
from gnomon.worker.warm import base_environment

_WORKER = """
import sys
from gnomon.worker.supervisor import Worker
Worker(slots=32, usercode=sys.argv[1]).run()
"""
_FLOOR = """
import gc, importlib, os, sys, time
importlib.import_module(sys.argv[1]).preload()
from gnomon.worker import template
ballast = [[n] for n in range(int(sys.argv[2]) * 10000)]
gc.collect(); gc.disable(); gc.freeze()
def fork():
    pid = os.fork()
    if pid == 0: os._exit(0)
    return pid
for _ in range(20): os.waitpid(fork(), 0)
began = time.perf_counter()
for _ in range(300): os.waitpid(fork(), 0)
one = (time.perf_counter() - began) / 300
began = time.perf_counter()
for n in range(300):
    fork()
    if n >= 8: os.wait()
for _ in range(8): os.wait()
piped = 300 / (time.perf_counter() - began)
rss = [line for line in open("/proc/self/status") if line.startswith("VmRSS")][0].split()[1]
print(one * 1e3, piped, int(rss) / 1024)
"""
_DAG = """
from gnomon.sdk.dag import DAG
from gnomon.sdk.standard.python import PythonOperator
with DAG("d", schedule=None):
    PythonOperator(task_id="work", python_callable=lambda: None)
"""
#: For tests.integration.worker_parts.usercode: the processes without SDK and runner.
_BARE = "def work(channel): pass\n"


class Scheduler:
    """Hands out workloads and keeps at most so many in flight."""

    def __init__(self, path: str) -> None:
        self._loop = EventLoop()
        self._listener = Listener(self._loop, path, self._on_connect)
        self._decode = wire.decoder(wire.FromWorker).decode
        self._stream: Stream
        self._todo: list[tuple[wire.TryKey, bytes]] = []
        self._sent: dict[wire.TryKey, float] = {}
        self._window = 1
        self.times: list[float] = []
        self.failed: list[str] = []

    def wait_for_worker(self) -> None:
        """Return when the worker has said hello."""
        self._loop.run()

    def run(self, workloads: list[wire.Workload], window: int) -> float:
        """Run all of them; returns seconds."""
        self._todo = [(w.key, wire.encode(w)) for w in reversed(workloads)]
        self._window, self.times = window, []
        began = time.perf_counter()
        self._hand_out()
        while self._sent:
            self._loop.turn()
        return time.perf_counter() - began

    def _on_connect(self, sock: socket.socket) -> None:
        self._stream = Stream(self._loop, sock, self._on_frame, lambda _: self._loop.stop())

    def _hand_out(self) -> None:
        while self._todo and len(self._sent) < self._window:
            key, payload = self._todo.pop()
            self._sent[key] = time.perf_counter()
            self._stream.send(payload)

    def _on_frame(self, stream: Stream, payload: bytes) -> None:
        message = self._decode(payload)
        if isinstance(message, wire.TryStarting):
            stream.send(wire.encode(wire.Proceed(key=message.key, ok=True)))
        elif isinstance(message, wire.Outcome):
            self.times.append(time.perf_counter() - self._sent.pop(message.key))
            if message.state != "success":
                self.failed.append(str(message.error))
            stream.send(wire.encode(wire.Settled(keys=[message.key])))
            self._hand_out()
        elif isinstance(message, wire.Forward):
            stream.send(wire.encode(wire.Answer(n=message.n, key=message.key, body=wire.Done())))
        elif isinstance(message, wire.WorkerHello):
            stream.send(wire.encode(wire.Welcome(scheduler="benchmark", epoch=1)))
            self._loop.stop()


class Spent(NamedTuple):
    """What a process has used: CPU seconds and page faults, its own and those of children it waited for."""

    own: float
    children: float
    own_faults: int
    faults: int


def _spent(pid: int) -> Spent:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return Spent(
        (int(words[11]) + int(words[12])) / tick, (int(words[13]) + int(words[14])) / tick, int(words[7]), int(words[8])
    )


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        if children.exists():
            found += map(int, children.read_text().split())
    return found


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _floor(usercode: str, ballast: int) -> float:
    """Print the floor; returns forks per second, pipelined."""
    command = [sys.executable, "-c", _FLOOR, usercode, str(ballast)]
    done = subprocess.run(command, env=base_environment(os.environ), capture_output=True, text=True, check=True)
    one, piped, size = map(float, done.stdout.split())
    print(f"floor: fork+exit+wait {one:.2f} ms, pipelined {piped:.0f}/s, of a process of {size:.0f} MB")
    return piped


def _measure(scheduler: Scheduler, worker: int, workloads: list[wire.Workload], window: int, floor: float) -> str:
    before = {pid: _spent(pid) for pid in _tree(worker) if Path(f"/proc/{pid}").exists()}
    seconds = scheduler.run(workloads, window)
    time.sleep(0.1)  # the last process has reported, and is not waited for yet
    number = len(workloads)
    now = {pid: _spent(pid) for pid in before if Path(f"/proc/{pid}").exists()}
    own = [round((now[pid].own - before[pid].own) / number * 1e6) for pid in now]
    children = sum(now[pid].children - before[pid].children for pid in now) / number * 1e6
    faults = sum(now[pid].faults - before[pid].faults for pid in now) / number
    own_faults = [round((now[pid].own_faults - before[pid].own_faults) / number) for pid in now]
    return (
        f"{number / seconds:.0f}/s ({number / seconds / floor:.0%} of the fork rate),"
        f" {seconds / number * 1e3:.2f} ms per task, {statistics.median(scheduler.times) * 1e3:.2f} ms from workload to"
        f" outcome; CPU µs per task: worker {own[0]}, its processes {own[1:]}, ended ones {children:.0f}"
        f" with {faults:.0f} page faults, the others {own_faults}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--usercode", default="gnomon.worker.usercode")
    parser.add_argument("--ballast", type=int, default=0, help="MB of small objects that the DAG file makes")
    parser.add_argument("--tasks", type=int, default=1000)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = _options()
    home = tempfile.mkdtemp(prefix="gnb-")
    os.environ.update(AIRFLOW_HOME=home, PYTHONPATH=str(Path.cwd()))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    floor = _floor(options.usercode, options.ballast)
    source = _BARE if options.usercode.startswith("tests.") else _DAG
    Path(home, "d.py").write_text(f"{source}\nballast = [[n] for n in range({options.ballast * 10000})]\n")
    file = wire.FileRef("dags", f"{home}/d.py", "d.py", "h", bundle_root=home)
    run = msgspec.Raw(wire.encode(wire.RunInfo(id=1, dag_id="d", run_id="r", run_type="manual", run_after=0)))
    numbers = count(1)

    def workloads(number: int, isolation: str) -> list[wire.Workload]:
        plain = {"task_id": "work", "try_number": 1, "max_tries": 0, "file": file, "run": run, "isolation": isolation}
        keys = [wire.TryKey(next(numbers), 1) for _ in range(number)]
        return [wire.Workload(key=key, map_index=key.ti, **plain) for key in keys]  # type: ignore[arg-type]

    scheduler = Scheduler(f"{runtime_dir()}/scheduler.sock")
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, options.usercode])
    scheduler.wait_for_worker()
    for isolation in ("fork", "reuse"):
        scheduler.run(workloads(40, isolation), 8)
        for name, number, window in (("chain", options.tasks // 5, 1), ("fan", options.tasks, 32)):
            print(isolation, name, _measure(scheduler, worker.pid, workloads(number, isolation), window, floor))
    time.sleep(0.5)
    print("PSS in MB:", [round(_pss(pid), 1) for pid in _tree(worker.pid)])
    worker.send_signal(signal.SIGINT)
    worker.wait(20)
    shutil.rmtree(home)
    if scheduler.failed:
        sys.exit(f"{len(scheduler.failed)} tasks failed: {scheduler.failed[0]}")


if __name__ == "__main__":
    main()
