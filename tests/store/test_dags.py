from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from gnomon.service.config import conf
from gnomon.store import tables
from gnomon.store.engine import Store
from gnomon.store.errors import DagBusy, DagNotFound, Invalid
from gnomon.store.parses import Recorded, structure_hash
from gnomon.store.records import Run
from gnomon.wire.dag import SerializedTask, decode, encode

from .conftest import NOW, later, parse, serialized


def warnings_of(store: Store, dag_id: str) -> list[tuple[str, str]]:
    table = tables.dag_warning
    with store.database.read() as conn:
        query = select(table.c.warning_type, table.c.message).where(table.c.dag_id == dag_id)
        return [(kind, message) for kind, message in conn.execute(query)]


def version_numbers(store: Store, dag_id: str) -> list[int]:
    table = tables.dag_version
    with store.database.read() as conn:
        query = select(table.c.version_number).where(table.c.dag_id == dag_id).order_by(table.c.version_number)
        return list(conn.execute(query).scalars())


def test_a_parse_makes_the_dag_its_version_and_its_file(store: Store) -> None:
    dag = serialized("a", "t", tags=["x", "y"], owners=["me", "you"], description="text")

    done = store.dags.record_parse(
        parse(dag, source="print()", warnings=[("param", "one"), ("param", "two")], modules=["m.py"], size=7), NOW
    )

    assert done.changed == ["a"]
    found = store.dags.get("a")
    assert found is not None
    assert (found.owners, found.description, found.is_paused, found.is_stale) == ("me, you", "text", True, False)
    assert (found.fileloc, found.last_parsed) == ("/project/dags/a.py", NOW)
    assert store.dags.tags("a") == ["x", "y"]
    assert store.dags.latest_version("a") == (found.version_id, encode(dag))
    assert store.dags.version(done.versions["a"]) == encode(dag)
    assert store.dags.source("a") == "print()"
    assert warnings_of(store, "a") == [("param", "one\ntwo")]
    [file] = store.dags.files()
    assert (file.relative_path, file.source_hash, file.modules, file.size) == ("a.py", "h1", '["m.py"]', 7)


def test_bytes_of_the_parser_are_taken_as_they_are(store: Store) -> None:
    dag = serialized("a", "t")

    store.dags.record_parse(parse(encode(dag)), NOW)  # type: ignore[arg-type]

    latest = store.dags.latest_version("a")
    assert latest is not None
    assert decode(latest[1]) == dag


def test_the_same_structure_keeps_its_version_but_shows_the_new_source(store: Store) -> None:
    first = store.dags.record_parse(parse(serialized(fileloc="/old/a.py"), source="x = 1"), NOW)
    second = store.dags.record_parse(parse(serialized(fileloc="/new/a.py"), source="x = 2", source_hash="h2"), NOW)

    assert first.versions == second.versions
    assert version_numbers(store, "a") == [1]
    assert store.dags.source("a") == "x = 2"
    assert second.changed == ["a"], "workers must load the new code"


def test_an_unchanged_file_changes_nothing(store: Store) -> None:
    store.dags.record_parse(parse(serialized()), NOW)

    assert store.dags.record_parse(parse(serialized()), later(5)).changed == []


def test_another_structure_makes_another_version(store: Store) -> None:
    first = store.dags.record_parse(parse(serialized("a", "t"), source="1"), NOW)
    second = store.dags.record_parse(parse(serialized("a", "t", "u"), source="2"), NOW)

    assert version_numbers(store, "a") == [1, 2]
    latest = store.dags.latest_version("a")
    assert latest is not None
    assert latest[0] == second.versions["a"] != first.versions["a"]
    assert (store.dags.source("a", 1), store.dags.source("a", 2)) == ("1", "2")


def test_the_hash_leaves_out_where_the_file_lies() -> None:
    dag = serialized("a", "t", fileloc="/x", relative_fileloc="x")

    assert structure_hash(dag) == structure_hash(serialized("a", "t"))
    assert structure_hash(dag) != structure_hash(serialized("a", "t", catchup=True))
    assert structure_hash(dag) != structure_hash(serialized("a", SerializedTask(task_id="t", retries=1)))


def test_whether_a_new_dag_is_paused(store: Store) -> None:
    store.dags.record_parse(parse(serialized("default"), path="1.py"), NOW)
    store.dags.record_parse(parse(serialized("said", is_paused_upon_creation=False), path="2.py"), NOW)
    conf.set("core", "dags_are_paused_at_creation", "False")
    store.dags.record_parse(parse(serialized("set"), path="3.py"), NOW)
    store.dags.record_parse(parse(serialized("default"), path="1.py"), NOW)

    paused = {dag.dag_id: dag.is_paused for dag in store.dags.all()}
    assert paused == {"default": True, "said": False, "set": False}


def test_a_dag_that_left_its_file_is_stale_until_it_is_back(store: Store) -> None:
    store.dags.record_parse(parse(serialized("a"), serialized("b")), NOW)

    assert store.dags.record_parse(parse(serialized("b")), NOW).gone == ["a"]
    assert [dag.dag_id for dag in store.dags.all()] == ["b"]
    with pytest.raises(DagNotFound):
        store.dags.require("a")
    assert store.dags.record_parse(parse(serialized("a"), serialized("b")), NOW).changed == ["a"]
    assert store.dags.require("a").is_stale is False
    assert version_numbers(store, "a") == [1]


