"""The path of a task through the worker's processes alone, without scheduler and database.

    python -m benchmarks.worker_path [--usercode MODULE] [--dag FILE] [--ballast MB]

A socket stands for the scheduler: it answers each TryStarting with Proceed and each Outcome with Settled at once. Printed
next to each figure is the floor of this machine: fork, exit and wait of a process as large as the template.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent

import msgspec

_MAIN = """
import sys
from gnomon.worker.supervisor import Worker
Worker(slots=32, usercode=sys.argv[1]).run()
"""
_FLOOR = """
import gc, importlib, os, runpy, sys, time
usercode = importlib.import_module(sys.argv[1]); usercode.preload()
from gnomon.worker import template
ballast = [[n] for n in range(int(sys.argv[2]) * 10000)]
gc.collect(); gc.freeze()
rounds = 300
def once():
    pid = os.fork()
    if pid == 0: os._exit(0)
    return pid
for _ in range(20): os.waitpid(once(), 0)
began = time.perf_counter()
for _ in range(rounds): os.waitpid(once(), 0)
one = (time.perf_counter() - began) / rounds
began = time.perf_counter()
live = 0
for _ in range(rounds):
    once(); live += 1
    if live == 8: os.wait(); live -= 1
while live: os.wait(); live -= 1
piped = rounds / (time.perf_counter() - began)
rss = [line for line in open("/proc/self/status") if line.startswith("VmRSS")][0].split()[1]
print(one * 1e3, piped, int(rss) / 1024)
"""


class Scheduler:
    """Hands out workloads and keeps at most so many in flight."""

    def __init__(self, path: str) -> None:
        from gnomon.worker.eventloop import EventLoop, Listener

        self._loop = EventLoop()
        self._listener = Listener(self._loop, path, self._connected)
        self._stream = None
        self._todo: list[bytes] = []
        self._inflight = 0
        self._window = 1
        self.failed: list[str] = []
        self.times: list[float] = []
        self._sent: dict[object, float] = {}

    def connect(self) -> None:
        """Wait for the worker."""
        self._loop.run()

    def run(self, workloads: list, window: int) -> float:
        """Run all of them; returns seconds."""
        from gnomon.wire import execution as wire

        self._todo = [(w.key, wire.encode(w)) for w in reversed(workloads)]
        self._window, self.times = window, []
        began = time.perf_counter()
        self._hand_out()
        self._stream.flush()
        self._loop._stopped = False
        self._loop.run()
        return time.perf_counter() - began

    def _connected(self, sock: socket.socket) -> None:
        from gnomon.wire import execution as wire
        from gnomon.worker.eventloop import Stream

        self._decode = wire.decoder(wire.FromWorker).decode
        self._wire = wire
        self._stream = Stream(self._loop, sock, self._on_frame, lambda _: self._loop.stop())

    def _hand_out(self) -> None:
        while self._todo and self._inflight < self._window:
            key, payload = self._todo.pop()
            self._inflight += 1
            self._sent[key] = time.perf_counter()
            self._stream.send(payload)

    def _on_frame(self, stream: object, payload: bytes) -> None:
        wire = self._wire
        message = self._decode(payload)
        kind = type(message)
        if kind is wire.TryStarting:
            self._stream.send(wire.encode(wire.Proceed(key=message.key, ok=True)))
        elif kind is wire.Outcome:
            self.times.append(time.perf_counter() - self._sent.pop(message.key))
            if message.state != "success":
                self.failed.append(str(message.error))
            self._stream.send(wire.encode(wire.Settled(keys=[message.key])))
            self._inflight -= 1
            self._hand_out()
            if not self._inflight:
                self._loop.stop()
        elif kind is wire.Forward:
            self._stream.send(wire.encode(wire.Answer(n=message.n, key=message.key, body=wire.Done())))
        elif kind is wire.WorkerHello:
            self._stream.send(wire.encode(wire.Welcome(scheduler="bench", epoch=1)))
            self._loop.stop()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            pass
    return found


def _cpu(pid: int) -> tuple[float, float, int]:
    """Own CPU seconds, those of children that were waited for, and the page faults of these."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(words[11]) + int(words[12])) / ticks, (int(words[13]) + int(words[14])) / ticks, int(words[8])


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usercode", default="gnomon.worker.usercode")
    parser.add_argument("--dag", default=None)
    parser.add_argument("--ballast", type=int, default=0, help="MB of small objects that the DAG file makes")
    parser.add_argument("--tasks", type=int, default=1000)
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="gnb-")
    os.environ["AIRFLOW_HOME"] = home
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPATH"] = os.getcwd()

    from gnomon.service.home import runtime_dir
    from gnomon.wire import execution as wire
    from gnomon.worker.warm import base_environment

    floor = subprocess.run(
        [sys.executable, "-c", _FLOOR, options.usercode, str(options.ballast)],
        env=base_environment(os.environ), capture_output=True, text=True, check=True,
    )  # fmt: skip
    one, piped, rss = map(float, floor.stdout.split())
    print(f"floor: fork+exit+wait {one:.2f} ms, pipelined {piped:.0f}/s, of a process of {rss:.0f} MB")

    path = options.dag or f"{home}/d.py"
    if options.dag is None:
        source = _SMALL if options.usercode.startswith("tests.") else _DAG
        Path(path).write_text(dedent(source) + f"\nballast = [[n] for n in range({options.ballast * 10000})]\n")
    run = msgspec.Raw(wire.encode(wire.RunInfo(id=1, dag_id="d", run_id="r", run_type="manual", run_after=0)))
    file = wire.FileRef("dags", path, "d.py", "h", bundle_root=home)

    def pieces(count: int, isolation: str, start: list[int] = [0]) -> list[wire.Workload]:  # noqa: B006
        start[0] += count
        return [
            wire.Workload(
                key=wire.TryKey(start[0] + n, 1), task_id="work", map_index=start[0] + n, try_number=1, max_tries=0,
                file=file, run=run, isolation=isolation,
            )
            for n in range(count)
        ]  # fmt: skip

    scheduler = Scheduler(f"{runtime_dir()}/scheduler.sock")
    worker = subprocess.Popen([sys.executable, "-c", _MAIN, options.usercode])
    scheduler.connect()
    for isolation in ("fork", "reuse"):
        scheduler.run(pieces(40, isolation), 8)
        for name, count, window in (("chain", options.tasks // 5, 1), ("fan", options.tasks, 32)):
            tree = _tree(worker.pid)
            before = {pid: _cpu(pid) for pid in tree}
            mine = time.process_time()
            seconds = scheduler.run(pieces(count, isolation), window)
            mine = time.process_time() - mine
            time.sleep(0.05)
            after = {pid: _cpu(pid) for pid in tree if os.path.exists(f"/proc/{pid}")}
            own = [(after[p][0] - before[p][0]) / count * 1e6 for p in after]
            kids = sum(after[p][1] - before[p][1] for p in after) / count * 1e6
            faults = sum(after[p][2] - before[p][2] for p in after) / count
            each = statistics.median(scheduler.times) * 1e3
            print(
                f"{isolation} {name}: {count / seconds:.0f}/s ({count / seconds / piped:.0%} of pipelined forks),"
                f" {seconds / count * 1e3:.2f} ms per task, median {each:.2f} ms; CPU µs per task: worker {own[0]:.0f},"
                f" others {[round(x) for x in own[1:]]}, waited for {kids:.0f} ({faults:.0f} page faults), this {mine / count * 1e6:.0f}"
            )
    if scheduler.failed:
        print("FAILED:", scheduler.failed[:3])
    time.sleep(0.5)
    print("PSS MB:", [round(_pss(pid), 1) for pid in _tree(worker.pid)])
    worker.send_signal(signal.SIGINT)
    worker.wait(20)


_SMALL = "def work(channel): pass\n"
_DAG = """
from gnomon.sdk.dag import DAG
from gnomon.sdk.standard.python import PythonOperator
with DAG("d", schedule=None):
    PythonOperator(task_id="work", python_callable=lambda: None)
"""

if __name__ == "__main__":
    main()
