from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

import pytest
from sqlalchemy import text

from gnomon.service.home import runtime_dir
from gnomon.store.engine import Store, open_store
from gnomon.store.notifier import Notice, notify_in
from gnomon.store.records import Run

from .conftest import NOW

PATIENCE = 10


async def collect(store: Store, topics: list[str], act: Callable[[], None], count: int) -> list[Notice]:
    """Listen, act, and return the first `count` notices."""
    notices = store.notifier.listen(topics)
    await asyncio.to_thread(act)
    found: list[Notice] = []
    async with asyncio.timeout(PATIENCE):
        async for notice in notices:
            found.append(notice)
            if len(found) == count:
                break
    await notices.aclose()  # type: ignore[attr-defined]
    return found


def test_a_notice_reaches_those_who_want_its_topic(store: Store, database_url: str) -> None:
    def act() -> None:
        with open_store(database_url) as other:
            other.notifier.notify("dag", "not wanted")
            other.notifier.notify("run", 1)
            other.notifier.notify("pool", "päol:x")

    found = asyncio.run(collect(store, ["run", "pool"], act, 2))

    assert found == [Notice("run", "1"), Notice("pool", "päol:x")]


def test_notices_of_a_transaction_come_with_its_commit_and_once_each(store: Store) -> None:
    def act() -> None:
        with contextlib.suppress(ZeroDivisionError), store.database.write() as conn:
            notify_in(conn, "run", 13)
            raise ZeroDivisionError
        with store.database.write() as conn:
            for number in (1, 2, 1):
                notify_in(conn, "run", number)

    assert asyncio.run(collect(store, ["run"], act, 2)) == [Notice("run", "1"), Notice("run", "2")]


def test_what_verbs_ring(store: Store, a_run: Callable[..., Run]) -> None:
    def act() -> None:
        run = a_run("r1", t="success")
        store.pools.set("p", 1)
        store.dags.set_paused("a", False)
        store.runs.set_state("a", run.run_id, "failed", NOW)

    found = asyncio.run(collect(store, ["run", "dag", "pool"], act, 5))

    assert found == [
        Notice("dag", "a"),
        Notice("run", "1"),
        Notice("pool", "p"),
        Notice("dag", "a"),
        Notice("run", "1"),
    ]


def test_a_subscription_ends_when_it_is_closed(store: Store) -> None:
    async def listen() -> list[Notice]:
        heard: list[Notice] = []
        loop = asyncio.get_running_loop()
        subscription = store.notifier.subscribe(loop, ["run"], heard.append)
        subscription.close()
        subscription.close()
        await asyncio.to_thread(store.notifier.notify, "run", 1)
        assert await collect(store, ["run"], lambda: store.notifier.notify("run", 2), 1) == [Notice("run", "2")]
        return heard

    assert asyncio.run(listen()) == []


def test_unknown_topics_are_a_mistake(store: Store) -> None:
    async def listen() -> None:
        store.notifier.listen(["runs"])

    with pytest.raises(ValueError, match="runs"):
        asyncio.run(listen())


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_bell_of_a_killed_process_is_removed(store: Store) -> None:
    stale = runtime_dir() / "1-dead.run.bell"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(stale))
    assert stale.exists()

    store.notifier.notify("run", 1)

    assert not stale.exists()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_listener_that_does_not_read_blocks_nobody(store: Store) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(runtime_dir() / "1-deaf.run.bell"))
        for number in range(5000):
            store.notifier.notify("run", number)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_bells_are_private(store: Store) -> None:
    async def listen() -> None:
        subscription = store.notifier.subscribe(asyncio.get_running_loop(), ["run", "dag"], print)
        [bell] = runtime_dir().glob("*.bell")
        assert bell.name.endswith(".dag+run.bell")
        assert bell.name.startswith(f"{os.getpid()}-")
        subscription.close()

    asyncio.run(listen())
    assert runtime_dir().stat().st_mode & 0o077 == 0
    assert list(runtime_dir().glob("*.bell")) == []


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_listener_reconnects_and_says_that_it_may_have_missed_something(store: Store) -> None:
    def act() -> None:
        with store.database.write() as conn:
            ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")
            assert conn.execute(ended, {"name": "gnomon listener"}).scalars().all() == [True]

    async def listen() -> list[Notice]:
        missed = await collect(store, ["run", "dag"], act, 2)
        return missed + await collect(store, ["run"], lambda: store.notifier.notify("run", 5), 1)

    assert asyncio.run(listen()) == [Notice("dag", ""), Notice("run", ""), Notice("run", "5")]
