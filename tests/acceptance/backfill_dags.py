"""A DAG without runs of its own, whose task says in a journal that it ran."""

import os
import time
from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2024, 3, 1), end_date=datetime(2024, 2, 1), catchup=True)
def past():
    @task
    def note(logical_date=None, dag_run=None):
        time.sleep(0.5)
        with open(os.environ["FAULT_JOURNAL"], "a") as journal:
            journal.write(f"{logical_date:%Y-%m-%d} {dag_run.run_id.partition('__')[0]} {dag_run.conf.get('who')}\n")

    note()


past()
