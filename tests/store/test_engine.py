"""Opening a store, and what users are told when it cannot be opened."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from gnomon.service.config import conf
from gnomon.store import engine
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import DriverMissing, SchemaMissing, SchemaUnknown, Unavailable
from gnomon.store.schema import head


def test_the_default_is_a_file_in_airflow_home(airflow_home: Path) -> None:
    assert engine.migrate() is None
    assert (airflow_home / "airflow.db").exists()
    with open_store() as store:
        assert store.pools.get("default_pool") is not None


def test_a_new_sqlite_file_is_private(tmp_path: Path) -> None:
    engine.migrate(f"sqlite:///{tmp_path}/deep/er/x.db")

    assert stat.S_IMODE((tmp_path / "deep/er/x.db").stat().st_mode) == 0o600


def test_the_default_pool_has_the_slots_of_the_setting(tmp_path: Path) -> None:
    conf.set("core", "default_pool_task_slot_count", "7")
    url = f"sqlite:///{tmp_path}/x.db"
    engine.migrate(url)
    with open_store(url) as store:
        pool = store.pools.get("default_pool")
        assert pool is not None
        assert pool.slots == 7


def test_migrating_again_changes_nothing(store: Store, database_url: str) -> None:
    store.variables.set("k", "v")

    assert engine.migrate(database_url) == head()
    engine.check(database_url)
    assert store.variables.get("k") is not None


def test_reset_empties(store: Store, database_url: str) -> None:
    store.variables.set("k", "v")
    with store.database.write() as conn:
        conn.execute(text("CREATE TABLE mine (x INTEGER)"))

    engine.reset(database_url)

    assert store.variables.all() == []
    assert [pool.name for pool in store.pools.all()] == ["default_pool"]
    with store.database.write() as conn:
        conn.execute(text("DROP TABLE mine"))  # tables of others stay


def test_reset_makes_what_was_not_there(empty_database_url: str) -> None:
    engine.reset(empty_database_url)

    engine.check(empty_database_url)


def test_a_database_without_tables(empty_database_url: str) -> None:
    if empty_database_url.startswith("sqlite"):
        sqlite3.connect(empty_database_url.removeprefix("sqlite:///")).close()

    assert engine.current_revision(empty_database_url) is None
    with pytest.raises(SchemaMissing, match="run `gnomon db migrate`"):
        engine.check(empty_database_url)
    with open_store(empty_database_url) as store, pytest.raises(SchemaMissing, match="run `gnomon db migrate`"):
        store.variables.get("k")


def test_a_file_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"

    with open_store(url) as store, pytest.raises(SchemaMissing, match="there is no database"):
        store.variables.get("k")
    with pytest.raises(SchemaMissing):
        engine.check(url)
    assert not (tmp_path / "x.db").exists()


def test_a_newer_database_is_refused(store: Store, database_url: str) -> None:
    with store.database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        for act in (engine.check, engine.migrate, engine.reset):
            with pytest.raises(SchemaUnknown, match="revision 9999, which this version of Gnomon does not know"):
                act(database_url)
    finally:
        with store.database.write() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head()})


def test_tables_of_somebody_else_are_refused(empty_database_url: str) -> None:
    database = engine._database(empty_database_url, create=True)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE dag_run (id INTEGER)"))
    database.close()

    with pytest.raises(SchemaUnknown, match=r"tables called dag_run… that Gnomon did not make"):
        engine.migrate(empty_database_url)


def test_processes_that_migrate_at_once_make_one_schema(empty_database_url: str) -> None:
    failures: list[BaseException] = []

    def migrate() -> None:
        try:
            engine.migrate(empty_database_url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    engine.check(empty_database_url)


_MIGRATE_AND_DIE = """
import os, signal, sys
from sqlalchemy import event
from gnomon.store import engine, schema
from gnomon.store.database import Database
original = schema._create
def create(conn):
    left = [int(sys.argv[2])]
    @event.listens_for(conn, "before_cursor_execute")
    def die(*args):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    original(conn)
schema._create = create
engine.migrate(sys.argv[1])
"""


def test_a_migration_cut_by_sigkill_leaves_no_half_schema(empty_database_url: str) -> None:
    command = [sys.executable, "-c", _MIGRATE_AND_DIE, empty_database_url, "17"]
    done = subprocess.run(command, check=False)

    assert done.returncode == -9
    assert engine.current_revision(empty_database_url) is None
    assert engine.migrate(empty_database_url) is None
    engine.check(empty_database_url)


# ------------------------------------------------------------------------------------------------ bad databases


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_server_that_is_not_there_is_one_sentence_without_the_password() -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{closed_port()}/airflow"

    for act in (engine.migrate, engine.check):
        with pytest.raises(Unavailable, match=r"postgresql\+psycopg://me:\*\*\*@127.0.0.1") as error:
            act(url)
        assert "s3cret" not in str(error.value)
        assert "\n" not in str(error.value)


def test_listening_and_leading_without_a_server() -> None:
    import asyncio
    from datetime import UTC, datetime

    url = f"postgresql://me:s3cret@127.0.0.1:{closed_port()}/airflow"

    async def listen(store: Store) -> None:
        store.notifier.listen(["run"])

    with open_store(url) as store:
        with pytest.raises(Unavailable):
            asyncio.run(listen(store))
        with pytest.raises(Unavailable):
            store.leader.acquire("scheduler", "me", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DriverMissing, match=r"gnomon env install 'psycopg\[binary\]'"):
        open_store("postgresql://h/d")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello " * 1000)

    for act in (engine.check, engine.migrate):
        with pytest.raises(Unavailable, match="not a database"):
            act(f"sqlite:///{tmp_path}/x.db")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Unavailable, match=r"the database file .*x\.db cannot be made"):
        engine.migrate(f"sqlite:///{tmp_path}/file/x.db")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_writer_that_waits_too_long_is_told(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.store.database.LOCK_SECONDS", 0.05)
    with open_store(database_url) as impatient, store.database.write():
        failures: list[Unavailable] = []

        def write() -> None:
            with pytest.raises(Unavailable) as error:
                impatient.pools.set("p", 1)
            failures.append(error.value)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "locked by other writers" in str(failures[0])


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_work_goes_on_after_the_server_dropped_the_connections(store: Store) -> None:
    store.variables.set("k", "v")
    with store.database.write() as conn:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gnomon' AND pid <> :me"
        )
        me = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        conn.execute(text(query), {"me": me})

    assert getattr(store.variables.get("k"), "value", None) == "v"


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_connection_that_breaks_in_a_hot_verb_is_unavailable(store: Store) -> None:
    def cut() -> None:
        with store.database.write() as conn:
            conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid(), 0)"))

    def cut_under_a_cursor() -> None:
        with store.database.write() as conn:
            conn.connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid(), 0)")

    for act in (cut, cut_under_a_cursor):
        with pytest.raises(Unavailable, match=r"terminating connection|closed|lost"):
            act()
        store.variables.set("k", "v")


# ------------------------------------------------------------------------------------------------------- weight


def test_opening_a_store_loads_neither_alembic_nor_cryptography_nor_psycopg(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom gnomon.store import engine\n"
        f"engine.migrate('sqlite:///{tmp_path}/x.db')\n"
        f"engine.open_store('sqlite:///{tmp_path}/x.db').close()\n"
        "heavy = {'alembic', 'cryptography', 'psycopg', 'pendulum', 'pydantic', 'asyncpg', 'mako'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ})

    assert (done.returncode, done.stderr) == (0, "")
