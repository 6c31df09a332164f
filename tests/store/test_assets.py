"""What DAGs say about assets, as the store keeps it: who names what, what is active, what is watched."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from gnomon.store import asset_tables as a
from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.store.errors import AssetNotFound, Invalid
from gnomon.store.reads import assets as reads
from gnomon.store.reads.listing import Query
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.store.conftest import NOW, later, parse


def asset(name: str, uri: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"asset": {"name": name, "uri": uri or name, "group": "asset", "extra": {}, **fields}}


def makes(dag_id: str, *outlets: dict[str, Any], inlets: tuple[dict[str, Any], ...] = ()) -> SerializedDag:
    task = SerializedTask(task_id="t", outlets=list(outlets), inlets=list(inlets))
    return SerializedDag(dag_id=dag_id, tasks=[task], timetable=TimetableSpec(kind="null"))


def waits(dag_id: str, condition: dict[str, Any] | None) -> SerializedDag:
    kind = "null" if condition is None else "assets"
    return SerializedDag(
        dag_id=dag_id, tasks=[SerializedTask(task_id="t")], timetable=TimetableSpec(kind=kind, assets=condition)
    )


def put(store: Store, *dags: SerializedDag, path: str | None = None) -> None:
    file = path or f"{dags[0].dag_id}.py"
    store.dags.record_parse(parse(*dags, path=file), NOW, paused_at_creation=False)


def shown(store: Store, name: str, *, only_active: bool = False) -> dict[str, Any]:
    with store.database.snapshot() as conn:
        (row,) = reads.assets(conn, Query(values={"only_active": only_active}), reads.asset.name == name).rows
    return row


def active(store: Store) -> set[str]:
    with store.database.read() as conn:
        return set(conn.execute(select(a.asset.c.uri).where(a.asset.c.is_active)).scalars())


def warnings(store: Store) -> dict[str, str]:
    with store.database.read() as conn:
        rows = conn.execute(select(t.dag_warning.c.dag_id, t.dag_warning.c.message))
        return {row.dag_id: row.message for row in rows}


def test_who_names_an_asset(store: Store) -> None:
    put(store, makes("producer", asset("x", "s3://x", extra={"k": 1}), inlets=(asset("in"),)))
    put(
        store,
        waits("consumer", {"any": [asset("x", "s3://x", extra={"k": 1}), {"alias": {"name": "al", "group": "g"}}]}),
    )

    row = shown(store, "x")
    assert (row["uri"], row["group"], row["extra"], row["is_active"]) == ("s3://x", "asset", {"k": 1}, True)
    assert [one["dag_id"] for one in row["scheduled_dags"]] == ["consumer"]
    assert [(one["dag_id"], one["task_id"]) for one in row["producing_tasks"]] == [("producer", "t")]
    assert [one["dag_id"] for one in shown(store, "in")["consuming_tasks"]] == ["producer"]
    with store.database.read() as conn:
        assert conn.execute(select(a.asset_alias.c.name, a.asset_alias.c.group)).all() == [("al", "g")]


def test_a_new_version_takes_back_what_it_does_not_say_any_more(store: Store) -> None:
    put(store, makes("producer", asset("x")), waits("consumer", {"all": [asset("x"), asset("y")]}))
    created = shown(store, "x")["scheduled_dags"][0]["created_at"]
    number = shown(store, "x")["id"]
    store.assets.emit(number, later(1))
    store.assets.emit(shown(store, "y")["id"], later(2))

    store.dags.record_parse(
        parse(makes("producer", asset("z")), waits("consumer", {"all": [asset("x")]}), path="producer.py"), later(3)
    )

    assert active(store) == {"x", "z"}
    assert [row["asset_id"] for row in store.assets.queue()] == [number]
    assert shown(store, "x")["scheduled_dags"][0]["created_at"] == created
    store.dags.record_parse(parse(makes("producer"), waits("consumer", None), path="producer.py"), later(4))
    assert active(store) == set()
    assert store.assets.queue() == []
    assert len(store.assets.events(name="x", uri="x")) == 1  # its history stays


def test_an_asset_whose_name_or_uri_is_taken_waits_and_its_dag_is_warned(store: Store) -> None:
    put(store, makes("first", asset("x", "s3://one")))
    put(store, makes("second", asset("x", "s3://two")))
    put(store, makes("third", asset("y", "s3://one")))

    assert active(store) == {"s3://one"}
    assert shown(store, "x", only_active=True)["uri"] == "s3://one"
    assert warnings(store) == {
        "second": 'Cannot activate asset Asset(name="x", uri="s3://two", group="asset"); name is already associated to'
        " 's3://one'",
        "third": 'Cannot activate asset Asset(name="y", uri="s3://one", group="asset"); uri is already associated to'
        " 'x'",
    }
    store.dags.record_parse(parse(makes("second", asset("x", "s3://two")), path="second.py", source_hash="h2"), NOW)
    assert set(warnings(store)) == {"second", "third"}  # a parse that changes nothing leaves them

    store.dags.mark_files_gone("dags-folder", ["first.py"])
    assert active(store) == {"s3://two", "s3://one"}
    assert warnings(store) == {}


def test_a_deleted_dag_names_nothing(store: Store) -> None:
    put(store, makes("producer", asset("x")), waits("consumer", asset("x")))
    store.dags.delete("consumer")
    store.dags.delete("producer")

    assert active(store) == set()
    put(store, makes("producer", asset("x")))
    assert active(store) == {"x"}


def test_what_cannot_be_stored_is_an_import_error(store: Store) -> None:
    put(store, makes("long", asset("x" * 1400, "y" * 1400)))
    put(store, makes("odd", {"asset": {"uri": "no name"}}))

    texts = [text for _, _, text in store.dags.import_errors()]
    assert ["longer than 2600" in text for text in texts] == [True, False]
    assert "not what this version writes" in texts[1]


def test_an_event_by_hand(store: Store) -> None:
    put(store, waits("consumer", asset("x")))
    number = shown(store, "x")["id"]

    event = store.assets.emit(number, later(1), extra={"a": [1]}, partition_key=None)

    (found,) = store.assets.events(name="x", uri="x")
    assert (found["id"], found["extra"], found["source_dag_id"]) == (event, {"a": [1]}, None)
    with pytest.raises(AssetNotFound):
        store.assets.emit(999, NOW)
    with pytest.raises(Invalid):
        store.assets.emit(number, NOW, partition_key="x" * 251)


def test_events_come_after_one_another_even_if_the_clock_goes_back(store: Store) -> None:
    put(store, waits("consumer", asset("x")))
    number = shown(store, "x")["id"]
    for seconds in (5, 5, 1):
        store.assets.emit(number, later(seconds))

    times = [event["timestamp"] for event in store.assets.events(name="x", uri="x")]
    assert times == sorted(set(times))


def test_the_history_of_an_asset_in_parts(store: Store) -> None:
    put(store, waits("consumer", asset("x")))
    number = shown(store, "x")["id"]
    for n in range(4):
        store.assets.emit(number, later(n), extra={"n": n})
    moments = [event["timestamp"] for event in store.assets.events(name="x")]

    def numbers(**query: Any) -> list[int]:
        return [event["extra"]["n"] for event in store.assets.events(uri="x", **query)]

    assert numbers(after=moments[1], before=moments[2]) == [1, 2]
    assert numbers(ascending=False, limit=2) == [3, 2]
    assert store.assets.inactive([("x", "x"), ("x", "other")]) == [("x", "other")]


# ------------------------------------------------------------------------------------------------- watchers


def watched(dag_id: str, name: str = "x", **kwargs: Any) -> SerializedDag:
    watcher = {"name": "w", "classpath": "my.Trigger", "kwargs": kwargs}
    return waits(dag_id, asset(name, watchers=[watcher]))


def claim(store: Store, triggerer: str = "t1", alive: tuple[str, ...] = ()) -> list[Any]:
    return store.watchers.claim(triggerer, alive=alive, limit=10)


def test_dags_share_a_watcher_and_its_secrets_are_encrypted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.fernet import Fernet

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    put(store, watched("one", password="p"))
    put(store, watched("two", name="y", password="p"))

    with store.database.read() as conn:
        (kwargs,) = conn.execute(select(a.watcher.c.kwargs)).scalars()
    assert "password" not in kwargs
    assert shown(store, "x")["watchers"][0]["name"] == "w"


def test_a_watcher_makes_an_event_of_each_asset_it_is_for(store: Store) -> None:
    put(store, watched("one", queue="q"))
    put(store, watched("two", name="y", queue="q"))
    (watcher,) = claim(store)

    assert (watcher.classpath, watcher.kwargs) == ("my.Trigger", b'{"queue":"q"}')
    assert watcher.assets == [("x", "x"), ("y", "y")]
    assert claim(store, "t2", alive=("t1",)) == []
    assert store.watchers.emit(watcher.id, "t1", b'{"n":1}', later(1))
    (event,) = store.assets.events(name="y", uri="y")
    assert event["extra"] == {"from_trigger": True, "payload": {"n": 1}}
    assert [row["dag_id"] for row in store.assets.queue()] == ["one", "two"]
    assert not store.watchers.emit(watcher.id, "t2", b"null", later(2))


def test_a_watcher_of_a_dead_triggerer_is_taken_over(store: Store) -> None:
    put(store, watched("one"))
    (watcher,) = claim(store)

    assert [one.id for one in claim(store, "t2", alive=("t2",))] == [watcher.id]
    assert store.watchers.live("t1") == set()


def test_a_watcher_is_wanted_as_long_as_a_dag_that_is_not_paused_has_it(store: Store) -> None:
    put(store, watched("one"))
    put(store, watched("two"))
    (watcher,) = claim(store)

    store.dags.set_paused("one", True)
    assert store.watchers.live("t1") == {watcher.id}
    store.dags.set_paused("two", True)
    assert store.watchers.live("t1") == set()
    store.watchers.release("t1")
    assert claim(store) == []
    store.dags.set_paused("one", False)
    assert [one.id for one in claim(store)] == [watcher.id]
    store.dags.mark_files_gone("dags-folder", ["one.py", "two.py"])
    with store.database.read() as conn:
        assert conn.execute(select(a.watcher.c.id)).all() == []


def test_a_changed_watcher_is_another_one(store: Store) -> None:
    put(store, watched("one", queue="old"))
    (old,) = claim(store)
    put(store, watched("one", queue="new"))

    assert store.watchers.live("t1") == set()
    (new,) = claim(store)
    assert new.id != old.id
    assert new.kwargs == b'{"queue":"new"}'
