"""From a new DAG file to its DAG in the list, beside 20 files that are there already."""

from __future__ import annotations

import time

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.record import Figure, percentile

THERE = 20
NEW = 40
SECONDS = 1.0
#: Longer than watchers wait for more changes, so that each file is news.
_PAUSE_SECONDS = 0.3


def measure(bench: Bench) -> list[Figure]:
    """Return the 95th percentile of the delays."""
    delays = []
    with bench.product() as product:
        for number in range(THERE):
            product.write(f"there_{number}", dags.chain(f"there_{number}", 3))
        product.start()
        product.wait_listed(THERE)
        for number in range(NEW):
            time.sleep(_PAUSE_SECONDS)
            begin = time.perf_counter()
            product.write(f"new_{number}", dags.chain(f"new_{number}", 3))
            product.wait_listed(THERE + number + 1, pause=0.005)
            delays.append(time.perf_counter() - begin)
    return [
        Figure(
            workload="a new DAG file -> listed",
            what="p95",
            value=percentile(delays, 0.95),
            unit="s",
            target=f"<= {SECONDS:.0f} s",
            limit=SECONDS,
            detail={"p50_s": percentile(delays, 0.5), "slowest_s": max(delays)},
        )
    ]
