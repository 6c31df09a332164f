"""The SQL and PostgreSQL providers on a PostgreSQL."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def warehouse(deployment, postgres_database):
    port, database = postgres_database
    for conn_id in ("warehouse", "archive"):
        deployment.connection(
            conn_id,
            "postgres",
            host="127.0.0.1",
            port=port,
            login="postgres",
            password="secret",
            schema=database,
            extra={"application_name": conn_id},
        )
    deployment.add("postgresql.py", "sql")
    return deployment


@pytest.mark.quick
def test_queries_of_a_task_a_file_a_decorator_and_of_mapped_tasks(warehouse):
    run = warehouse.run("postgresql_queries")
    assert run.state == "success", run.why()
    assert run.xcom("read") == ["list", "99.25", "1903-06-07"]
    assert run.xcom("of_file") == [["Dammtor", "99.25"]]
    assert [run.xcom("mapped", map_index=n) for n in (0, 1)] == [[["Altona"]], [["Dammtor"]]]
    assert run.xcom("decorated") == [[2]]


def test_the_hook(warehouse):
    run = warehouse.run("postgresql_hook")
    assert run.state == "success", run.why()
    assert run.xcom("hook") == {
        "records": [[2, "S2"], [3, "S3"]],
        "first": [3],
        "lines": ["S1", "S2", "S3"],
        "numbers": 6,
        "copied": ["number,line", "1,S1", "2,S2", "3,S3"],
        "key": ["number"],
        "uri": "postgresql+psycopg",
        "application": "warehouse",
    }


def test_checks_sensors_and_a_branch(warehouse):
    run = warehouse.run("postgresql_checks")
    unsuccessful = {name: state for name, state in run.states.items() if state != "success"}
    assert unsuccessful == {"wrong": "failed", "other": "skipped"}, run.why()
    assert "four" in run.log("wrong")


def test_a_transfer_at_once_and_one_that_defers_between_pages(warehouse):
    run = warehouse.run("postgresql_transfer")
    assert run.state == "success", run.why()
    assert run.xcom("sums") == [[55, 225, 5]]
