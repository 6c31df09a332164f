"""What the Amazon provider does with S3, on the connection `aws`."""

from __future__ import annotations

import json

import pendulum

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.s3 import (
    S3CopyObjectOperator,
    S3CreateBucketOperator,
    S3CreateObjectOperator,
    S3DeleteObjectsOperator,
    S3FileTransformOperator,
    S3ListOperator,
)
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.transfers.local_to_s3 import LocalFilesystemToS3Operator
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
BUCKET = "stations"
DEFAULTS = {"aws_conn_id": "aws"}


with DAG("s3_objects", schedule=None, start_date=START, default_args=DEFAULTS):
    bucket = S3CreateBucketOperator(task_id="bucket", bucket_name=BUCKET)
    create = S3CreateObjectOperator(
        task_id="create",
        s3_bucket=BUCKET,
        s3_key="raw/{{ params.day }}.json",
        data='{"run": "{{ dag.dag_id }}"}',
        params={"day": "2024-01-01"},
        replace=True,
    )
    local = LocalFilesystemToS3Operator(
        task_id="local", filename="{{ var.value.s3_file }}", dest_bucket=BUCKET, dest_key="raw/local.csv", replace=True
    )
    copy = S3CopyObjectOperator(
        task_id="copy",
        source_bucket_name=BUCKET,
        source_bucket_key="raw/2024-01-01.json",
        dest_bucket_key=f"s3://{BUCKET}/copied/day.json",
    )
    transformed = S3FileTransformOperator(
        task_id="transformed",
        source_s3_key=f"s3://{BUCKET}/raw/local.csv",
        dest_s3_key=f"s3://{BUCKET}/new/local.csv",
        source_aws_conn_id="aws",
        dest_aws_conn_id="aws",
        transform_script="cp",
        script_args=["--verbose"],
        replace=True,
    )
    listed = S3ListOperator(task_id="listed", bucket=BUCKET)
    delete = S3DeleteObjectsOperator(task_id="delete", bucket=BUCKET, prefix="raw/")
    poke = S3KeySensor(task_id="poke", bucket_name=BUCKET, bucket_key="copied/*.json", wildcard_match=True, timeout=20)

    @task
    def hook():
        hook = S3Hook(aws_conn_id="aws")
        hook.load_string("x", "hook/x.txt", bucket_name=BUCKET, replace=True)
        return {
            "copied": json.loads(hook.read_key("copied/day.json", BUCKET)),
            "transformed": hook.read_key("new/local.csv", BUCKET),
            "raw": hook.check_for_prefix("raw/", "/", BUCKET),
            "keys": hook.list_keys(BUCKET),
        }

    bucket >> [create, local] >> copy >> transformed >> listed >> delete >> poke >> hook()


with DAG("s3_waiting", schedule=None, start_date=START, default_args=DEFAULTS):
    waits = {"bucket_name": "arrivals", "timeout": 60, "poke_interval": 1}
    S3KeySensor(task_id="deferred", bucket_key="today.csv", deferrable=True, **waits)
    S3KeySensor(
        task_id="rescheduled", bucket_key="s3://arrivals/today.csv", mode="reschedule", timeout=60, poke_interval=1
    )
    S3KeySensor(
        task_id="checked",
        bucket_key="today.csv",
        check_fn=lambda files, **context: context["ti"].task_id == "checked" and files[0]["Size"] == 5,
        deferrable=True,
        **waits,
    )

    @task
    def arrive():
        """What the others wait for."""
        S3Hook(aws_conn_id="aws").load_string("a,b,c", "today.csv", bucket_name="arrivals", replace=True)

    S3CreateBucketOperator(task_id="bucket", bucket_name="arrivals") >> arrive()
