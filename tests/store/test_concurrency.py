"""Several writers at once, and writers that die in the middle."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from gnomon.store import tables
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import RunExists, StoreError
from gnomon.store.records import Run
from gnomon.store.task_instances import Selection
from gnomon.wire.execution import XComEntry

from .conftest import NOW, parse, serialized


def test_of_two_compare_and_sets_one_loses(store: Store, database_url: str) -> None:
    store.pools.set("p", 1)
    barrier = threading.Barrier(8)

    def take(slots: int) -> int:
        with open_store(database_url) as other:
            barrier.wait()
            with other.database.write() as conn:
                pool = tables.pool.c
                query = update(tables.pool).where(pool.name == "p", pool.slots == 1).values(slots=slots)
                return conn.execute(query).rowcount

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(take, range(2, 10)))

    assert sorted(won) == [0] * 7 + [1]


def test_one_run_id_is_made_once_however_many_try(store: Store, database_url: str) -> None:
    store.dags.record_parse(parse(serialized("a")), NOW)
    barrier = threading.Barrier(6)

    def create(number: int) -> str:
        with open_store(database_url) as other:
            barrier.wait()
            try:
                return str(other.runs.create("a", "r", now=NOW, run_after=NOW, note=str(number)).note)
            except RunExists:
                return "exists"

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(create, range(6)))

    assert made.count("exists") == 5
    assert store.runs.all("a")[0].note in made


def test_many_writers_of_one_store_lose_nothing(store: Store) -> None:
    store.dags.record_parse(parse(serialized("a")), NOW)
    store.runs.create("a", "r", now=NOW, run_after=NOW)

    def push(worker: int) -> None:
        for number in range(25):
            store.xcoms.put("a", "r", f"t{worker}", XComEntry(f"k{number}", b"1"), NOW)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(push, range(8)))

    assert store.xcoms.count("a", "r", key=None) == 200


_INCREMENT = """
import sys
from sqlalchemy import text
from gnomon.store.engine import open_store
with open_store(sys.argv[1]) as store:
    for _ in range(60):
        with store.database.write() as conn:
            slots = conn.execute(text("SELECT slots FROM pool WHERE name = 'p'" + sys.argv[2])).scalar_one()
            conn.execute(text("UPDATE pool SET slots = :n WHERE name = 'p'"), {"n": slots + 1})
"""


def test_processes_that_read_then_write_do_not_overwrite_each_other(store: Store, database_url: str) -> None:
    store.pools.set("p", 0)
    lock = "" if store.database.is_sqlite else " FOR UPDATE"

    workers = [subprocess.Popen([sys.executable, "-c", _INCREMENT, database_url, lock]) for _ in range(3)]
    codes = [worker.wait() for worker in workers]

    assert codes == [0, 0, 0]
    pool = store.pools.get("p")
    assert pool is not None
    assert pool.slots == 180


def test_a_reader_sees_one_moment_in_a_snapshot(store: Store) -> None:
    with store.database.snapshot() as conn:
        before = conn.execute(text("SELECT count(*) FROM pool")).scalar()
        thread = threading.Thread(target=store.pools.set, args=("p", 1))
        thread.start()
        thread.join()
        assert conn.execute(text("SELECT count(*) FROM pool")).scalar() == before
    assert store.pools.get("p") is not None


def test_a_write_inside_a_write_is_a_mistake(store: Store) -> None:
    with pytest.raises(StoreError, match="inside a write"), store.database.write():
        store.pools.set("p", 1)
    store.pools.set("p", 1)


def test_an_exception_takes_everything_back(store: Store) -> None:
    def insert_and_fail() -> None:
        with store.database.write() as conn:
            conn.execute(tables.pool.insert().values(name="p", slots=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    assert store.pools.get("p") is None


def test_a_clear_takes_place_between_two_commits_of_the_scheduler(store: Store, a_run: Callable[..., Run]) -> None:
    """In the middle of one they would lock the same rows in different orders."""
    a_run(t="failed", u="failed")
    leadership = store.leader.acquire("scheduler", "one", NOW)
    assert leadership is not None
    ti = tables.task_instance
    selection = Selection(dag_id="a")
    thread = threading.Thread(target=store.task_instances.clear, args=(selection, NOW))

    with store.database.write() as conn:
        conn.execute(tables.leader.update().values(epoch=tables.leader.c.epoch))
        for task_id in ("u", "t"):
            conn.execute(ti.update().where(ti.c.task_id == task_id).values(state="up_for_retry"))
            if task_id == "u":
                thread.start()
                thread.join(0.2)
    thread.join()

    assert {found.state for found in store.task_instances.select(selection)} == {None}
    tries = store.task_instances.history("a", "r1", "t")
    assert [(t.try_number, t.state) for t in tries] == [(1, "up_for_retry")]
    leadership.release()


_DIE = """
import os, signal, sys
from gnomon.store import tables
from gnomon.store.engine import open_store
store = open_store(sys.argv[1])
with store.database.write() as conn:
    for number in range(500):
        conn.execute(tables.pool.insert().values(name=f"p{number}", slots=1, description="x" * 1000))
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("moment", [0, 499])
def test_a_transaction_cut_by_sigkill_leaves_nothing_and_holds_nobody_up(
    store: Store, database_url: str, moment: int
) -> None:
    done = subprocess.run([sys.executable, "-c", _DIE, database_url, str(moment)], check=False)

    assert done.returncode == -9
    store.pools.set("mine", 1)
    assert [pool.name for pool in store.pools.all()] == ["default_pool", "mine"]
