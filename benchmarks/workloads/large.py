"""One DAG of 10 000 no-op tasks, fan and chain: what a task costs there, beside what it costs in a DAG of 100."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.product import Product, pss_mb
from benchmarks.record import Figure

LARGE = 10_000
SMALL = 100
RATIO = 1.3
SCHEDULER_MB = 200.0
_LOOK_SECONDS = 0.5


def measure(bench: Bench) -> list[Figure]:
    """Return the ratio of the costs for both shapes, and the most memory the scheduler took."""
    large = bench.count(LARGE, 1000)
    figures = []
    for shape, write in (("fan", dags.fan), ("chain", dags.chain)):
        with bench.product() as product:
            small_file = product.write("small", write("small", SMALL))
            large_file = product.write("large", write("large", large))
            product.start()
            product.wait_listed(2)
            # What is not the tasks' own, and the first import of each file, stays out of both figures.
            bench.seconds_of_run(product, "small", tasks=SMALL)
            small_ms = min(bench.seconds_of_run(product, "small", tasks=SMALL) for _ in range(3)) / SMALL * 1000
            with _most_memory(product) as most:
                large_ms = bench.seconds_of_run(product, "large", tasks=large) / large * 1000
            small_fork, large_fork = bench.forks(small_file), bench.forks(large_file)
        figures += [
            Figure(
                workload=f"{large} tasks, {shape}",
                what="cost per task",
                value=large_ms / small_ms,
                unit=f"x that of {SMALL}",
                target=f"<= {RATIO}",
                limit=RATIO,
                # A template of so many operators is larger, and so is the cost of its forks.
                floor=f"fork {large_fork.fork_ms:.2f} ms of {large_fork.rss_mb:.0f} MB; "
                f"{small_fork.fork_ms:.2f} ms of {small_fork.rss_mb:.0f} MB",
                detail={"large_ms_per_task": large_ms, "small_ms_per_task": small_ms},
            ),
            Figure(
                workload=f"{large} tasks, {shape}",
                what="scheduler",
                value=max(most, default=float("inf")),
                unit="MB",
                target=f"<= {SCHEDULER_MB:.0f}",
                limit=SCHEDULER_MB,
            ),
        ]
    return figures


@contextmanager
def _most_memory(product: Product) -> Iterator[list[float]]:
    """Look at the scheduler's memory (PSS) every now and then during the block."""
    seen: list[float] = []
    over = threading.Event()
    schedulers = product.schedulers()

    def look() -> None:
        while schedulers and not over.wait(_LOOK_SECONDS):
            seen.append(pss_mb(schedulers))

    thread = threading.Thread(target=look, name="memory")
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
