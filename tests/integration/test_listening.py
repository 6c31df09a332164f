"""The process in which listeners are told: when it is started, and what becomes of announcements it cannot make."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gnomon.parsing.listening import Listening
from gnomon.service import clock
from gnomon.store.announcements import announce_in
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import Unavailable
from gnomon.wire import execution as wire
from tests.fixtures.loops import run_within

_PLUGIN = """
import json, os, time
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl
from airflow.sdk import Variable
told = []

class Listener:
    @hookimpl
    def on_asset_created(self, asset):
        told.append(asset.name)
        with open(os.path.join(os.environ["AIRFLOW_HOME"], "heard"), "a") as file:
            file.write(json.dumps([os.getpid(), *told]) + chr(10))
        if asset.name == "hang":
            time.sleep(600)
        if asset.name == "die":
            os._exit(3)
        if asset.name == "ask":
            told.append(Variable.get("colour"))

class Own(AirflowPlugin):
    name = "own"
    listeners = [Listener()]
"""


@pytest.fixture
def store(database_url: str, airflow_home: Path) -> Iterator[Store]:
    (airflow_home / "plugins").mkdir()
    (airflow_home / "plugins" / "own.py").write_text(_PLUGIN)
    opened = open_store(database_url)
    yield opened
    opened.close()


@asynccontextmanager
async def listening(store: Store) -> AsyncIterator[Listening]:
    made = Listening(
        store.announcements,
        lambda request: wire.VariableFound(key="colour", value="blue"),
        outage=(Unavailable,),
        listen=lambda loop, call: store.notifier.subscribe(loop, ["announce"], lambda notice: call(notice.payload)),
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def announce(store: Store, *names: str) -> None:
    for name in names:
        asset = {"name": name, "uri": name, "group": "asset", "extra": {}}
        with store.database.write() as conn:
            announce_in(conn, "asset_created", asset, clock.now())


def heard(home: Path) -> list[list[Any]]:
    file = home / "heard"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


def test_listeners_remember_and_may_ask(store: Store, airflow_home: Path) -> None:
    async def scenario() -> None:
        store.announcements.set_heard(["on_asset_created"])
        async with listening(store) as made:
            announce(store, "ask", "leaf")
            await until(lambda: len(heard(airflow_home)) == 2)
            await until(lambda: not store.announcements.waiting())
            pid = made.host_pid
            assert heard(airflow_home) == [[pid, "ask"], [pid, "ask", "blue", "leaf"]]

    run_within(60, scenario())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_without_a_listener_nothing_is_written_and_nothing_started(store: Store, airflow_home: Path) -> None:
    async def scenario() -> None:
        # Before a file was parsed, nobody knows: what happens once in a process's life waits for that.
        job = store.jobs.start("SchedulerJob", hostname="h", pid=1, now=clock.now())
        announce(store, "leaf")
        killed = store.jobs.start("TriggererJob", hostname="h", pid=2, now=clock.now())
        store.jobs.end(killed, clock.now(), "failed")
        assert [one.kind for one in store.announcements.waiting()] == ["starting", "starting"]
        async with listening(store) as made:
            await asyncio.sleep(0.2)
            assert store.announcements.waiting()
            made.learn([])
            made.keep()
            made.wake()
            await until(lambda: not store.announcements.waiting())
            store.jobs.end(job, clock.now())
            announce(store, "leaf")
            assert store.announcements.waiting() == []
            assert made.host_pid is None

    run_within(60, scenario())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_one_that_hangs_or_dies_holds_up_the_others_for_a_while_only(
    store: Store, airflow_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT", "2")
    monkeypatch.setattr("gnomon.parsing.listening._END_SECONDS", 0.1)

    async def scenario() -> None:
        store.announcements.set_heard(["on_asset_created"])
        async with listening(store):
            announce(store, "die", "hang", "leaf")
            await until(lambda: not store.announcements.waiting())
            assert [names[1:] for names in heard(airflow_home)] == [["die"], ["hang"], ["leaf"]]

    run_within(60, scenario())
    assert "the process of listeners has ended" in caplog.text
    assert "a listener took longer than 2 s" in caplog.text


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_what_was_not_confirmed_is_told_again(store: Store, airflow_home: Path) -> None:
    async def scenario() -> None:
        store.announcements.set_heard(["on_asset_created"])
        async with listening(store) as made:
            announce(store, "hang")
            await until(lambda: heard(airflow_home))
            # The dag-processor is gone in the middle of it.
            made._task.cancel()  # type: ignore[union-attr]
            assert made.host_pid is not None
            os.kill(made.host_pid, signal.SIGKILL)
        assert [one.data["name"] for one in store.announcements.waiting()] == ["hang"]
        (airflow_home / "plugins" / "own.py").write_text(_PLUGIN.replace("time.sleep(600)", "pass"))
        async with listening(store):
            await until(lambda: not store.announcements.waiting())
        assert [names[1] for names in heard(airflow_home)] == ["hang", "hang"]

    run_within(60, scenario())
