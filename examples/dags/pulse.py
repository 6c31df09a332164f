"""
## Pulse

A small run every ten seconds, so that there is something to look at in the terminal and in the UI. Pause it or delete
this file when you have seen enough.
"""

import random
import time
from datetime import datetime, timedelta

from airflow.sdk import dag, task


@dag(
    start_date=datetime(2025, 1, 1),
    schedule=timedelta(seconds=10),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    default_args={"owner": "gnomon", "retries": 2, "retry_delay": timedelta(seconds=1)},
    tags=["example"],
    is_paused_upon_creation=False,
)
def pulse():
    @task
    def beat() -> float:
        """Wait a moment, and say for how long."""
        seconds = round(random.uniform(0.2, 1.2), 2)
        time.sleep(seconds)
        print(f"Waited {seconds} s")
        return seconds

    @task
    def longest(waits: list[float]) -> float:
        """Return the longest wait."""
        print(f"The longest of {waits} was {max(waits)} s")
        return max(waits)

    longest([beat.override(task_id=side)() for side in ("left", "right")])


pulse()
