"""What the SQLite and MySQL providers do, on the connections `file` and `server`."""

from __future__ import annotations

import pendulum

from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLExecuteQueryOperator
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.mysql.hooks.mysql import MySqlHook
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")


def tasks(conn_id, hook_of, placeholder):
    make = SQLExecuteQueryOperator(
        task_id="make",
        conn_id=conn_id,
        sql=[
            "DROP TABLE IF EXISTS stations",
            "CREATE TABLE stations (id int PRIMARY KEY, name varchar(50), passengers decimal(8, 2), opened date)",
        ],
    )
    fill = SQLExecuteQueryOperator(
        task_id="fill",
        conn_id=conn_id,
        sql=f"""
            INSERT INTO stations VALUES (1, 'Altona', 12.50, '1847-09-18');
            INSERT INTO stations VALUES (2, 'Dammtor', {placeholder}, '{{{{ params.opened }}}}');
        """,
        split_statements=True,
        parameters={"passengers": 99.25} if conn_id == "server" else None,
        params={"opened": "1903-06-07"},
    )
    select = SQLExecuteQueryOperator(task_id="select", conn_id=conn_id, sql="SELECT * FROM stations ORDER BY id")
    check = SQLColumnCheckOperator(
        task_id="check",
        conn_id=conn_id,
        table="stations",
        column_mapping={"passengers": {"min": {"geq_to": 12}}, "name": {"null_check": {"equal_to": 0}}},
    )
    sensor = SqlSensor(
        task_id="sensor", conn_id=conn_id, sql="SELECT count(*) FROM stations", poke_interval=0.2, timeout=10
    )
    wrong = SQLExecuteQueryOperator(task_id="wrong", conn_id=conn_id, sql="SELECT no_such_column FROM stations")

    @task
    def hook():
        hook = hook_of(conn_id)
        hook.insert_rows("stations", [(3, "Harburg", 1, None)], replace=True, target_fields=None)
        return {
            "first": hook.get_first("SELECT name FROM stations WHERE passengers > 50"),
            "names": list(hook.get_df("SELECT name FROM stations ORDER BY id")["name"]),
            "uri": hook.get_uri().split(":")[0],
            "tested": hook.test_connection()[0],
        }

    @task
    def read(rows):
        return [str(value) for value in rows[1]]

    make >> fill >> select >> [check, sensor, wrong, hook()]
    read(select.output)


with DAG("sqlite", schedule=None, start_date=START, max_active_tasks=1):
    tasks("file", SqliteHook, "99.25")

with DAG("mysql", schedule=None, start_date=START, max_active_tasks=2):
    tasks("server", MySqlHook, "%(passengers)s")

with DAG("between_databases", schedule=None, start_date=START):
    GenericTransfer(
        task_id="there",
        sql="SELECT id, name FROM stations WHERE id < 3",
        destination_table="copies",
        source_conn_id="file",
        destination_conn_id="server",
        preoperator=["DROP TABLE IF EXISTS copies", "CREATE TABLE copies (id int, name text)"],
    ) >> SQLExecuteQueryOperator(task_id="count", conn_id="server", sql="SELECT count(*), min(name) FROM copies")
