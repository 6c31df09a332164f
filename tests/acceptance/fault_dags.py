"""DAGs whose runs must end the same whatever is killed: every try of theirs writes one line into a journal first."""

import os
import time
from datetime import datetime, timedelta

from airflow import DAG
from airflow.decorators import task
from airflow.exceptions import AirflowFailException
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator
from airflow.sdk import BaseOperator
from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.triggers.base import StartTriggerArgs
from airflow.triggers.temporal import TimeDeltaTrigger

JOURNAL = os.environ["FAULT_JOURNAL"]
ARGS = {"retries": 40, "retry_delay": timedelta(0)}
OPTIONS = {"schedule": None, "start_date": datetime(2024, 1, 1), "catchup": False, "default_args": ARGS}


def journal(ti, piece="run"):
    """Say that this piece of this try has begun, in one atomic write."""
    line = f"{ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index} {ti.try_number} {piece} {os.getpid()}\n"
    with open(JOURNAL, "ab", buffering=0) as file:
        file.write(line.encode())
    time.sleep(0.1)


def work(ti):
    journal(ti)
    return ti.task_id


class Waits(BaseOperator):
    """Defers once."""

    def execute(self, context):
        journal(context["ti"], "begin")
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=0.1)), method_name="resume")

    def resume(self, context, event=None):
        journal(context["ti"], "resume")


class StartsInTrigger(BaseOperator):
    """Has no process before its trigger has fired."""

    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
        trigger_kwargs={"delta": timedelta(seconds=0.1)},
        next_method="resume",
    )

    def execute(self, context):
        raise AirflowFailException("there was no need of this process")

    def resume(self, context, event=None):
        journal(context["ti"], "resume")


class ByRun(PriorityWeightStrategy):
    """Has to be asked in each run."""

    def get_weight(self, ti):
        return len(ti.run_id) + ti.map_index


with DAG("chain", **OPTIONS):
    before = None
    for n in range(8):
        current = PythonOperator(task_id=f"t{n}", python_callable=work)
        if before is not None:
            before >> current
        before = current

with DAG("fan", **OPTIONS):
    first = PythonOperator(task_id="first", python_callable=work)
    last = PythonOperator(task_id="last", python_callable=work)
    for n in range(10):
        first >> PythonOperator(task_id=f"t{n}", python_callable=work) >> last

with DAG("branches", **OPTIONS):

    def choose(ti):
        journal(ti)
        return "left"

    branch = BranchPythonOperator(task_id="branch", python_callable=choose)
    left = PythonOperator(task_id="left", python_callable=work)
    right = PythonOperator(task_id="right", python_callable=work)
    join = PythonOperator(task_id="join", python_callable=work, trigger_rule="none_failed_min_one_success")
    branch >> [left, right] >> join

with DAG("mapped", **OPTIONS):

    @task
    def numbers(ti=None):
        journal(ti)
        return [1, 2, 3, 4]

    @task
    def double(x, ti=None):
        journal(ti)
        return 2 * x

    @task
    def total(xs, ti=None):
        journal(ti)
        assert sorted(xs) == [2, 4, 6, 8], list(xs)

    total(double.expand(x=numbers()))

with DAG("failing", **OPTIONS):

    def fail(ti):
        journal(ti)
        raise AirflowFailException("as it should")

    bad = PythonOperator(task_id="bad", python_callable=fail)
    never = EmptyOperator(task_id="never")
    after = PythonOperator(task_id="after", python_callable=work, trigger_rule="all_done")
    bad >> never
    bad >> after

with DAG("deferring", **OPTIONS):
    Waits(task_id="wait") >> PythonOperator(task_id="then", python_callable=work)

with DAG("starting", **OPTIONS):
    StartsInTrigger(task_id="wait") >> PythonOperator(task_id="then", python_callable=work)

with DAG("weighed", **OPTIONS):
    weighed = [PythonOperator(task_id=f"t{n}", python_callable=work, weight_rule=ByRun()) for n in range(3)]
    weighed[0] >> weighed[1] >> weighed[2]
