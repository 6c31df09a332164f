"""From an empty folder to the first DAG run that succeeded."""

from __future__ import annotations

import time

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.record import Figure, percentile

TIMES = 3
SECONDS = 3.0


def measure(bench: Bench) -> list[Figure]:
    """Return the median time of `dev init`, a DAG file that runs at once and `dev start`, until its run has succeeded."""
    totals = []
    for _ in range(TIMES):
        with bench.product(init=False) as product:
            begin = time.perf_counter()
            product.init()
            product.write("first", dags.once("first"))
            product.spawn("dev", "start", "--no-browser", "--port", str(product.port))
            product.wait_finished("first", "", 1, seconds=60)
            totals.append(time.perf_counter() - begin)
    return [
        Figure(
            workload="empty folder -> first success",
            what="p50",
            value=percentile(totals, 0.5),
            unit="s",
            target=f"<= {SECONDS:.0f} s",
            limit=SECONDS,
            detail={"slowest_s": max(totals)},
        )
    ]
