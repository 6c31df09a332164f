"""Run as a process: becomes as large as a template of a DAG file, and measures what a fork of it costs.

    python -m benchmarks.fork_floor DAG_FILE

A template freezes its objects and turns the collector off before it forks, so this does too.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.record import percentile

ROUNDS = 150


def main() -> None:
    """Print the figures as JSON."""
    _grow(Path(sys.argv[1]))
    gc.collect()
    gc.disable()
    gc.freeze()
    singles = [_fork_exit_wait() for _ in range(ROUNDS)]
    cores = os.cpu_count() or 1
    print(
        json.dumps(
            {
                "rss_mb": _rss_mb(),
                "fork_ms": percentile(singles, 0.5) * 1000,
                "sequential_per_s": ROUNDS / sum(singles),
                "pipelined_per_s": max(_pipelined(width) for width in (cores, 2 * cores)),
                "parallel_per_s": _parallel(cores),
            }
        )
    )


def _grow(file: Path) -> None:
    from gnomon.parsing import loader
    from gnomon.worker import usercode

    usercode.preload()
    loaded = loader.load_file(str(file), bundle_root=str(file.parent), relative_path=file.name)
    if loaded.error:
        raise SystemExit(loaded.error)


def _fork_exit_wait() -> float:
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return time.perf_counter() - start


def _pipelined(width: int) -> float:
    """Return forks a second when up to `width` children may be under way."""
    start = time.perf_counter()
    alive = 0
    for _ in range(ROUNDS):
        if alive == width:
            os.wait()
            alive -= 1
        if os.fork() == 0:
            os._exit(0)
        alive += 1
    for _ in range(alive):
        os.wait()
    return ROUNDS / (time.perf_counter() - start)


def _parallel(processes: int) -> float:
    """Return forks a second of several such processes, one for each core."""
    start = time.perf_counter()
    for _ in range(processes):
        if os.fork() == 0:
            for _ in range(ROUNDS):
                _fork_exit_wait()
            os._exit(0)
    for _ in range(processes):
        os.wait()
    return processes * ROUNDS / (time.perf_counter() - start)


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
