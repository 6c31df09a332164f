"""`task_instance_mutation_hook` and weight strategies that look at the run: asked of user code, carried out by the scheduler."""

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
from gnomon.store.deadline_tables import question
from gnomon.store.engine import Store, open_store
from tests.acceptance.fault_runs import results, supervised, wait_for

_HOOK = """
def task_instance_mutation_hook(task_instance, dag_run=None):
    if dag_run is None or task_instance.dag_id != "asked":
        return
    if dag_run.conf.get("fail"):
        raise ValueError("the policy is not sure")
    task_instance.pool = f"{dag_run.conf['pool']}{task_instance.try_number}"
    if task_instance.task_id == "each":
        task_instance.priority_weight += 100
"""


@pytest.fixture
def processes(
    database_url: str, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    (airflow_home / "config").mkdir()
    (airflow_home / "config" / "airflow_local_settings.py").write_text(_HOOK)
    with supervised(database_url, airflow_home, monkeypatch, dag_file="dags/asked_dag.py") as process:
        yield process


def rows(store: Store, query: Any) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.execute(query))


@pytest.mark.timeout(100)
def test_the_hook_knows_the_run_and_the_try(
    database_url: str, processes: subprocess.Popen[bytes], airflow_home: Path
) -> None:
    with open_store(database_url) as store:
        wait_for(lambda: store.dags.get("asked") is not None)
        now = clock.now()
        for name in ("p0", "p1", "q0", "sure0"):
            store.pools.set(name, 3)
            store.notifier.notify("pool", name)
        for run_id, pool in (("r", "p"), ("run", "q")):
            store.runs.create("asked", run_id, now=now, run_after=now, conf={"pool": pool})
        wait_for(lambda: results(store)[0]["asked", "r"] in ("success", "failed"), 60, lambda: results(store))

        runs, instances = results(store)
        assert runs["asked", "r"] == "success"
        assert instances["asked", "r"] == {"flaky": "success", "each[0]": "success", "each[1]": "success"}
        x, i, r = t.xcom.c, t.task_instance.c, t.dag_run.c
        seen = rows(store, select(x.map_index, x.value).where(x.task_id == "each").order_by(x.map_index))
        assert [(index, json.loads(value)) for index, value in seen] == [(0, ["p0", 111]), (1, ["p0", 121])]
        joined = select(i.pool, i.state, i.try_number).join(t.dag_run, r.id == i.dag_run_id).where(i.task_id == "flaky")
        assert rows(store, joined.where(r.run_id == "r")) == [("p1", "success", 2)]
        # The second try of the other run was put into a pool that does not exist: there it waits.
        wait_for(lambda: rows(store, joined.where(r.run_id == "run")) == [("q1", "scheduled", 2)])
        assert rows(store, select(question)) == []

        store.runs.create("asked", "fails", now=now, run_after=now, conf={"fail": True})
        wait_for(lambda: _warned(store))
        assert rows(store, joined.where(r.run_id == "fails")) == [("default_pool", None, 0)]
        # Whoever mends the policy need not touch the run.
        hook = airflow_home / "config" / "airflow_local_settings.py"
        hook.write_text(_HOOK.replace('raise ValueError("the policy is not sure")', 'dag_run.conf["pool"] = "sure"'))
        wait_for(lambda: rows(store, joined.where(r.run_id == "fails", i.pool == "sure1")), 60)


def _warned(store: Store) -> list[Any]:
    w = t.dag_warning.c
    return rows(store, select(w.message).where(w.dag_id == "asked", w.message.contains("the policy is not sure")))
