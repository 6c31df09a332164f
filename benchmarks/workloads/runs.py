"""50 runs at once of a chain of 5."""

from __future__ import annotations

from benchmarks import dags
from benchmarks.bench import Bench
from benchmarks.record import Figure
from gnomon.service import clock

RUNS = 50
LENGTH = 5
SHARE = 0.6


def measure(bench: Bench) -> list[Figure]:
    """Return tasks a second, from the moment the DAG with its 50 queued runs is unpaused."""
    with bench.product() as product:
        file = product.write("runs", dags.chain("runs", LENGTH, runs=RUNS))
        product.start()
        product.wait_listed(1)
        bench.seconds_of_run(product, "runs", tasks=LENGTH)
        product.pause("runs", paused=True)
        for number in range(RUNS):
            product.trigger("runs", f"many-{number}")
        begin = clock.now_us()
        product.pause("runs", paused=False)
        total = (product.wait_finished("runs", "many-", RUNS, seconds=120) - begin) / 1e6
        floor = bench.forks(file)
    limit = SHARE * floor.rate
    return [
        Figure(
            workload=f"{RUNS} runs of a chain of {LENGTH}",
            what="rate",
            value=RUNS * LENGTH / total,
            unit="tasks/s",
            target=f">= {SHARE:.0%} of the fork rate = {limit:.0f}",
            limit=limit,
            at_least=True,
            floor=f"{floor.rate:.0f} forks/s",
            detail={"total_s": total},
        )
    ]
