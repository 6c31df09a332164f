"""dbt by Cosmos in a virtual environment that Cosmos makes."""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode

PROJECT = Path(__file__).parent / "trains"
HOME = Path(os.environ["AIRFLOW_HOME"])

made = DbtDag(
    dag_id="dbt_virtualenv",
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    max_active_tasks=1,
    project_config=ProjectConfig(PROJECT, env_vars={"TRAINS_DATABASE": str(HOME / "virtualenv.duckdb")}),
    profile_config=ProfileConfig(
        profile_name="trains", target_name="dev", profiles_yml_filepath=PROJECT / "profiles.yml"
    ),
    execution_config=ExecutionConfig(execution_mode=ExecutionMode.VIRTUALENV, virtualenv_dir=HOME / "dbt-environment"),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_LS,
        invocation_mode=InvocationMode.SUBPROCESS,
        dbt_executable_path=os.environ["DBT_EXECUTABLE"],
        select=["stations", "stg_stations"],
    ),
    operator_args={
        "py_requirements": ["dbt-core<1.12", "dbt-duckdb"],
        "py_system_site_packages": False,
        "install_deps": False,
    },
)
