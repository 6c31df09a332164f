from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gnomon.service.config import conf
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import FernetKeyMismatch, Invalid, VariableExists, VariableNotFound
from gnomon.store.records import Variable


def test_a_variable_that_was_set_is_found(store: Store) -> None:
    store.variables.set("k", "v", "what it is for")

    assert store.variables.get("k") == Variable("k", "v", False, "what it is for")
    assert store.variables.get("other") is None


def test_setting_again_replaces_the_value_and_keeps_the_description(store: Store) -> None:
    store.variables.set("k", "1", "text")
    store.variables.set("k", "2")

    assert store.variables.get("k") == Variable("k", "2", False, "text")


def test_adding_an_existing_one_is_refused(store: Store) -> None:
    store.variables.add("k", "1")

    with pytest.raises(VariableExists, match="'k'"):
        store.variables.add("k", "2")
    assert store.variables.get("k") == Variable("k", "1")


def test_deleting_says_whether_there_was_one(store: Store) -> None:
    store.variables.set("k", "v")

    assert store.variables.delete("k") is True
    assert store.variables.delete("k") is False


def test_rename(store: Store) -> None:
    store.variables.set("a", "1")
    store.variables.set("b", "2")

    store.variables.rename("a", "c")

    assert store.variables.keys() == ["b", "c"]
    with pytest.raises(VariableExists):
        store.variables.rename("b", "c")
    with pytest.raises(VariableNotFound):
        store.variables.rename("gone", "d")


def test_keys_by_prefix_take_wildcards_literally(store: Store) -> None:
    for key in ("a_1", "a_2", "ab", "a%"):
        store.variables.set(key, "")

    assert store.variables.keys("a_") == ["a_1", "a_2"]
    assert store.variables.keys("a%") == ["a%"]
    assert len(store.variables.keys("a", limit=2)) == 2


@pytest.mark.parametrize(
    ("on_existing", "value", "lists"),
    [("overwrite", "new", (["b"], ["a"], [])), ("skip", "old", (["b"], [], ["a"]))],
)
def test_import(store: Store, on_existing: str, value: str, lists: tuple[list[str], ...]) -> None:
    store.variables.set("a", "old")

    done = store.variables.import_many([Variable("a", "new"), Variable("b", "new")], on_existing)  # type: ignore[arg-type]

    assert (done.created, done.updated, done.skipped) == lists
    assert store.variables.get("a") == Variable("a", value)


def test_an_import_that_fails_leaves_nothing(store: Store) -> None:
    store.variables.set("a", "old")

    with pytest.raises(VariableExists):
        store.variables.import_many([Variable("b", "new"), Variable("a", "new")], "fail")
    assert store.variables.all() == [Variable("a", "old")]


@pytest.mark.parametrize(("key", "value"), [("k" * 251, "v"), ("k", "a\0b"), ("k\0", "v")])
def test_what_does_not_fit_is_refused_alike_everywhere(store: Store, key: str, value: str) -> None:
    with pytest.raises(Invalid, match="variable"):
        store.variables.set(key, value)
    assert store.variables.all() == []


def test_with_a_key_values_are_encrypted_and_rotation_needs_the_old_key(database_url: str) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with open_store(database_url) as store:
        store.variables.set("plain", "visible")
    conf.set("core", "fernet_key", old)
    with open_store(database_url) as store:
        store.variables.set("k", "s3cret")
        with store.database.read() as conn:
            stored = conn.execute(text("SELECT value FROM variable WHERE key = 'k'")).scalar_one()
        assert "s3cret" not in stored
        assert store.variables.get("k") == Variable("k", "s3cret", True)
        assert store.variables.get("plain") == Variable("plain", "visible")
    conf.set("core", "fernet_key", new)
    with open_store(database_url) as store:
        with pytest.raises(FernetKeyMismatch) as error:
            store.variables.get("k")
        assert "variable 'k'" in str(error.value)
        assert "s3cret" not in str(error.value)
        assert new not in str(error.value)
        with pytest.raises(FernetKeyMismatch):
            store.rotate_fernet_key()
    conf.set("core", "fernet_key", f"{new},{old}")
    with open_store(database_url) as store:
        assert store.rotate_fernet_key() == 2
    conf.set("core", "fernet_key", new)
    with open_store(database_url) as store:
        assert store.variables.all() == [Variable("k", "s3cret", True), Variable("plain", "visible", True)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(store: Store, value: str) -> None:
    store.variables.set("k", value)

    assert store.variables.get("k") == Variable("k", value)
