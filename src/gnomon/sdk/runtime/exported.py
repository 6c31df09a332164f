"""The environment variables that tell a task's subprocesses what they run for."""

from __future__ import annotations

from typing import Any

_PREFIX = "AIRFLOW_CTX_"
DEFAULT_FORMAT_PREFIX = "airflow.ctx."
ENV_VAR_FORMAT_PREFIX = _PREFIX

#: Under which names each of them is known: as an environment variable, and in the settings of other systems.
AIRFLOW_VAR_NAME_FORMAT_MAPPING = {
    f"AIRFLOW_CONTEXT_{name}": {
        "default": DEFAULT_FORMAT_PREFIX + name.lower(),
        "env_var_format": ENV_VAR_FORMAT_PREFIX + name,
    }
    for name in (
        "DAG_ID", "TASK_ID", "LOGICAL_DATE", "EXECUTION_DATE", "TRY_NUMBER", "DAG_RUN_ID", "DAG_OWNER", "DAG_EMAIL",
        "TEAM_NAME",
    )
}  # fmt: skip


def context_to_airflow_vars(context: Any, in_env_var_format: bool = False) -> dict[str, str]:
    """Return the names of what runs: DAG, run, task, try, logical date, owner.

    Args:
        context: the context of the task.
        in_env_var_format: AIRFLOW_CTX_DAG_ID instead of airflow.ctx.dag_id.
    """
    found = variables(context["ti"], in_env_var_format=in_env_var_format)
    return {**found, **policies_variables(context, in_env_var_format=in_env_var_format)}


def policies_variables(context: Any, *, in_env_var_format: bool = True) -> dict[str, str]:
    """Return what the cluster policies add to it."""
    from gnomon.sdk import policies

    prefix = _PREFIX if in_env_var_format else "airflow.ctx."
    return {
        name if name.startswith(prefix) else prefix + (name.upper() if in_env_var_format else name): value
        for name, value in policies.context_variables(context).items()
    }


def variables(ti: Any, *, in_env_var_format: bool = True) -> dict[str, str]:
    """Return the same for a task instance."""
    task = ti.task
    email = getattr(task, "email", None)
    found = {
        "DAG_OWNER": getattr(task, "owner", None),
        "DAG_EMAIL": ",".join(email) if isinstance(email, list | tuple | set) else email,
        "DAG_ID": ti.dag_id,
        "TASK_ID": ti.task_id,
        "LOGICAL_DATE": ti.dag_run.logical_date_text,
        "TRY_NUMBER": ti.try_number,
        "DAG_RUN_ID": ti.run_id,
    }
    if ti.profile == 2:
        found["EXECUTION_DATE"] = found["LOGICAL_DATE"]
    given = {name: str(value) for name, value in found.items() if value}
    if in_env_var_format:
        return {_PREFIX + name: value for name, value in given.items()}
    return {f"airflow.ctx.{name.lower()}": value for name, value in given.items()}
