"""`start_from_trigger` with real processes: nothing of a task runs before its trigger has fired."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.engine import Store, open_store
from gnomon.store.task_instances import Selection
from tests.acceptance.fault_runs import results, supervised, unfinished, wait_for


@pytest.fixture
def processes(
    database_url: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database_url)
    with supervised(database_url, airflow_home, monkeypatch, dag_file="dags/start_from_trigger_dag.py") as process:
        yield process


def xcoms(store: Store) -> dict[tuple[str, int], object]:
    x = t.xcom.c
    with store.database.read() as connection:
        query = select(x.task_id, x.map_index, x.value).where(x.key == "return_value")
        return {(task_id, index): json.loads(value) for task_id, index, value in connection.execute(query)}


def instance(store: Store, task_id: str) -> Any:
    with store.database.read() as connection:
        return connection.execute(select(t.task_instance).where(t.task_instance.c.task_id == task_id)).first()


@pytest.mark.timeout(100)
def test_no_process_before_the_trigger(
    database_url: str, processes: subprocess.Popen[bytes], airflow_home: Path
) -> None:
    with open_store(database_url) as store:
        wait_for(lambda: store.dags.get("starts") is not None)
        now = clock.now()
        store.runs.create("starts", "r1", now=now, run_after=now, conf={"size": 5})
        wait_for(lambda: getattr(instance(store, "file"), "state", None) == "deferred")
        file = instance(store, "file")
        assert (file.try_number, file.hostname, file.pid, file.queued_at) == (1, None, None, None)
        assert file.start_date is not None
        store.task_instances.clear(Selection(dag_id="starts", task_ids=["file"]), clock.now())
        wait_for(lambda: instance(store, "file").trigger_id not in (None, file.trigger_id))
        assert (instance(store, "file").state, instance(store, "file").try_number) == ("deferred", 2)
        with store.database.read() as connection:
            mine = connection.execute(select(t.trigger.c.id).where(t.trigger.c.ti_id == file.id)).scalars().all()
        assert mine == [instance(store, "file").trigger_id]
        (airflow_home / "r1").touch()
        wait_for(lambda: not unfinished(store), 60, lambda: results(store))

        _, instances = results(store)
        assert instances["starts", "r1"] == {
            "templated": "success", "again": "success", "fails": "failed", "in_a_process": "success",
            "mapped[0]": "success", "mapped[1]": "success", "some[0]": "success", "some[1]": "success",
            "file": "success", "too_late": "failed", "date": "success",
        }  # fmt: skip
        found = xcoms(store)
        assert found["templated", -1] == {"text": "r1 5 1 templated", "many": ["none", {"key": "5"}]}
        assert (found["mapped", 0], found["mapped", 1]) == ({"text": "a", "many": None}, {"text": "1", "many": None})
        with store.database.read() as connection:
            assert connection.execute(select(t.trigger)).all() == []

    lines = sorted((airflow_home / "journal").read_text().splitlines())
    assert lines == [
        "process in_a_process -1",
        "process some 1",
        "resumed again -1 1 1",
        "resumed again -1 2 2",
        "resumed mapped 0 1 1",
        "resumed mapped 1 1 1",
        "resumed some 0 1 1",
        "resumed templated -1 1 1",
    ]
