"""dbt as the course's notes have it: in a Bash task, as a DAG of its own and as a group of tasks, by Cosmos."""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from cosmos import DbtDag, DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior
from cosmos.profiles.duckdb import DuckDBUserPasswordProfileMapping

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
PROJECT = Path(__file__).parent / "trains"
HOME = Path(os.environ["AIRFLOW_HOME"])
DBT = os.environ["DBT_EXECUTABLE"]

EXECUTION = ExecutionConfig(
    execution_mode=ExecutionMode.LOCAL, invocation_mode=InvocationMode.SUBPROCESS, dbt_executable_path=DBT
)


with DAG("dbt_bash", schedule=None, start_date=START):
    BashOperator(
        task_id="build",
        bash_command=f"{DBT} build --target-path $AIRFLOW_HOME/target --log-path $AIRFLOW_HOME/dbt-logs",
        env={"TRAINS_DATABASE": str(HOME / "bash.duckdb"), "DBT_PROFILES_DIR": str(PROJECT)},
        append_env=True,
        cwd=str(PROJECT),
    )


dbt_dag = DbtDag(
    dag_id="dbt_dag",
    schedule=None,
    start_date=START,
    max_active_tasks=1,
    project_config=ProjectConfig(PROJECT, env_vars={"TRAINS_DATABASE": str(HOME / "dag.duckdb")}),
    profile_config=ProfileConfig(
        profile_name="trains", target_name="dev", profiles_yml_filepath=PROJECT / "profiles.yml"
    ),
    execution_config=EXECUTION,
    render_config=RenderConfig(
        load_method=LoadMode.DBT_LS, invocation_mode=InvocationMode.SUBPROCESS, dbt_executable_path=DBT
    ),
)


with DAG("dbt_group", schedule=None, start_date=START, max_active_tasks=1):

    @task
    def before():
        return "ready"

    @task
    def after(said):
        return f"{said} and done"

    group = DbtTaskGroup(
        group_id="transform",
        project_config=ProjectConfig(PROJECT),
        profile_config=ProfileConfig(
            profile_name="trains",
            target_name="dev",
            profile_mapping=DuckDBUserPasswordProfileMapping(
                conn_id="duck", profile_args={"path": str(HOME / "group.duckdb")}
            ),
        ),
        execution_config=EXECUTION,
        render_config=RenderConfig(
            load_method=LoadMode.DBT_LS,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=DBT,
            test_behavior=TestBehavior.AFTER_ALL,
            select=["+lines"],
        ),
        operator_args={"install_deps": False},
    )
    said = before()
    said >> group >> after(said)
