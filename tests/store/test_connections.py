from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gnomon.service.config import conf
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import ConnectionExists, ConnectionNotFound, Invalid
from gnomon.store.records import Connection

FULL = Connection(
    conn_id="pg",
    conn_type="postgres",
    host="db.example.org",
    schema="sales",
    login="me",
    password="p@ss",
    port=5432,
    extra='{"sslmode": "require"}',
    description="the warehouse",
)


def test_a_connection_comes_back_with_its_secrets(store: Store) -> None:
    store.connections.add(FULL)

    assert store.connections.get("pg") == FULL
    assert store.connections.get("other") is None
    assert store.connections.all() == [FULL]


def test_adding_an_existing_one_is_refused(store: Store) -> None:
    store.connections.add(FULL)

    with pytest.raises(ConnectionExists, match="'pg'"):
        store.connections.add(Connection(conn_id="pg", conn_type="http"))
    assert store.connections.get("pg") == FULL


def test_set_replaces_every_field(store: Store) -> None:
    store.connections.set(FULL)
    store.connections.set(Connection(conn_id="pg", conn_type="http"))

    assert store.connections.get("pg") == Connection(conn_id="pg", conn_type="http")


def test_update_changes_what_is_given(store: Store) -> None:
    store.connections.add(FULL)

    changed = store.connections.update("pg", host="other", password=None)

    assert (changed.host, changed.password, changed.login) == ("other", None, "me")
    assert store.connections.get("pg") == changed
    with pytest.raises(ConnectionNotFound):
        store.connections.update("gone", host="x")


def test_delete(store: Store) -> None:
    store.connections.add(FULL)

    assert store.connections.delete("pg") is True
    assert store.connections.delete("pg") is False


def test_import_overwrites_or_skips_or_fails_as_a_whole(store: Store) -> None:
    store.connections.add(FULL)
    entries = [Connection(conn_id="new", conn_type="http"), Connection(conn_id="pg", conn_type="http")]

    with pytest.raises(ConnectionExists):
        store.connections.import_many(entries, "fail")
    assert [c.conn_id for c in store.connections.all()] == ["pg"]
    assert store.connections.import_many(entries, "skip").skipped == ["pg"]
    assert store.connections.import_many(entries, "overwrite").updated == ["new", "pg"]
    assert store.connections.all() == entries


def test_a_port_beyond_32_bits_is_refused(store: Store) -> None:
    with pytest.raises(Invalid, match="port"):
        store.connections.add(Connection(conn_id="x", conn_type="http", port=2**40))


def test_password_and_extra_are_encrypted_and_rotated(database_url: str) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    conf.set("core", "fernet_key", old)
    with open_store(database_url) as store:
        store.connections.add(FULL)
        with store.database.read() as conn:
            row = conn.execute(text("SELECT * FROM connection")).one()._mapping
        assert FULL.password not in str(row["password"])
        assert "sslmode" not in row["extra"]
        assert (row["is_encrypted"], row["is_extra_encrypted"]) == (True, True)
        assert store.connections.get("pg") == FULL
    conf.set("core", "fernet_key", f"{new},{old}")
    with open_store(database_url) as store:
        store.rotate_fernet_key()
    conf.set("core", "fernet_key", new)
    with open_store(database_url) as store:
        assert store.connections.get("pg") == FULL


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extra=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _json, max_size=3))
def test_any_extra_comes_back_as_it_was(store: Store, extra: dict[str, object]) -> None:
    store.connections.set(Connection(conn_id="c", conn_type="http", extra=json.dumps(extra)))

    found = store.connections.get("c")
    assert found is not None
    assert json.loads(found.extra or "") == extra
