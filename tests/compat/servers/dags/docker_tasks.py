"""What the Docker provider does, on the engine that the file `docker_engine` names, with the image that the tests made."""

from __future__ import annotations

from pathlib import Path

import pendulum

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import DAG, task

DEFAULTS = {
    "image": "localhost/python:3.11",
    "docker_url": Path(__file__).with_name("docker_engine").read_text(),
    "network_mode": "none",
    "auto_remove": "force",
}

with DAG("docker", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), default_args=DEFAULTS):
    run = DockerOperator(
        task_id="run",
        command=["sh", "-c", "echo starting; echo $GREETING from {{ dag.dag_id }}"],
        environment={"GREETING": "hello"},
        private_environment={"PASSWORD": "{{ unrendered }}"},
        mem_limit="128m",
    )
    lines = DockerOperator(task_id="lines", command="seq 3", xcom_all=True)
    output = DockerOperator(
        task_id="output",
        command=["python3", "-c", "import pickle; pickle.dump({'a': [1, None]}, open('/tmp/airflow/out', 'wb'))"],
        retrieve_output=True,
        retrieve_output_path="/tmp/airflow/out",
    )
    fails = DockerOperator(task_id="fails", command="sh -c 'echo going; exit 7'")
    skips = DockerOperator(task_id="skips", command="sh -c 'exit 99'", skip_on_exit_code=99)
    late = DockerOperator(task_id="late", command="sleep 60", execution_timeout=pendulum.duration(seconds=3))

    @task.docker(**DEFAULTS, multiple_outputs=True)
    def summary(greeting, numbers):
        import platform

        print("in the container")
        return {"greeting": greeting, "total": sum(int(n) for n in numbers), "python": platform.python_version()[:4]}

    @task.docker(**DEFAULTS)
    def raises():
        raise ValueError("no such station")

    summary(run.output, lines.output)
    raises()
