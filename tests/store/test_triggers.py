from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select

from gnomon.service.config import conf
from gnomon.store import tables
from gnomon.store.engine import Store, open_store
from gnomon.store.records import Run

from .conftest import NOW, add_task_instance, later


def add(store: Store, count: int = 1, *, queue: str | None = None, ti_id: int | None = None) -> list[int]:
    ids = []
    with store.database.write() as conn:
        for _ in range(count):
            row = {"ti_id": ti_id, "seq": 3, "classpath": "x.Y", "queue": queue, "created_at": NOW}
            query = insert(tables.trigger).values(**row, kwargs=store.triggers.seal(b'{"a":1}'))
            ids.append(conn.execute(query.returning(tables.trigger.c.id)).scalar_one())
    return ids


def events(store: Store) -> list[tuple[object, ...]]:
    e = tables.trigger_event.c
    with store.database.read() as conn:
        rows = conn.execute(select(e.trigger_id, e.ti_id, e.seq, e.payload, e.failure).order_by(e.id))
        return [tuple(row) for row in rows]


def test_each_trigger_is_claimed_once(store: Store) -> None:
    ids = add(store, 5)

    first = store.triggers.claim("one", alive=["one", "two"], limit=3)
    second = store.triggers.claim("two", alive=["one", "two"], limit=3)

    assert [t.id for t in first] == ids[:3]
    assert [t.id for t in second] == ids[3:]
    assert (first[0].classpath, first[0].kwargs, first[0].seq, first[0].created_at) == ("x.Y", b'{"a":1}', 3, NOW)
    assert store.triggers.live("one") == set(ids[:3])
    assert store.triggers.claim("one", alive=["one", "two"], limit=3) == []
    assert store.triggers.claim("one", alive=[], limit=0) == []


def test_the_triggers_of_the_dead_are_claimed_by_the_living(store: Store) -> None:
    ids = add(store, 2)
    store.triggers.claim("dead", alive=["dead"], limit=9)

    assert [t.id for t in store.triggers.claim("new", alive=["new"], limit=9)] == ids


def test_a_triggerer_that_ends_gives_its_triggers_back(store: Store) -> None:
    ids = add(store, 2)
    store.triggers.claim("one", alive=["one"], limit=9)

    assert store.triggers.release("one") == 2
    assert [t.id for t in store.triggers.claim("two", alive=["one", "two"], limit=9)] == ids


def test_queues_are_for_those_that_serve_them(store: Store) -> None:
    [plain] = add(store)
    [special] = add(store, queue="q")

    assert [t.id for t in store.triggers.claim("one", alive=["one"], limit=9)] == [plain]
    assert [t.id for t in store.triggers.claim("two", alive=["two"], limit=9, queues=["q", "r"])] == [special]


def test_who_waits_comes_with_the_claim(store: Store, a_run: Callable[..., Run]) -> None:
    ti_id = add_task_instance(store, a_run(), "t", "deferred", map_index=2, try_number=4)
    add(store, ti_id=ti_id)

    [claimed] = store.triggers.claim("one", alive=["one"], limit=9)

    assert claimed.owner == ("a", "r1", "t", 2, 4)


def test_firing_exchanges_the_trigger_for_its_event_once(store: Store) -> None:
    good, bad = add(store, 2)

    assert store.triggers.fire(good, later(1), payload=b'"done"') is True
    assert store.triggers.fire(good, later(2), payload=b'"again"') is False
    assert store.triggers.fire(bad, later(3), failure="Traceback\0") is True
    assert events(store) == [(good, None, 3, '"done"', None), (bad, None, 3, None, "Traceback\\x00")]
    assert store.triggers.claim("one", alive=["one"], limit=9) == []


def test_arguments_are_encrypted_and_one_lost_key_does_not_block_the_others(database_url: str) -> None:
    key = Fernet.generate_key().decode()
    conf.set("core", "fernet_key", key)
    with open_store(database_url) as store:
        add(store)
        with store.database.read() as conn:
            assert '"a"' not in conn.execute(select(tables.trigger.c.kwargs)).scalar_one()
    conf.set("core", "fernet_key", Fernet.generate_key().decode())
    with open_store(database_url) as store:
        add(store)
        lost, readable = store.triggers.claim("one", alive=["one"], limit=9)
    assert "fernet_key" in (lost.unreadable or "")
    assert (readable.unreadable, readable.kwargs) == (None, b'{"a":1}')


def test_rotation_covers_triggers(database_url: str) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    conf.set("core", "fernet_key", old)
    with open_store(database_url) as store:
        add(store)
    conf.set("core", "fernet_key", f"{new},{old}")
    with open_store(database_url) as store:
        assert store.rotate_fernet_key() == 1
    conf.set("core", "fernet_key", new)
    with open_store(database_url) as store:
        [claimed] = store.triggers.claim("one", alive=["one"], limit=9)
    assert (claimed.kwargs, claimed.unreadable) == (b'{"a":1}', None)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=False)
def test_two_triggerers_that_ask_at_once_do_not_wait_for_each_other(store: Store) -> None:
    ids = add(store, 2)
    t = tables.trigger
    with store.database.engine.connect() as other:
        other.execute(select(t.c.id).where(t.c.id == ids[0]).with_for_update())
        assert [claimed.id for claimed in store.triggers.claim("one", alive=["one"], limit=9)] == ids[1:]
        other.rollback()
