"""Tests of connections over REST: where the stored one comes from, and tests that one comes back for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.engine import Store
from gnomon.store.records import Connection
from tests.fixtures.api_client import Client

_FILES = {"connection_id": "files", "conn_type": "fs"}
_TOKEN = "Airflow-Connection-Test-Token"
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture(autouse=True)
def testing() -> Iterator[None]:
    conf.set("core", "test_connection", "Enabled")
    yield
    conf.remove_option("core", "test_connection")


def result(api: Client, token: str) -> dict[str, Any]:
    """Come back until the test is over."""
    deadline = time.monotonic() + 60
    while True:
        found = api.ok("GET", "/connections/enqueue-test", headers={_TOKEN: token})
        if found["state"] not in ("pending", "running"):
            return dict(found)
        assert time.monotonic() < deadline
        time.sleep(0.02)  # whoever comes back looks; nothing tells


@on_sqlite
def test_the_environment_comes_before_the_database(
    api: Client, kettle: Store, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kettle.connections.add(Connection(conn_id="files", conn_type="fs", extra='{"path": "/of/the/database"}'))
    monkeypatch.setenv("AIRFLOW_CONN_FILES", '{"conn_type": "fs", "extra": {"path": "/of/the/environment"}}')

    found = api.ok("POST", "/connections/test", json=_FILES)
    assert found["message"] == "Path /of/the/environment does not exist."
    found = api.ok("POST", "/connections/test", json={**_FILES, "extra": '{"path": "/"}'})
    assert found["status"] is True


@on_sqlite
def test_a_secrets_backend_comes_before_both(
    api: Client, kettle: Store, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (airflow_home / "connections.json").write_text(
        '{"files": {"conn_type": "fs", "extra": {"path": "/of/the/backend"}}}'
    )
    monkeypatch.setenv("AIRFLOW_CONN_FILES", '{"conn_type": "fs", "extra": {"path": "/of/the/environment"}}')
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    arguments = f'{{"connections_file_path": "{airflow_home}/connections.json"}}'
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", arguments)

    assert "/of/the/backend" in api.ok("POST", "/connections/test", json=_FILES)["message"]


@on_sqlite
def test_empty_and_missing_host_are_one_place(api: Client, kettle: Store, airflow_home: Path) -> None:
    kettle.connections.add(Connection(conn_id="files", conn_type="fs", extra='{"path": "/"}'))
    assert api.ok("POST", "/connections/test", json={**_FILES, "host": ""})["status"] is True


@on_sqlite
def test_a_test_that_one_comes_back_for(api: Client, kettle: Store, airflow_home: Path) -> None:
    asked = {**_FILES, "extra": '{"path": "/"}', "commit_on_success": True, "executor": "LocalExecutor"}
    begun = api.ok("POST", "/connections/enqueue-test", status=202, json=asked)
    assert (begun["connection_id"], begun["state"]) == ("files", "pending")

    found = result(api, begun["token"])
    assert (found["state"], found["result_message"]) == ("success", "Path / is existing.")
    assert found.keys() == {"token", "connection_id", "state", "result_message", "created_at"}
    stored = kettle.connections.get("files")
    assert stored is not None
    assert stored.extra == '{"path": "/"}'


@on_sqlite
def test_one_that_fails_stores_nothing(api: Client, kettle: Store, airflow_home: Path) -> None:
    asked = {**_FILES, "password": "t0ps3cret", "extra": '{"path": "/no/t0ps3cret"}', "commit_on_success": True}
    token = api.ok("POST", "/connections/enqueue-test", status=202, json=asked)["token"]

    found = result(api, token)
    assert (found["state"], found["result_message"]) == ("failed", "Path /no/*** does not exist.")
    assert kettle.connections.get("files") is None
    with kettle.database.read() as conn:
        assert "t0ps3cret" not in str(conn.exec_driver_sql("SELECT * FROM connection_test").all())


@on_sqlite
def test_what_was_shown_masked_is_tested_as_it_is_stored(api: Client, kettle: Store, airflow_home: Path) -> None:
    kettle.connections.add(Connection(conn_id="files", conn_type="fs", password="t0ps3cret", extra='{"path": "/"}'))
    asked = {**_FILES, "password": "***", "extra": '{"path": "/"}', "commit_on_success": True}
    result(api, api.ok("POST", "/connections/enqueue-test", status=202, json=asked)["token"])

    stored = kettle.connections.get("files")
    assert stored is not None
    assert stored.password == "t0ps3cret"
    assert "credentials" in api.refused(400, "POST", "/connections/enqueue-test", json={**asked, "host": "elsewhere"})


def test_what_is_refused(api: Client, kettle: Store) -> None:
    assert "executor" in str(api.refused(422, "POST", "/connections/enqueue-test", json={**_FILES, "executor": "Mine"}))
    api.refused(404, "GET", "/connections/enqueue-test", headers={_TOKEN: "nosuch"})
    assert api.send("GET", "/connections/enqueue-test").status_code == 422
    conf.set("core", "test_connection", "Disabled")
    assert "disabled" in api.refused(403, "POST", "/connections/enqueue-test", json=_FILES)


def test_one_connection_is_tested_once_at_a_time_and_a_lost_test_is_over(api: Client, kettle: Store) -> None:
    now = clock.now()
    token = kettle.connection_tests.add("files", now, now + timedelta(minutes=1))
    assert "already exists" in api.refused(409, "POST", "/connections/enqueue-test", json=_FILES)
    found = kettle.connection_tests.get(token, now + timedelta(minutes=2))
    assert found is not None
    assert (found["state"], found["result_message"]) == (
        "failed", "the server that was to make this test has gone away",
    )  # fmt: skip
    assert kettle.connection_tests.add("files", now, now + timedelta(minutes=1)) != token


@on_sqlite
def test_a_connection_may_be_called_like_an_operation(api: Client, kettle: Store, airflow_home: Path) -> None:
    api.get("/connections")  # whatever was loaded first
    assert api.send("GET", "/connections/enqueue-test").status_code == 422
