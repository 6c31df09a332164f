"""What the SQL and PostgreSQL providers do, on the connections `warehouse` and `archive`."""

from __future__ import annotations

import os

import pendulum

from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer
from airflow.providers.common.sql.operators.sql import (
    BranchSQLOperator,
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLInsertRowsOperator,
    SQLTableCheckOperator,
    SQLThresholdCheckOperator,
    SQLValueCheckOperator,
)
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULTS = {"conn_id": "warehouse"}


with DAG("postgresql_queries", schedule=None, start_date=START, default_args=DEFAULTS, max_active_tasks=4):
    make = SQLExecuteQueryOperator(
        task_id="make",
        sql=[
            "DROP TABLE IF EXISTS stations",
            "CREATE TABLE stations (id int PRIMARY KEY, name text, passengers numeric(8, 2), opened date)",
        ],
    )
    fill = SQLExecuteQueryOperator(
        task_id="fill",
        sql="""
            INSERT INTO stations VALUES (1, 'Altona', 12.50, '1847-09-18');
            INSERT INTO stations VALUES (2, 'Dammtor', %(passengers)s, '{{ params.opened }}');
        """,
        split_statements=True,
        parameters={"passengers": 99.25},
        params={"opened": "1903-06-07"},
    )
    select = SQLExecuteQueryOperator(task_id="select", sql="SELECT * FROM stations ORDER BY id")
    of_file = SQLExecuteQueryOperator(task_id="of_file", sql="sql/busy.sql", params={"at_least": 20})
    mapped = SQLExecuteQueryOperator.partial(
        task_id="mapped", sql="SELECT name FROM stations WHERE id = %(id)s", show_return_value_in_logs=True
    ).expand(parameters=[{"id": 1}, {"id": 2}])

    @task.sql(conn_id="warehouse")
    def decorated():
        return "SELECT count(*) FROM stations"

    @task
    def read(rows):
        return [type(rows).__name__, str(rows[1][2]), str(rows[1][3])]

    make >> fill >> [select, of_file, mapped, decorated()]
    read(select.output)


with DAG("postgresql_hook", schedule=None, start_date=START):

    @task
    def hook():
        hook = PostgresHook(postgres_conn_id="warehouse")
        hook.run("DROP TABLE IF EXISTS trains; CREATE TABLE trains (number int PRIMARY KEY, line text)")
        hook.insert_rows("trains", [(1, "S1"), (2, "S3")], target_fields=["number", "line"])
        hook.insert_rows(
            "trains",
            [(2, "S2"), (3, "S3")],
            target_fields=["number", "line"],
            replace=True,
            replace_index="number",
        )
        hook.copy_expert("COPY trains TO STDOUT WITH CSV HEADER", "trains.csv")
        with open("trains.csv") as file:
            copied = file.read().splitlines()
        os.remove("trains.csv")
        frame = hook.get_df("SELECT * FROM trains ORDER BY number")
        with hook.get_conn() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('application_name')")
            application = cursor.fetchone()[0]
        return {
            "records": hook.get_records("SELECT * FROM trains WHERE number > %s ORDER BY number", parameters=(1,)),
            "first": hook.get_first("SELECT count(*) FROM trains"),
            "lines": list(frame["line"]),
            "numbers": int(hook.get_pandas_df("SELECT * FROM trains")["number"].sum()),
            "copied": copied,
            "key": hook.get_table_primary_key("trains"),
            "uri": hook.get_uri().split(":")[0],
            "application": application,
        }

    hook()


with DAG("postgresql_checks", schedule=None, start_date=START, default_args=DEFAULTS, max_active_tasks=4):
    rows = SQLInsertRowsOperator(
        task_id="rows",
        table_name="fares",
        columns=["zone", "price"],
        rows=[("A", 3), ("B", 5), ("C", 8)],
        preoperator=["DROP TABLE IF EXISTS fares, late", "CREATE TABLE fares (zone text, price int)"],
    )
    checks = [
        SQLColumnCheckOperator(
            task_id="columns",
            table="fares",
            column_mapping={
                "price": {"min": {"geq_to": 3}, "max": {"less_than": 9}, "null_check": {"equal_to": 0}},
                "zone": {"unique_check": {"equal_to": 0}},
            },
        ),
        SQLTableCheckOperator(task_id="table", table="fares", checks={"three": {"check_statement": "COUNT(*) = 3"}}),
        SQLCheckOperator(task_id="check", sql="SELECT count(*) FROM fares"),
        SQLValueCheckOperator(task_id="value", sql="SELECT sum(price) FROM fares", pass_value=15, tolerance=0.1),
        SQLThresholdCheckOperator(
            task_id="threshold", sql="SELECT max(price) FROM fares", min_threshold=7, max_threshold=9
        ),
        SQLTableCheckOperator(task_id="wrong", table="fares", checks={"four": {"check_statement": "COUNT(*) = 4"}}),
        SqlSensor(task_id="sensor", sql="SELECT count(*) FROM fares WHERE price > 7", poke_interval=0.2, timeout=10),
        SqlSensor(
            task_id="later",
            sql="SELECT count(*) FROM information_schema.tables WHERE table_name = 'late'",
            mode="reschedule",
            poke_interval=0.2,
            timeout=20,
        ),
    ]
    branch = BranchSQLOperator(
        task_id="branch",
        sql="SELECT count(*) = 3 FROM fares",
        follow_task_ids_if_true="three",
        follow_task_ids_if_false="other",
    )

    @task
    def three(): ...

    @task
    def other(): ...

    arrive = SQLExecuteQueryOperator(task_id="arrive", sql="CREATE TABLE late ()")
    rows >> branch >> [third := three(), other()]
    third >> arrive
    rows >> checks


with DAG("postgresql_transfer", schedule=None, start_date=START):
    (
        GenericTransfer(
            task_id="whole",
            sql="SELECT n AS number, n * n AS square FROM generate_series(1, 5) n",
            destination_table="squares",
            source_conn_id="warehouse",
            destination_conn_id="archive",
            preoperator=["DROP TABLE IF EXISTS squares", "CREATE TABLE squares (number int, square int)"],
        )
        >> GenericTransfer(
            task_id="paged",
            sql="SELECT n AS number, n * n * n AS cube FROM generate_series(1, 5) n ORDER BY 1",
            destination_table="cubes",
            source_conn_id="warehouse",
            destination_conn_id="archive",
            preoperator=["DROP TABLE IF EXISTS cubes", "CREATE TABLE cubes (number int, cube int)"],
            page_size=2,
        )
        >> SQLExecuteQueryOperator(
            task_id="sums",
            conn_id="archive",
            sql="SELECT (SELECT sum(square) FROM squares), (SELECT sum(cube) FROM cubes), (SELECT count(*) FROM cubes)",
        )
    )
