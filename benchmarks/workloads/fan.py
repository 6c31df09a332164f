"""1 → 400 → 1 tasks that do nothing: one process per task, and with `isolation = reuse`."""

from __future__ import annotations

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.record import Figure

WIDTH = 400
SHARE = 0.6
REUSE_RATE = 1000.0


def measure(bench: Bench) -> list[Figure]:
    """Return tasks a second of both; the first run of each warms its processes."""
    with bench.product() as product:
        file = product.write("fan", dags.fan("fan", WIDTH))
        product.write("fan_reuse", dags.fan("fan_reuse", WIDTH, reuse=True))
        product.start()
        product.wait_listed(2)
        rates = {}
        for dag_id in ("fan", "fan_reuse"):
            bench.seconds_of_run(product, dag_id, tasks=WIDTH)
            rates[dag_id] = (WIDTH + 2) / min(bench.seconds_of_run(product, dag_id, tasks=WIDTH) for _ in range(3))
        floor = bench.forks(file)
    limit = SHARE * floor.rate
    return [
        Figure(
            workload=f"1 -> {WIDTH} -> 1 no-op",
            what="rate",
            value=rates["fan"],
            unit="tasks/s",
            target=f">= {SHARE:.0%} of the fork rate = {limit:.0f}",
            limit=limit,
            at_least=True,
            floor=f"{floor.rate:.0f} forks/s (one after the other {floor.sequential_per_s:.0f})",
            detail={
                "forks_sequential_per_s": floor.sequential_per_s,
                "forks_pipelined_per_s": floor.pipelined_per_s,
                "forks_parallel_per_s": floor.parallel_per_s,
            },
        ),
        Figure(
            workload=f"1 -> {WIDTH} -> 1, reuse",
            what="rate",
            value=rates["fan_reuse"],
            unit="tasks/s",
            target=f">= {REUSE_RATE:.0f}",
            limit=REUSE_RATE,
            at_least=True,
        ),
    ]
