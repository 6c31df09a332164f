"""The triggerer with its runner, and what happens when either is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.task_end import ending_of
from gnomon.service import clock, task_logs
from gnomon.store import tables
from gnomon.store.engine import Store, open_store
from gnomon.triggerer.service import JOB_TYPE, Triggerer
from gnomon.wire import execution as wire

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Path(__file__).parent


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database_url)
    monkeypatch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{HERE.parent.parent / 'src'}")
    with open_store(database_url) as opened:
        yield opened


def answer(key: wire.TryKey | None, request: wire.Request) -> wire.Reply:
    assert isinstance(request, wire.GetConnection)
    assert key is not None
    return wire.ConnectionFound(conn_id=request.conn_id, conn_type="x", host=f"ti{key.ti}", password="secret")


def add(store: Store, cls: str, *, ti_id: int | None = None, **kwargs: Any) -> int:
    row = {
        "ti_id": ti_id,
        "seq": 2,
        "classpath": f"trigger_classes.{cls}",
        "created_at": NOW,
        "kwargs": store.triggers.seal(values.encode(kwargs)),
    }
    with store.database.write() as conn:
        number = int(conn.execute(insert(tables.trigger).values(**row).returning(tables.trigger.c.id)).scalar_one())
    store.notifier.notify("trigger", number)
    return number


def add_task_instance(store: Store, number: int = 5) -> int:
    run = {
        "id": 1,
        "dag_id": "d",
        "run_id": "r",
        "run_type": "manual",
        "state": "running",
        "run_after": NOW,
        "updated_at": NOW,
    }
    task = {"id": number, "dag_run_id": 1, "task_id": "t", "state": "deferred", "try_number": 3}
    with store.database.write() as conn:
        conn.execute(insert(tables.dag_run).values(**run))
        conn.execute(insert(tables.task_instance).values(**task))
    return number


def events(store: Store) -> dict[int, tuple[Any, str | None]]:
    e = tables.trigger_event.c
    with store.database.read() as conn:
        rows = conn.execute(select(e.trigger_id, e.payload, e.failure)).all()
    return {row.trigger_id: (row.payload and json.loads(row.payload), row.failure) for row in rows}


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Wait for something that another process does."""
    deadline = clock.monotonic() + seconds
    while not (found := condition()):
        if clock.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.01)
    return found


def pids(folder: Path) -> list[int]:
    """The processes that have run the trigger of file f; one that was killed before it wrote its line is none."""
    file = folder / "f.pid"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


@asynccontextmanager
async def running(store: Store, **options: Any) -> AsyncIterator[Triggerer]:
    triggerer = Triggerer(store, answer, **options)
    await triggerer.start()
    try:
        yield triggerer
    finally:
        await triggerer.stop()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


def test_a_trigger_fires_once_with_its_payload_and_logs_to_the_try(store: Store) -> None:
    ti_id = add_task_instance(store)
    number = add(store, "Now", ti_id=ti_id, name="n", at=NOW)
    log = Path(task_logs.try_log_path("d", "r", "t", -1, 3))

    async def main() -> None:
        async with running(store):
            await until(lambda: number in events(store), "the event")

    run(main)

    assert events(store) == {number: ({"name": "n", "task": "t"}, None)}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"looking for n", "printed by the trigger"} <= {line["event"] for line in lines}
    with store.database.read() as conn:
        assert conn.execute(select(tables.trigger)).all() == []


