"""What the Spark provider does, on the connection `spark`: a Spark in the task's process, and one by spark-submit."""

from __future__ import annotations

from pathlib import Path

import pendulum

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, task

SMALL = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.driver.bindAddress": "127.0.0.1"}

with DAG("spark", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), max_active_tasks=1):

    @task.pyspark(conn_id="spark", config_kwargs=SMALL)
    def decorated(lines, spark):
        frame = spark.createDataFrame([(line, number) for number, line in enumerate(lines)], ["line", "number"])
        found = frame.groupBy().sum("number").collect()[0][0]
        return {"sum": found, "count": frame.count()}

    submit = SparkSubmitOperator(
        task_id="submit",
        conn_id="spark",
        application=str(Path(__file__).parent / "jobs/count.py"),
        application_args=["{{ dag.dag_id }}"],
        conf=SMALL,
        verbose=False,
    )
    decorated(["S1", "S3", "S11"]) >> submit
