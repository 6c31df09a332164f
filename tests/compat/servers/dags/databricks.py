"""What the Databricks provider does, on the connection `bricks`."""

from __future__ import annotations

import pendulum

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksRunNowOperator,
    DatabricksSubmitRunOperator,
)
from airflow.providers.databricks.operators.databricks_workflow import DatabricksWorkflowTaskGroup
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULTS = {"databricks_conn_id": "bricks"}
FAST = {"polling_period_seconds": 1, "databricks_retry_delay": 1}

with DAG("databricks", schedule=None, start_date=START, default_args=DEFAULTS):
    run_now = DatabricksRunNowOperator(task_id="run_now", job_id=7, notebook_params={"day": "{{ dag.dag_id }}"}, **FAST)
    submit = DatabricksSubmitRunOperator(
        task_id="submit",
        json={"new_cluster": {"spark_version": "15.4", "num_workers": 1}, "notebook_task": {"notebook_path": "/a"}},
        run_name="{{ ds_nodash | default('no date') }}",
        **FAST,
    )
    by_name = DatabricksRunNowOperator(task_id="by_name", job_name="nightly", deferrable=True, **FAST)
    deferred = DatabricksSubmitRunOperator(
        task_id="deferred",
        tasks=[{"task_key": "one", "notebook_task": {"notebook_path": "/b"}}],
        deferrable=True,
        **FAST,
    )
    fails = DatabricksSubmitRunOperator(task_id="fails", json={"notebook_task": {"notebook_path": "/fails"}}, **FAST)
    deferred_fails = DatabricksSubmitRunOperator(
        task_id="deferred_fails", json={"notebook_task": {"notebook_path": "/fails"}}, deferrable=True, **FAST
    )

    @task
    def hook():
        hook = DatabricksHook(databricks_conn_id="bricks")
        return {"jobs": [job["settings"]["name"] for job in hook.list_jobs()], "tested": hook.test_connection()}

    hook()


with (
    DAG("databricks_workflow", schedule=None, start_date=START),
    DatabricksWorkflowTaskGroup(group_id="workflow", databricks_conn_id="bricks"),
):
    first, second = (
        DatabricksNotebookOperator(
            task_id=name,
            databricks_conn_id="bricks",
            notebook_path=f"/{name}",
            source="WORKSPACE",
            polling_period_seconds=1,
        )
        for name in ("first", "second")
    )
    first >> second