def test_an_error_keeps_the_dags_and_goes_away_with_its_cause(store: Store) -> None:
    store.dags.record_parse(parse(serialized()), NOW)

    store.dags.record_parse(parse(error="a.py:3 NameError\0 \ud800", source_hash="h2"), NOW)

    assert store.dags.require("a").has_import_errors is True
    assert store.dags.import_errors() == [("dags-folder", "a.py", "a.py:3 NameError\\x00 \\ud800")]
    store.dags.record_parse(parse(serialized(), source_hash="h3"), NOW)
    assert store.dags.require("a").has_import_errors is False
    assert store.dags.import_errors() == []


def test_the_first_file_keeps_a_dag_id_and_the_second_may_have_it_later(store: Store) -> None:
    store.dags.record_parse(parse(serialized("x", "first"), path="1.py"), NOW)

    done = store.dags.record_parse(parse(serialized("x", "second"), serialized("y"), path="2.py"), NOW)

    assert sorted(done.versions) == ["y"]
    assert store.dags.import_errors() == [("dags-folder", "2.py", "DAG id 'x' is already defined in 1.py")]
    gone, rivals = store.dags.mark_files_gone("dags-folder", ["1.py"])
    assert (gone, rivals) == (["x"], [("dags-folder", "2.py")])
    assert [file.relative_path for file in store.dags.files()] == [], "2.py counts as never parsed"
    store.dags.record_parse(parse(serialized("x", "second"), serialized("y"), path="2.py"), NOW)
    assert store.dags.require("x").relative_fileloc == "2.py"
    assert store.dags.import_errors() == []


def test_files_that_are_gone_take_their_errors_along(store: Store) -> None:
    store.dags.record_parses([parse(serialized("a")), parse(error="bad", path="b.py")], NOW)

    assert store.dags.mark_files_gone("dags-folder", ["a.py", "b.py", "never.py"]) == (["a"], [])
    assert store.dags.import_errors() == []
    assert store.dags.files() == []


def test_tags_follow_the_file(store: Store) -> None:
    store.dags.record_parse(parse(serialized(tags=["x", "y"])), NOW)
    store.dags.record_parse(parse(serialized(tags=["y", "z"])), NOW)

    assert store.dags.tags("a") == ["y", "z"]


def test_what_does_not_fit_is_an_import_error_beside_what_does(store: Store) -> None:
    odd = [serialized("x" * 251), serialized("tag", tags=["t" * 101]), b'{"dag_id": 1}', b"no JSON"]

    store.dags.record_parse(parse(serialized("ok"), *odd), NOW)  # type: ignore[arg-type]

    assert [dag.dag_id for dag in store.dags.all()] == ["ok"]
    [(_, _, error)] = store.dags.import_errors()
    assert len(error.splitlines()) == 4
    assert "dag_id is longer than 250 characters" in error
    assert "Expected `str`, got `int` - at `$.dag_id`" in error


def test_a_file_whose_name_does_not_fit_is_refused(store: Store) -> None:
    with pytest.raises(Invalid, match="relative_path"):
        store.dags.record_parses([parse(path="x" * 2001), parse(serialized("ok"))], NOW)
    assert store.dags.all() == []


def test_pausing_one(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")

    assert store.dags.set_paused("a", False) is True
    assert store.dags.set_paused("a", False) is False
    assert store.dags.require("a").is_paused is False
    with pytest.raises(DagNotFound, match="'gone'"):
        store.dags.set_paused("gone", True)


def test_pausing_by_pattern_means_the_whole_id(store: Store, a_dag: Callable[..., Recorded]) -> None:
    for dag_id in ("etl_1", "etl_2", "my_etl_1"):
        a_dag(dag_id)

    assert store.dags.set_paused_matching(r"etl_\d", False) == ["etl_1", "etl_2"]
    assert [dag.dag_id for dag in store.dags.all() if dag.is_paused] == ["my_etl_1"]
    with pytest.raises(Invalid, match="regular expression"):
        store.dags.set_paused_matching("(", True)


def test_the_next_run_is_kept(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    store.dags.set_next_run("a", later(60), NOW, (NOW, later(60)))

    dag = store.dags.require("a")
    assert (dag.next_run_after, dag.next_logical_date) == (later(60), NOW)
    assert (dag.next_interval_start, dag.next_interval_end) == (NOW, later(60))
    store.dags.set_next_run("a", None)
    assert store.dags.require("a").next_run_after is None


def test_favorites(store: Store, a_dag: Callable[..., Recorded]) -> None:
    a_dag("a")
    store.dags.set_favorite("a", "me", True)
    store.dags.set_favorite("a", "me", True)
    with store.database.read() as conn:
        assert conn.execute(select(tables.dag_favorite)).all() == [("me", "a")]
    store.dags.set_favorite("a", "me", False)
    with store.database.read() as conn:
        assert conn.execute(select(tables.dag_favorite)).all() == []
    with pytest.raises(DagNotFound):
        store.dags.set_favorite("gone", "me", True)


def test_deleting_takes_all_that_hangs_on_it_and_lets_the_file_be_parsed_again(
    store: Store, a_run: Callable[..., Run]
) -> None:
    a_run("r1", t="success")
    a_run("r2", at=later(1), t=None)

    assert store.dags.delete("a") == 2

    assert store.dags.get("a") is None
    assert store.dags.files() == []
    with store.database.read() as conn:
        for table in (tables.dag_run, tables.task_instance, tables.dag_version):
            assert conn.execute(select(table)).all() == []
    with pytest.raises(DagNotFound):
        store.dags.delete("a")


def test_a_dag_with_running_tasks_is_not_deleted(store: Store, a_run: Callable[..., Run]) -> None:
    a_run("r1", t="running")

    with pytest.raises(DagBusy):
        store.dags.delete("a")
    assert store.dags.get("a") is not None
