"""What policies can be asked; a package's policy takes as many of the arguments as it likes."""

from __future__ import annotations

from typing import Any

from pluggy import HookspecMarker

hookspec = HookspecMarker("airflow.policy")


@hookspec
def task_policy(task: Any) -> None:
    """Change a task of a DAG that was imported, or raise AirflowClusterPolicyViolation."""


@hookspec
def dag_policy(dag: Any) -> None:
    """Change a DAG that was imported, or raise AirflowClusterPolicyViolation or AirflowClusterPolicySkipDag."""


@hookspec
def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Change where and how urgently the instances of a task run."""


@hookspec
def pod_mutation_hook(pod: Any) -> None:
    """Change a pod before it is sent to Kubernetes."""


@hookspec(firstresult=True)
def get_airflow_context_vars(context: Any) -> dict[str, str] | None:
    """Return what else a task finds in its environment."""


@hookspec(firstresult=True)
def get_dagbag_import_timeout(dag_file_path: str) -> float | None:
    """Return how many seconds the import of a DAG file may take; 0 for any."""
