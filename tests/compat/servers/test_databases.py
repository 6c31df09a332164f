"""The SQLite provider on a file and the MySQL provider on a MariaDB, with the client that is no C extension."""

from __future__ import annotations

import pytest

from tests.compat.servers import starting


@pytest.fixture(scope="module")
def databases(deployment):
    with starting.mysql() as port:
        deployment.connection("file", "sqlite", host=str(deployment.home / "stations.sqlite"))
        login = {"login": "ada", "password": "secret", "schema": "trains"}
        extra = {"client": "mysql-connector-python", "charset": "utf8mb4", "collation": "utf8mb4_general_ci"}
        deployment.connection("server", "mysql", host="127.0.0.1", port=port, extra=extra, **login)
        deployment.add("databases.py")
        yield deployment


@pytest.mark.parametrize(
    ("dag_id", "uri", "decimal"), [("sqlite", "sqlite", "99.25"), ("mysql", "mysql+mysqlconnector", "99.25")]
)
def test_queries_checks_and_the_hook(databases, dag_id, uri, decimal):
    run = databases.run(dag_id)
    assert {name for name, state in run.states.items() if state != "success"} == {"wrong"}, run.why()
    assert run.xcom("read") == ["2", "Dammtor", decimal, "1903-06-07"]
    assert run.xcom("hook") == {
        "first": ["Dammtor"],
        "names": ["Altona", "Dammtor", "Harburg"],
        "uri": uri,
        "tested": True,
    }
    assert "no_such_column" in run.log("wrong")


def test_a_transfer_from_one_to_the_other(databases):
    run = databases.run("between_databases")
    assert run.state == "success", run.why()
    assert run.xcom("count") == [[2, "Altona"]]
