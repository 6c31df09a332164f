"""What `import airflow.sdk` and an empty DAG cost a process that has its bytecode: each template is one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.bench import Bench
from benchmarks.record import Figure

TIMES = 20
MILLISECONDS = 150.0
MEGABYTES = 30.0

_EMPTY_DAG = "from airflow.sdk import DAG\nwith DAG('d'):\n    pass\n"
_MEMORY = """
from pathlib import Path
status = Path('/proc/self/status').read_text().split('VmRSS:')[1].split()[0]
rollup = Path('/proc/self/smaps_rollup').read_text().split('Pss:')[1].split()[0]
print(status, rollup)
"""


def measure(bench: Bench) -> list[Figure]:
    """Return the time from the start of Python to an empty DAG, best of 20, and what that process holds."""
    began = fastest(_EMPTY_DAG)
    # The memory is asked for in a process of its own: the modules that ask weigh something too.
    resident, own = (int(kilobytes) / 1024 for kilobytes in output(_EMPTY_DAG + _MEMORY).split())
    return [
        Figure(
            workload="import airflow.sdk, empty DAG",
            what="time",
            value=began * 1000,
            unit="ms",
            target=f"<= {MILLISECONDS:.0f} ms",
            limit=MILLISECONDS,
            floor=f"an empty Python: {fastest('') * 1000:.0f} ms",
            detail={"cpu_ms": processor_time(_EMPTY_DAG) * 1000},
        ),
        Figure(
            workload="import airflow.sdk, empty DAG",
            what="resident",
            value=resident,
            unit="MB",
            target=f"<= {MEGABYTES:.0f} MB",
            limit=MEGABYTES,
            detail={"proportional_mb": own},
        ),
    ]


def fastest(code: str) -> float:
    """Return the shortest time in seconds of a Python that runs `code`; its first run writes bytecode."""
    output(code)
    times = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        output(code)
        times.append(time.perf_counter() - begin)
    return min(times)


def processor_time(code: str) -> float:
    """Return the least processor time in seconds of a Python that runs `code`: other work hardly changes it."""
    times = []
    for _ in range(TIMES):
        before = os.times()
        output(code)
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(times)


def output(code: str) -> str:
    """Return what a Python prints that may keep bytecode."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout
