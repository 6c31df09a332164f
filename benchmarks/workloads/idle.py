"""Everything running, nothing to do."""

from __future__ import annotations

import time

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.product import cpu_seconds, pss_mb
from benchmarks.record import Figure

MB = 250.0
SHARE = 1.0
FILES = 10
_SETTLE_SECONDS = 10.0
_WATCH_SECONDS = 30.0


def measure(bench: Bench) -> list[Figure]:
    """Return memory and processor time of all processes, after one run has warmed what stays warm."""
    with bench.product() as product:
        for number in range(FILES):
            product.write(f"dag_{number}", dags.chain(f"dag_{number}", 5))
        product.start()
        product.wait_listed(FILES)
        bench.seconds_of_run(product, "dag_0", tasks=5)
        time.sleep(_SETTLE_SECONDS)
        before = product.processes()
        used, begin = cpu_seconds(before), time.perf_counter()
        time.sleep(_WATCH_SECONDS)
        share = (cpu_seconds(before) - used) / (time.perf_counter() - begin) * 100
        memory = pss_mb(product.processes())
    return [
        Figure(
            workload="idle",
            what="all processes",
            value=memory,
            unit="MB PSS",
            target=f"<= {MB:.0f} MB",
            limit=MB,
            detail={"processes": len(before)},
        ),
        Figure(
            workload="idle",
            what="all processes",
            value=share,
            unit="% of a core",
            target=f"<= {SHARE:.0f} %",
            limit=SHARE,
        ),
    ]
