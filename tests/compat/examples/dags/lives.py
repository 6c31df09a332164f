"""What becomes of a try: retries, failures, setups and teardowns, deferrals, runs that make runs."""

from __future__ import annotations

from datetime import timedelta

import pendulum

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, TaskGroup, get_current_context, setup, task, teardown
from airflow.sdk.exceptions import AirflowFailException

START = pendulum.datetime(2024, 1, 1, tz="UTC")

with DAG("compat_tries", schedule=None, start_date=START, default_args={"retry_delay": timedelta(0)}):

    @task(retries=3)
    def third_time_lucky():
        context = get_current_context()
        if context["ti"].try_number < 3:
            raise ValueError("not yet")
        return context["ti"].try_number

    @task(retries=1)
    def never():
        raise ValueError("never")

    @task(retries=5)
    def no_use():
        raise AirflowFailException("no use in trying again")

    @task(retries=2, execution_timeout=timedelta(seconds=1))
    def slow():
        import time

        if get_current_context()["ti"].try_number == 1:
            time.sleep(60)

    third_time_lucky()
    never() >> EmptyOperator(task_id="after_never")
    no_use()
    slow()

with DAG("compat_setups", schedule=None, start_date=START):

    @setup
    def prepare():
        return "prepared"

    @teardown
    def tidy(what):
        return f"{what} is tidy"

    @task
    def work():
        raise ValueError("work fails")

    with TaskGroup("tolerant"):
        ready = prepare()
        work() >> tidy(ready)

    @setup
    def broken_setup():
        raise ValueError("setup fails")

    @task
    def never_done():
        return 1

    with TaskGroup("broken"):
        start = broken_setup()
        done = EmptyOperator(task_id="tidy").as_teardown(setups=start)
        start >> never_done() >> done

    with TaskGroup("fine"):
        first = PythonOperator(task_id="first", python_callable=lambda: 1).as_setup()
        second = PythonOperator(task_id="second", python_callable=lambda: 2)
        third = PythonOperator(task_id="third", python_callable=lambda: 3).as_teardown(setups=first)
        first >> second >> third >> EmptyOperator(task_id="after")

with DAG("compat_failing_teardown", schedule=None, start_date=START):
    made = PythonOperator(task_id="made", python_callable=lambda: 1).as_setup()
    used = PythonOperator(task_id="used", python_callable=lambda: 2)

    def fail():
        raise ValueError("the teardown fails")

    made >> used >> PythonOperator(task_id="tidy", python_callable=fail).as_teardown(setups=made)

with DAG("compat_strict_teardown", schedule=None, start_date=START):
    made = PythonOperator(task_id="made", python_callable=lambda: 1).as_setup()
    used = PythonOperator(task_id="used", python_callable=lambda: 2)
    strict = PythonOperator(task_id="tidy", python_callable=fail)
    made >> used >> strict.as_teardown(setups=made, on_failure_fail_dagrun=True)

with DAG("compat_fail_fast", schedule=None, start_date=START, fail_fast=True):

    @task
    def bad():
        raise ValueError("one fails")

    @task
    def patient():
        return 1

    bad() >> patient()

with DAG("compat_waiting", schedule=None, start_date=START):
    PythonSensor(task_id="poked", python_callable=lambda: True, poke_interval=1)
    PythonSensor(task_id="in_vain", python_callable=lambda: False, poke_interval=0.2, timeout=0.5, soft_fail=True)
    PythonSensor(task_id="too_late", python_callable=lambda: False, poke_interval=0.2, timeout=0.5)
    TimeDeltaSensor(task_id="deferred", delta=timedelta(seconds=1), deferrable=True)

    @task.sensor(mode="reschedule", poke_interval=0.5)
    def rescheduled():
        from airflow.sdk import PokeReturnValue

        started = get_current_context()["dag_run"].start_date
        return PokeReturnValue(pendulum.now("UTC") > started + timedelta(seconds=2), xcom_value="done")

    rescheduled()

with DAG("compat_called", schedule=None, start_date=START):

    @task
    def told(dag_run=None):
        return dag_run.conf["message"]

    told()

with DAG("compat_caller", schedule=None, start_date=START):
    calls = TriggerDagRunOperator(
        task_id="calls",
        trigger_dag_id="compat_called",
        conf={"message": "{{ ds }} {{ task.task_id }}"},
        wait_for_completion=True,
        poke_interval=1,
    )
    calls >> EmptyOperator(task_id="called")
