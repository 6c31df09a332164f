"""200 DAG files of 10 tasks, parsed from cold by a dag-processor that has just been started."""

from __future__ import annotations

import time

from benchmarks import dags, floors
from benchmarks.bench import Bench
from benchmarks.record import Figure

FILES = 200
TASKS = 10
RATIO = 2.0


def measure(bench: Bench) -> list[Figure]:
    """Return the time from the start of the dag-processor until all are listed."""
    with bench.product() as product:
        for number in range(FILES):
            product.write(f"file_{number:03}", dags.chain(f"dag_{number:03}", TASKS))
        product.run("db", "migrate")
        plain = min(floors.plain_import_seconds(product.dags) for _ in range(2))
        begin = time.perf_counter()
        product.spawn("dag-processor")
        product.wait_listed(FILES, seconds=300)
        total = time.perf_counter() - begin
    return [
        Figure(
            workload=f"{FILES} files of {TASKS} tasks",
            what="all listed after",
            value=total,
            unit="s",
            target=f"<= {RATIO:.0f} x plain = {RATIO * plain:.2f} s",
            limit=RATIO * plain,
            floor=f"{plain:.2f} s in one plain Python",
        )
    ]
