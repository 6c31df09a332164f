"""Links of task instances, where logs can be read, DAG files to be read again; on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.wire.dag import SerializedTask
from gnomon.wire.execution import XComEntry
from tests.fixtures.api_client import Client
from tests.fixtures.api_data import NOW, add_dag, add_run, add_ti, tea

_TASK = "/dags/pot/dagRuns/p1/taskInstances/t"


@pytest.fixture
def linked(kettle: Store) -> Store:
    """A task with two links, one of which it has made."""
    task = SerializedTask(
        task_id="t", extra_links=["Shop", "Map"], link_keys={"Shop": "_link_Shop", "Map": "_link_Map"}
    )
    add_dag(kettle, tea("pot", tasks=[task], groups=[]))
    run = add_run(kettle, "pot", "p1")
    add_ti(kettle, run, "t", try_number=2)
    kettle.xcoms.put("pot", "p1", "t", XComEntry("_link_Shop", b'"https://shop.example/1"'), NOW)
    return kettle


def test_links_by_name(api: Client, linked: Store) -> None:
    assert api.get(f"{_TASK}/links") == {
        "extra_links": {"Map": None, "Shop": "https://shop.example/1"},
        "total_entries": 2,
    }
    assert api.get(f"{_TASK}/links", try_number=2)["total_entries"] == 2
    assert "try_number=7" in api.refused(404, "GET", f"{_TASK}/links?try_number=7")
    assert api.refused(404, "GET", f"{_TASK}/links?map_index=3") == "TaskInstance not found"
    assert api.get("/dags/tea/dagRuns/r1/taskInstances/boil/links") == {"extra_links": {}, "total_entries": 0}


def test_a_log_that_is_kept_here_has_no_address_elsewhere(api: Client, linked: Store) -> None:
    assert api.refused(400, "GET", f"{_TASK}/externalLogUrl/1") == "Task log handler does not support external logs."
    assert api.refused(404, "GET", f"{_TASK}/externalLogUrl/1?map_index=4") == "TaskInstance not found"


_LOGGING = """
from airflow.utils.log.logging_mixin import ExternalLoggingMixin

class Elsewhere(ExternalLoggingMixin):
    supports_external_link = True

    def __init__(self, base):
        self.base = base

    def get_external_log_url(self, task_instance, try_number):
        return f"{self.base}/{task_instance.dag_id}/{task_instance.task_id}/{try_number}"

class Store:
    def upload(self, path, ti): ...
    def read(self, path, ti): return [], []

REMOTE_TASK_LOG = Store()
LOGGING_CONFIG = {"version": 1, "handlers": {"task": {"class": "own_logging.Elsewhere", "base": "https://logs.example"}}}
"""


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_address_of_a_log_that_is_kept_elsewhere(
    api: Client, linked: Store, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (airflow_home / "dags").mkdir(exist_ok=True)
    (airflow_home / "dags" / "own_logging.py").write_text(_LOGGING)
    monkeypatch.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "True")
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS", "own_logging.LOGGING_CONFIG")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(airflow_home / "dags"))

    assert api.get(f"{_TASK}/externalLogUrl/2") == {"url": "https://logs.example/pot/t/2"}


def test_a_dag_file_is_read_again_by_its_token(api: Client, linked: Store) -> None:
    token = api.get("/dags/pot")["file_token"]

    async def told() -> tuple[str, str]:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        bell = linked.notifier.subscribe(asyncio.get_running_loop(), ["parse"], heard.put_nowait)
        await asyncio.to_thread(api.ok, "PUT", f"/parseDagFile/{token}", status=201)
        async with asyncio.timeout(10):
            while not (notice := await heard.get()).payload:
                pass  # PostgreSQL's says first that it listens
        bell.close()
        return (notice.topic, notice.payload)

    assert asyncio.run(told()) == ("parse", "dags:pot.py")
    with linked.database.read() as conn:  # also for a dag-processor that is not there yet
        query = select(t.parsed_file.c.source_hash).where(t.parsed_file.c.relative_path == "pot.py")
        assert conn.execute(query).scalar() == ""
    assert api.refused(404, "PUT", f"/parseDagFile/{token}x") == "File not found"
    linked.dags.delete("pot")
    assert api.refused(404, "PUT", f"/parseDagFile/{token}") == "File not found"


def test_default_connections(api: Client, kettle: Store) -> None:
    api.ok(
        "POST", "/connections", status=201, json={"connection_id": "http_default", "conn_type": "http", "host": "mine"}
    )
    api.ok("POST", "/connections/defaults", status=204)
    api.ok("POST", "/connections/defaults", status=204)

    found = {one.conn_id: one for one in kettle.connections.all()}
    assert len(found) == 62
    assert found["http_default"].host == "mine"
    assert (found["postgres_default"].host, found["redis_default"].extra) == ("postgres", '{"db": 0}')