def test_triggers_that_come_later_are_started_by_their_notice(store: Store, tmp_path: Path) -> None:
    async def main() -> None:
        heard: list[int] = []
        async with running(store):
            bell = store.notifier.subscribe(
                asyncio.get_running_loop(), ("fired",), lambda notice: heard.append(int(notice.payload))
            )
            await asyncio.sleep(0.05)
            begun = clock.monotonic()
            number = add(store, "WhenFileExists", path=str(tmp_path / "f"))
            await until(lambda: pids(tmp_path), "the trigger runs", 4.0)
            assert clock.monotonic() - begun < 4.0  # less than what it takes the triggerer to look by itself
            (tmp_path / "f").touch()
            await until(lambda: heard, "the notice that it fired")
            assert number in events(store)
            assert (tmp_path / "f.cleaned").exists()
            assert not (tmp_path / "f.killed").exists()
            bell.close()

    run(main)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_triggers_ask_through_messages_and_see_no_secrets(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
    asking = add(store, "Asking", ti_id=add_task_instance(store, 5))
    ending = add(store, "Ending")

    async def main() -> None:
        async with running(store):
            await until(lambda: len(events(store)) == 2, "the events")

    run(main)

    assert events(store)[asking] == (["ti5", "secret", []], None)
    assert ending_of(events(store)[ending][0]) == ("success", {"k": 1})


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_trigger_that_fails_is_a_failure_with_its_traceback(store: Store) -> None:
    expected = {
        add(store, "Failing"): "ValueError: no luck",
        add(store, "Silent"): "Silent ended without an event",
        add(store, "Exiting"): "SystemExit: 3",
        add(store, "Missing"): "'Missing' does not exist",
    }

    async def main() -> None:
        async with running(store):
            await until(lambda: len(events(store)) == len(expected), "all failures")

    run(main)

    for number, reason in expected.items():
        payload, failure = events(store)[number]
        assert payload is None
        assert reason in (failure or "")


def test_a_trigger_that_nobody_waits_for_any_more_is_killed_and_cleaned_up(store: Store, tmp_path: Path) -> None:
    number = add(store, "WhenFileExists", path=str(tmp_path / "f"))

    async def main() -> None:
        async with running(store) as triggerer:
            await until(lambda: pids(tmp_path), "the trigger runs")
            with store.database.write() as conn:
                conn.execute(tables.trigger.delete().where(tables.trigger.c.id == number))
            store.notifier.notify("run", 1)
            await until(lambda: triggerer.held == 0, "the trigger is ended", 4.0)
            assert (tmp_path / "f.killed").exists()
            assert (tmp_path / "f.cleaned").exists()

    run(main)

    assert events(store) == {}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_triggerer_that_stops_gives_its_triggers_back_unharmed(store: Store, tmp_path: Path) -> None:
    add(store, "WhenFileExists", path=str(tmp_path / "f"))

    async def main() -> None:
        async with running(store):
            await until(lambda: pids(tmp_path), "the trigger runs")
        assert not (tmp_path / "f.killed").exists()
        assert store.triggers.claim("other", alive=["other"], limit=9) != []

    run(main)


def test_a_runner_that_is_killed_is_replaced_and_triggers_go_on(store: Store, tmp_path: Path) -> None:
    number = add(store, "WhenFileExists", path=str(tmp_path / "f"))

    async def main() -> None:
        async with running(store) as triggerer:
            await until(lambda: pids(tmp_path), "the trigger runs")
            first = triggerer.runner_pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await until(lambda: len(pids(tmp_path)) == 2, "the trigger runs again")
            assert triggerer.runner_pid not in (None, first)
            (tmp_path / "f").touch()
            await until(lambda: number in events(store), "the event")

    run(main)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_trigger_that_crashes_its_process_does_not_take_others_with_it(store: Store, tmp_path: Path) -> None:
    waiting = add(store, "WhenFileExists", path=str(tmp_path / "f"))
    crashing = add(store, "Crashing", path=str(tmp_path / "c"))

    async def main() -> None:
        async with running(store):
            await until(lambda: crashing in events(store), "the event of the second attempt")
            (tmp_path / "f").touch()
            await until(lambda: waiting in events(store), "the event of the other")

    run(main)

    assert events(store)[crashing] == ("second time lucky", None)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_trigger_that_blocks_the_loop_for_too_long_fails_and_the_others_go_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD", "0.5")
    waiting = add(store, "WhenFileExists", path=str(tmp_path / "f"))
    blocking = add(store, "Blocking", seconds=60)

    async def main() -> None:
        async with running(store):
            await until(lambda: blocking in events(store), "the failure")
            (tmp_path / "f").touch()
            await until(lambda: waiting in events(store), "the event of the other")

    run(main)

    payload, failure = events(store)[blocking]
    assert payload is None
    assert "blocked the event loop" in (failure or "")
    assert "time.sleep(self.kwargs" in (failure or "")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_capacity_limits_how_many_run_and_the_rest_follow(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        add(store, "WhenFileExists", path=str(tmp_path / f"{number}"))

    async def main() -> None:
        async with running(store, capacity=2) as triggerer:
            await until(lambda: len(list(tmp_path.glob("*.pid"))) == 2, "two run")
            assert triggerer.held == 2
            for number in range(3):
                (tmp_path / f"{number}").touch()
            await until(lambda: len(events(store)) == 3, "all fire")

    run(main)


def test_two_triggerers_share_what_there_is(store: Store, tmp_path: Path) -> None:
    numbers = [add(store, "WhenFileExists", path=str(tmp_path / f"{number}")) for number in range(4)]

    async def main() -> None:
        async with running(store, capacity=2) as one, running(store, capacity=2) as other:
            await until(lambda: one.held + other.held == 4, "all are claimed")
            assert (one.held, other.held) == (2, 2)
            for number in range(4):
                (tmp_path / f"{number}").touch()
            await until(lambda: sorted(events(store)) == numbers, "all fire")

    run(main)


_TRIGGERER = """
import asyncio, sys
from gnomon.store.engine import open_store
from gnomon.triggerer.service import Triggerer
async def main():
    with open_store() as store:
        triggerer = Triggerer(store, lambda key, request: None)
        await triggerer.start()
        await triggerer.wait()
asyncio.run(main())
"""


def test_a_triggerer_that_is_killed_leaves_no_runner_and_its_triggers_are_taken_over_at_once(
    store: Store, tmp_path: Path
) -> None:
    number = add(store, "WhenFileExists", path=str(tmp_path / "f"))

    async def main() -> None:
        process = subprocess.Popen([sys.executable, "-c", _TRIGGERER])  # noqa: ASYNC220 - it is to be killed
        try:
            await until(lambda: pids(tmp_path), "the trigger runs")
        finally:
            process.kill()
            process.wait()
        begun = clock.monotonic()
        async with running(store):
            await until(lambda: len(pids(tmp_path)) == 2, "the trigger runs again")
            assert clock.monotonic() - begun < 15  # not the 30 s after which a silent triggerer counts as dead
            await until(lambda: not Path(f"/proc/{pids(tmp_path)[0]}").exists(), "the first runner is gone")
            (tmp_path / "f").touch()
            await until(lambda: number in events(store), "the event")
        assert len(events(store)) == 1
        assert store.jobs.alive(clock.now(), job_type=JOB_TYPE) == []

    run(main)
