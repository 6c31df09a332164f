"""The migrations and the metadata are two descriptions of the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from gnomon.store import engine, schema
from gnomon.store.database import Database
from gnomon.store.errors import SchemaOutdated, SchemaUnknown
from gnomon.store.tables import metadata


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    database = engine._database(empty_database_url, create=True)
    yield database
    database.close()


def run_all_migrations(database: Database) -> None:
    with database.write() as conn:
        schema._alembic(conn, "upgrade", "head")


def describe(conn: Connection) -> dict[str, Any]:
    """Everything that matters of the tables, without the order of columns."""
    found = inspect(conn)
    return {
        table: {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
            "key": found.get_pk_constraint(table),
            "unique": sorted(map(str, found.get_unique_constraints(table))),
            "checks": sorted((str(c["name"]), c["sqltext"]) for c in found.get_check_constraints(table)),
            "foreign keys": sorted(map(str, found.get_foreign_keys(table))),
            "indexes": sorted(map(_index, found.get_indexes(table))),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _index(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {index['unique']} {options}"


def test_alembic_sees_no_difference_after_all_migrations(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    run_all_migrations(database)

    with database.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "target_metadata": metadata})
        assert compare_metadata(context, metadata) == []


def test_all_migrations_make_what_a_fresh_database_has(database: Database) -> None:
    run_all_migrations(database)
    with database.read() as conn:
        migrated = describe(conn)
        stamped = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    schema.reset(database)
    with database.read() as conn:
        fresh = describe(conn)

    assert migrated == fresh
    assert len(fresh) == len(metadata.tables)
    assert stamped == schema.head()


def test_every_revision_goes_down_and_up_again(database: Database, empty_database_url: str) -> None:
    schema.migrate(database)
    with database.read() as conn:
        fresh = describe(conn)

    with database.write() as conn:
        schema._alembic(conn, "downgrade", "base")
    with database.read() as conn:
        assert describe(conn) == {}
    run_all_migrations(database)

    with database.read() as conn:
        assert describe(conn) == fresh


def test_an_older_database_keeps_its_rows_when_it_is_migrated(database: Database, empty_database_url: str) -> None:
    with database.write() as conn:
        schema._alembic(conn, "upgrade", schema.revisions()[0])
        conn.execute(text("INSERT INTO pool (name, slots, include_deferred) VALUES ('mine', 3, :no)"), {"no": False})
    if schema.revisions()[0] != schema.head():
        with pytest.raises(SchemaOutdated, match="run `gnomon db migrate`"):
            engine.check(empty_database_url)

    assert engine.migrate(empty_database_url) == schema.revisions()[0]

    engine.check(empty_database_url)
    with engine.open_store(empty_database_url) as store:
        assert [pool.name for pool in store.pools.all()] == ["default_pool", "mine"]


def test_downgrading_to_nowhere_is_refused(database: Database, empty_database_url: str) -> None:
    schema.migrate(database)

    with pytest.raises(SchemaUnknown, match="no revision 'x'"):
        engine.downgrade("x", empty_database_url)
    engine.downgrade(schema.head(), empty_database_url)
    engine.check(empty_database_url)


def test_the_files_form_one_line(database: Database) -> None:
    from alembic.script import ScriptDirectory

    with database.write() as conn:
        script = ScriptDirectory.from_config(schema.alembic_config(conn))
        assert script.get_heads() == [schema.head()]
        assert [revision.revision for revision in script.walk_revisions()][::-1] == schema.revisions()
