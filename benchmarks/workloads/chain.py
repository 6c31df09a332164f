"""A chain of 40 tasks of fibo(10), one process per task."""

from __future__ import annotations

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.record import Figure

LENGTH = 40


def measure(bench: Bench) -> list[Figure]:
    """Return the time of the whole chain, beside its floors; the first run, which imports the file, is a detail."""
    with bench.product() as product:
        file = product.write("chain", dags.chain("chain", LENGTH, call="fibo, op_args=[10]"))
        product.start()
        product.wait_listed(1)
        first = bench.seconds_of_run(product, "chain", tasks=LENGTH)
        totals = sorted(bench.seconds_of_run(product, "chain", tasks=LENGTH) for _ in range(3))
        floor = bench.forks(file)
        commit = bench.commit_ms(product)
    total = totals[1]
    limit = 3 * LENGTH * (floor.fork_ms + commit) / 1000
    return [
        Figure(
            workload=f"chain of {LENGTH} fibo(10)",
            what="total",
            value=total,
            unit="s",
            target=f"<= 3 x {LENGTH} floors = {limit:.2f} s",
            limit=limit,
            floor=f"fork {floor.fork_ms:.2f} ms of {floor.rss_mb:.0f} MB + commit {commit:.2f} ms",
            detail={"first_run_s": first, "per_task_ms": total / LENGTH * 1000},
        )
    ]
