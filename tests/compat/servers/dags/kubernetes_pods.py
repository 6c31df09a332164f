"""What the Kubernetes provider does with pods, on the connection `cluster`."""

from __future__ import annotations

import pendulum

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.sdk import DAG, task

DEFAULTS = {
    "kubernetes_conn_id": "cluster",
    "namespace": "trains",
    "image": "localhost/python:3.11",
    "startup_check_interval_seconds": 1,
    "poll_interval": 1,
}

with DAG(
    "kubernetes_pods",
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    default_args=DEFAULTS,
    max_active_tasks=4,
):
    KubernetesPodOperator(
        task_id="run",
        name="of-{{ dag.dag_id | replace('_', '-') }}",
        cmds=["sh", "-c"],
        arguments=["echo starting; sleep 1; echo $GREETING from {{ dag.dag_id }}"],
        env_vars={"GREETING": "hello"},
        labels={"line": "S1"},
        secrets=[Secret("env", "PASSWORD", "passwords", "password")],
        container_resources={"limits": {"memory": "64Mi"}},
    )
    KubernetesPodOperator(
        task_id="deferred",
        cmds=["sh", "-c", "echo deferring; sleep 2; echo and done"],
        deferrable=True,
        on_finish_action="keep_pod",
    )
    KubernetesPodOperator(task_id="fails", cmds=["sh", "-c", "echo going; exit 7"])
    KubernetesPodOperator(task_id="deferred_fails", cmds=["sh", "-c", "exit 5"], deferrable=True)
    KubernetesPodOperator(task_id="skips", cmds=["sh", "-c", "exit 99"], skip_on_exit_code=99)
    KubernetesPodOperator(task_id="late", cmds=["sleep", "600"], execution_timeout=pendulum.duration(seconds=5))
    mapped = KubernetesPodOperator.partial(task_id="mapped", cmds=["echo"]).expand(arguments=[["first"], ["second"]])

    @task.kubernetes(**DEFAULTS, do_xcom_push=False)
    def decorated(name, numbers):
        print(f"{name} has {sum(numbers)}")

    @task.kubernetes_cmd(**DEFAULTS)
    def command(name):
        return ["echo", f"a command of {name}"]

    decorated("Altona", [1, 2])
    command("Altona")
