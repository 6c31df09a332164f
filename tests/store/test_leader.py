from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from sqlalchemy import select, text

from gnomon.service.home import runtime_dir
from gnomon.store import tables
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import LeadershipLost

from .conftest import NOW


def test_one_leads_and_the_next_one_has_a_higher_epoch(store: Store, database_url: str) -> None:
    with open_store(database_url) as other:
        first = store.leader.acquire("scheduler", "one", NOW)
        assert first is not None
        assert other.leader.acquire("scheduler", "two", NOW) is None
        assert first.lost is False

        first.release()
        first.release()
        second = other.leader.acquire("scheduler", "two", NOW)

        assert second is not None
        assert (first.lost, second.lost) == (True, False)
        assert second.epoch == first.epoch + 1
        with store.database.read() as conn:
            assert conn.execute(select(tables.leader.c.holder)).scalar_one() == "two"
        second.release()


def test_roles_are_independent(store: Store) -> None:
    scheduler = store.leader.acquire("scheduler", "one", NOW)
    other = store.leader.acquire("other", "one", NOW)

    assert scheduler is not None
    assert other is not None
    assert (scheduler.epoch, other.epoch) == (1, 1)
    scheduler.release()
    other.release()


def test_a_deposed_leader_can_commit_nothing(store: Store) -> None:
    first = store.leader.acquire("scheduler", "one", NOW)
    assert first is not None
    with store.database.write() as conn:
        first.check(conn)
    first.release()  # it believes to lead, but the lock was lost
    second = store.leader.acquire("scheduler", "two", NOW)
    assert second is not None

    def write() -> None:
        with store.database.write() as conn:
            conn.execute(tables.pool.insert().values(name="p", slots=1))
            first.check(conn)

    with pytest.raises(LeadershipLost):
        write()
    assert store.pools.get("p") is None
    second.release()


def test_a_successor_waits_for_the_commit_that_checked_the_epoch(store: Store, database_url: str) -> None:
    first = store.leader.acquire("scheduler", "one", NOW)
    assert first is not None
    order: list[str] = []

    def succeed() -> None:
        with open_store(database_url) as other:
            second = other.leader.acquire("scheduler", "two", NOW)
            order.append("successor leads")
            assert second is not None
            second.release()

    thread = threading.Thread(target=succeed)
    with store.database.write() as conn:
        first.check(conn)
        first.release()
        thread.start()
        thread.join(0.2)
        order.append("last write")
    thread.join()
    assert order == ["last write", "successor leads"]


_HOLD = """
import sys, time
from gnomon.store.engine import open_store
from gnomon.service import clock
leadership = open_store(sys.argv[1]).leader.acquire("scheduler", "doomed", clock.now())
assert leadership is not None
print("leads", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_leader_is_free_at_once(store: Store, database_url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD, database_url], stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == "leads\n"
        assert store.leader.acquire("scheduler", "next", NOW) is None
        doomed.kill()
        doomed.wait()
    leadership = None
    for _ in range(200):  # PostgreSQL notices the closed socket a moment later
        leadership = store.leader.acquire("scheduler", "next", NOW)
        if leadership is not None:
            break
    assert leadership is not None
    assert leadership.epoch == 2
    leadership.release()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_lost_session_is_noticed(store: Store) -> None:
    leadership = store.leader.acquire("scheduler", "one", NOW)
    assert leadership is not None
    with store.database.write() as conn:
        ended = text("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = :name")
        assert conn.execute(ended, {"name": "gnomon leader scheduler"}).scalar_one() is True

    assert leadership.lost is True
    leadership.release()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_removed_lock_file_is_noticed(store: Store) -> None:
    leadership = store.leader.acquire("scheduler", "one", NOW)
    assert leadership is not None
    (runtime_dir() / "scheduler.leader.lock").unlink()

    assert leadership.lost is True
    leadership.release()
