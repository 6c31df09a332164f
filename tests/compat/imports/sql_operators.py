"""Runs in an environment with provider packages: makes the operators that each database had."""

from __future__ import annotations

import json

from airflow.contrib.operators.snowflake_operator import SnowflakeOperator
from airflow.operators.postgres_operator import PostgresOperator
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.postgres.operators.postgres import PostgresOperator as OfTheProvider
from airflow.sdk import DAG

with DAG("d"):
    postgres = PostgresOperator(
        task_id="p", sql="select 1", postgres_conn_id="pg", database="x", runtime_parameters={"lock_timeout": "3s"}
    )
    snowflake = SnowflakeOperator(task_id="s", sql="select 1", warehouse="w")

for one in (postgres, snowflake):
    print(
        json.dumps(
            {
                "type": one.task_type,
                "conn_id": one.conn_id,
                "database": one.database,
                "hook_params": one.hook_params,
                "is_sql": isinstance(one, SQLExecuteQueryOperator) and PostgresOperator is OfTheProvider,
            }
        )
    )
