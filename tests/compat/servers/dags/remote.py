"""What the SSH and SFTP providers do, on the connections `machine` and `files`."""

from __future__ import annotations

import base64
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pendulum

from airflow.providers.sftp.hooks.sftp import SFTPHook
from airflow.providers.sftp.operators.sftp import SFTPOperator
from airflow.providers.sftp.sensors.sftp import SFTPSensor
from airflow.providers.ssh.hooks.ssh import SSHHook
from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.providers.ssh.operators.ssh_remote_job import SSHRemoteJobOperator
from airflow.sdk import DAG, Variable, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
FOLDER = "{{ var.value.remote_folder }}"

with DAG("ssh_commands", schedule=None, start_date=START, default_args={"ssh_conn_id": "machine"}):
    run = SSHOperator(task_id="run", command="echo {{ dag.dag_id }} on $(whoami); cd / && pwd", cmd_timeout=10)
    fails = SSHOperator(task_id="fails", command="echo going >&2; exit 3", cmd_timeout=10)
    skips = SSHOperator(task_id="skips", command="exit 99", cmd_timeout=10, skip_on_exit_code=99)
    late = SSHOperator(task_id="late", command="sleep 30", cmd_timeout=1)

    @task
    def hook():
        with SSHHook(ssh_conn_id="machine").get_conn() as client:
            _, out, _ = client.exec_command("printf '%s' \"$((6 * 7))\"")
            return out.read().decode()

    @task
    def read(encoded):
        return base64.b64decode(encoded).decode().split("\n")

    hook()
    read(run.output)


with DAG("ssh_remote_job", schedule=None, start_date=START):
    SSHRemoteJobOperator(
        task_id="job",
        ssh_conn_id="machine",
        command="sleep 0.2; echo the job is done",
        remote_base_dir=FOLDER + "/jobs",
        poll_interval=1,
        cleanup="on_success",
    )


with DAG("sftp_files", schedule=None, start_date=START):

    @task
    def write():
        local = Path(Variable.get("local_folder"), "out.csv")
        local.write_text("station,passengers\nAltona,12\n")

    put = SFTPOperator(
        task_id="put",
        ssh_conn_id="files",
        local_filepath="{{ var.value.local_folder }}/out.csv",
        remote_filepath=FOLDER + "/incoming/deep/out.csv",
        operation="put",
        create_intermediate_dirs=True,
    )
    sensor = SFTPSensor(
        task_id="sensor", sftp_conn_id="files", path=FOLDER + "/incoming/deep/out.csv", poke_interval=0.2, timeout=20
    )
    pattern = SFTPSensor(
        task_id="pattern",
        sftp_conn_id="files",
        path=FOLDER + "/incoming/deep",
        file_pattern="*.csv",
        deferrable=True,
        poke_interval=1,
        timeout=20,
    )
    get = SFTPOperator(
        task_id="get",
        ssh_conn_id="files",
        local_filepath="{{ var.value.local_folder }}/back.csv",
        remote_filepath=FOLDER + "/incoming/deep/out.csv",
        operation="get",
    )
    deferred = SFTPOperator(
        task_id="deferred",
        ssh_conn_id="files",
        local_filepath="{{ var.value.local_folder }}/deferred.csv",
        remote_filepath=FOLDER + "/incoming/deep/out.csv",
        operation="get",
        deferrable=True,
    )

    @task
    def look():
        hook = SFTPHook(ssh_conn_id="files")
        folder = Variable.get("remote_folder")
        local = Path(Variable.get("local_folder"))
        texts = [(local / name).read_text() for name in ("back.csv", "deferred.csv")]
        return {"names": hook.list_directory(f"{folder}/incoming/deep"), "same": len(set(texts)), "text": texts[0]}

    delete = SFTPOperator(
        task_id="delete", ssh_conn_id="files", remote_filepath=FOLDER + "/incoming/deep/out.csv", operation="delete"
    )

    write() >> put >> [sensor, pattern] >> get >> deferred >> look() >> delete


with DAG("sftp_waiting", schedule=None, start_date=START):
    waits = {"sftp_conn_id": "files", "path": FOLDER + "/arrivals/today.csv", "timeout": 60}
    SFTPSensor(task_id="deferred", deferrable=True, poke_interval=1, **waits)
    SFTPSensor(task_id="rescheduled", mode="reschedule", poke_interval=1, **waits)
    SFTPSensor(task_id="newer", newer_than=datetime(2020, 1, 1), deferrable=True, poke_interval=1, **waits)
    SFTPSensor(task_id="never", deferrable=True, poke_interval=0.2, **waits | {"timeout": 1, "path": "/no such file"})

    @task.sftp_sensor(task_id="decorated", deferrable=False, poke_interval=0.5, **waits)
    def decorated(line, files_found=()):
        return {"line": line, "found": files_found}

    @task
    def arrive():
        """What the others wait for."""
        SFTPHook(ssh_conn_id="files").get_conn().putfo(
            BytesIO(b"1"), Variable.get("remote_folder") + "/arrivals/today.csv"
        )

    @task
    def folder():
        SFTPHook(ssh_conn_id="files").create_directory(Variable.get("remote_folder") + "/arrivals")

    decorated(line="S1")
    folder() >> arrive()
