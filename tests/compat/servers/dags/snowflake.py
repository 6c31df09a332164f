"""What the Snowflake provider does, on the connection `snow`, with what the course's notes need of it."""

from __future__ import annotations

import pendulum

from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLExecuteQueryOperator
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from airflow.providers.snowflake.operators.snowflake import SnowflakeCheckOperator
from airflow.sdk import DAG, task

with DAG(
    "snowflake", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), default_args={"conn_id": "snow"}
):
    make = SQLExecuteQueryOperator(
        task_id="make",
        sql="""
            CREATE OR REPLACE TABLE stations (id int, name varchar, opened timestamp_ntz);
            INSERT INTO stations VALUES (1, 'Altona', '1847-09-18 06:00:00'), (2, '{{ params.name }}', '2001-06-07 08:09:10');
        """,
        split_statements=True,
        params={"name": "Dammtor"},
    )
    select = SQLExecuteQueryOperator(
        task_id="select",
        sql="SELECT id, name, opened FROM stations WHERE id >= %(id)s ORDER BY id",
        parameters={"id": 1},
        hook_params={"session_parameters": {"QUERY_TAG": "gnomon"}},
    )
    columns = SQLColumnCheckOperator(
        task_id="columns", table="stations", column_mapping={"ID": {"unique_check": {"equal_to": 0}}}
    )
    check = SnowflakeCheckOperator(task_id="check", snowflake_conn_id="snow", sql="SELECT count(*) = 2 FROM stations")

    @task
    def hook():
        hook = SnowflakeHook(snowflake_conn_id="snow")
        frame = hook.get_df("SELECT name FROM stations ORDER BY id")
        return {
            "first": hook.get_first("SELECT current_database(), current_schema()"),
            "names": list(frame.iloc[:, 0]),
            "written": hook.run(
                "INSERT INTO stations SELECT 3, 'Harburg', null", handler=lambda cursor: cursor.rowcount
            ),
            "query_ids": len(hook.query_ids),
        }

    make >> select >> [columns, check] >> hook()
