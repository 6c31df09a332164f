"""Tasks of all kinds that OpenLineage tells of; the connection `warehouse` is a PostgreSQL. Real Airflow runs it too."""

from __future__ import annotations

import datetime as dt

from airflow.exceptions import AirflowSkipException
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, Asset, BaseOperator, Label, TaskGroup, get_current_context, task

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
WHEN = "2026-03-03T06:00:00+00:00"
FILE = Asset("file:///srv/trains/stations.csv")
MACRO = "macros.OpenLineageProviderPlugin"


class Waits(BaseOperator):
    """Waits in the triggerer."""

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(dt.timedelta(seconds=5)), method_name="resume")

    def resume(self, context, event):
        return "resumed"


with DAG(
    "lineage",
    schedule=None,
    start_date=START,
    description="Trains",
    tags=["trains", "daily"],
    default_args={"owner": "ada"},
    max_active_tasks=2,
):

    @task(outlets=[FILE], inlets=[Asset("file:///srv/trains/raw.csv")], doc_md="Writes *stations*.")
    def python():
        return 1

    bash = BashOperator(
        task_id="bash",
        bash_command=f"echo {{{{ {MACRO}.lineage_job_namespace() }}}} {{{{ {MACRO}.lineage_run_id(task_instance) }}}}",
        env={"SECRET_KEY": "hidden", "LINE": "S1"},
    )
    make = SQLExecuteQueryOperator(
        task_id="make",
        conn_id="warehouse",
        sql=["CREATE TABLE IF NOT EXISTS lines (name text, trains int)", "INSERT INTO lines VALUES ('S1', 120)"],
    )
    select = SQLExecuteQueryOperator(
        task_id="select",
        conn_id="warehouse",
        sql="CREATE TABLE IF NOT EXISTS busy AS SELECT name FROM lines WHERE trains > 100",
    )

    @task
    def mapped(line):
        return line

    @task
    def skips():
        raise AirflowSkipException("not today")

    @task
    def fails():
        raise ValueError("no such station")

    @task(retries=1, retry_delay=dt.timedelta(seconds=0.1))
    def again():
        if get_current_context()["ti"].try_number == 1:
            raise ValueError("not yet")

    @task.sensor(mode="reschedule", poke_interval=5, timeout=60)
    def sensor():
        return get_current_context()["task_reschedule_count"] > 0

    with TaskGroup("waiting", tooltip="Waits and triggers"):
        waits = Waits(task_id="waits")
        trigger = TriggerDagRunOperator(
            task_id="trigger", trigger_dag_id="lineage_child", trigger_run_id="child", logical_date=WHEN
        )
        waits >> Label("then") >> trigger

    python() >> bash >> make >> select
    mapped.expand(line=["S1", "S3"]) >> [skips(), fails(), again()]
    sensor()


with DAG("lineage_child", schedule=None, start_date=START):

    @task(task_id="works")
    def child():
        return 2

    child()


with DAG("lineage_of_asset", schedule=[FILE], start_date=START):

    @task
    def consumes():
        return 3

    consumes()
