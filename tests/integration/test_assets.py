"""Assets with all processes: from the success of one task to the run of another DAG."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import statefile
from tests.fixtures.standalone import Standalone

_PRODUCERS = """
from airflow.sdk import DAG, Asset, AssetAlias, Metadata, asset, task

a, b = Asset("a", "s3://bucket/a"), Asset("b")

with DAG("produce", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[a, b])
    def both(outlet_events=None):
        outlet_events[a].extra["rows"] = 3
        yield Metadata(b, {"by": "metadata"})
    both()

with DAG("through_alias", schedule=None, is_paused_upon_creation=False):
    @task(outlets=[AssetAlias("somewhere")])
    def resolve(outlet_events=None):
        outlet_events[AssetAlias("somewhere")].add(Asset("found", "s3://bucket/found"), extra={"n": 1})
    resolve()

@asset(schedule=None, is_paused_upon_creation=False)
def made(self, context):
    return self.uri + " of " + context["dag"].dag_id

@asset.multi(schedule=made, outlets=[Asset("x"), Asset("y")], is_paused_upon_creation=False)
def several(made):
    return made.uri
"""

_CONSUMERS = """
from airflow.sdk import DAG, Asset, AssetAlias, task
from airflow.datasets import Dataset

a, b = Asset("a", "s3://bucket/a"), Asset("b")

def use(dag_id, schedule, inlets=()):
    with DAG(dag_id, schedule=schedule, is_paused_upon_creation=False):
        @task(inlets=list(inlets))
        def look(triggering_asset_events=None, inlet_events=None, dag_run=None, ti=None):
            seen = {}
            for of, events in triggering_asset_events.items():
                for event in events:
                    source = event.source_dag_run.run_id if event.source_dag_run else None
                    seen[of.name] = [event.extra, event.source_task_id, source]
            history = {str(inlet.name): [event.extra for event in inlet_events[inlet]] for inlet in inlets}
            return {"seen": seen, "history": history, "type": dag_run.run_type,
                    "no_date": dag_run.logical_date is None}
        look()

use("of_both", [a, b], inlets=[a])
use("of_either", a | Asset("never"))
use("of_alias", AssetAlias("somewhere"), inlets=[AssetAlias("somewhere")])
use("of_reference", Asset.ref(uri="s3://bucket/a"))
use("of_several", [Asset("x"), Asset("y")])
"""

_WATCHED = """
from airflow.sdk import DAG, Asset, AssetWatcher, task
from watching import EachLine

of_folder = Asset("lines", watchers=[AssetWatcher("each", EachLine(path="{path}"))])

for number in (1, 2):
    with DAG(f"watch_{number}", schedule=of_folder, is_paused_upon_creation=False):
        @task
        def look(triggering_asset_events=None):
            return [event.extra for events in triggering_asset_events.values() for event in events]
        look()
"""

_WATCHING = """
import asyncio, os
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

class EachLine(BaseEventTrigger):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def serialize(self):
        return "watching.EachLine", {"path": self.path}

    async def run(self):
        while True:
            if os.path.exists(self.path):
                with open(self.path) as file:
                    text = file.read()
                yield TriggerEvent({"line": text})
                os.rename(self.path, self.path + ".taken")
            await asyncio.sleep(0.05)
"""


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what `what` does once it is true; the API has nothing to wait on for a run that is not there yet."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def runs_of(running: Standalone, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return found


def result_of(running: Standalone, dag_id: str, task_id: str = "look", number: int = 1) -> Any:
    """Return what a task returned in the nth run of a DAG, which assets have started."""
    run = until(lambda: (runs_of(running, dag_id)[number - 1 :] or [None])[0])
    path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}"
    last = running.wait(path, result=[task_id])
    assert last["state"] == "success", running.log_of(path, task_id)
    return last["results"][task_id]


@pytest.fixture
def running(airflow_home: Path) -> Iterator[Standalone]:
    files = {"producers.py": _PRODUCERS, "consumers.py": _CONSUMERS}
    waits_for = ["produce", "of_both", "of_either", "of_alias", "of_reference", "of_several", "several"]
    with Standalone(airflow_home, files, waits_for=waits_for) as running:
        yield running


def test_what_tasks_update_starts_what_waits_for_it(running: Standalone) -> None:
    running.trigger("produce", "p1")
    both = result_of(running, "of_both")
    assert both["seen"] == {"a": [{"rows": 3}, "both", "p1"], "b": [{"by": "metadata"}, "both", "p1"]}
    assert both["history"] == {"a": [{"rows": 3}]}
    assert (both["type"], both["no_date"]) == ("asset_triggered", True)
    assert result_of(running, "of_either")["seen"].keys() == {"a"}
    assert result_of(running, "of_reference")["seen"].keys() == {"a"}

    running.trigger("through_alias", "t1")
    through = result_of(running, "of_alias")
    assert through["seen"] == {"found": [{"n": 1}, "resolve", "t1"], "somewhere": [{"n": 1}, "resolve", "t1"]}
    assert through["history"] == {"somewhere": [{"n": 1}]}

    running.trigger("made", "m1")
    assert result_of(running, "several", "several") == "made"
    assert result_of(running, "of_several")["seen"].keys() == {"x", "y"}
    assert len(runs_of(running, "of_both")) == 1

    # An event that is made while nobody schedules is in the queue of whoever waits for it.
    _kill("scheduler")
    for name in ("b", "a"):
        number = next(row["id"] for row in running.get("/assets")["assets"] if row["name"] == name)
        assert running.client.post("/assets/events", json={"asset_id": number}).status_code == 200
    assert result_of(running, "of_both", number=2)["seen"]["b"] == [{"from_rest_api": True}, None, None]


def test_a_watcher_is_shared_and_outlives_the_triggerer(airflow_home: Path) -> None:
    path = airflow_home / "line"
    files = {"watching.py": _WATCHING, "watched.py": _WATCHED.replace("{path}", str(path))}
    with Standalone(airflow_home, files, waits_for=["watch_1", "watch_2"]) as running:
        _drop(path, "one")
        for number in (1, 2):
            (extra,) = result_of(running, f"watch_{number}")
            assert extra == {"from_trigger": True, "payload": {"line": "one"}}
        (events,) = [running.get("/assets/events")["asset_events"]]
        assert len(events) == 1
        until(lambda: not path.exists())

        _kill("triggerer")
        _drop(path, "two")
        (extra,) = result_of(running, "watch_1", number=2)
        assert extra["payload"] == {"line": "two"}


def _drop(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    made = path.with_suffix(".new")
    made.write_text(text)
    made.rename(path)


def _kill(name: str) -> None:
    state = statefile.read()
    assert state is not None
    os.kill(state.parts[name].pid, signal.SIGKILL)
