"""Bringing a database to the tables of this code: create, upgrade, check, reset.

A fresh database is made straight from the metadata and stamped, without loading Alembic; only one that is older goes
through the migrations. A test proves that both ways end in the same tables.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.engine import URL

from gnomon.store import (  # noqa: F401 - their tables belong to the metadata
    asset_tables,
    backfill_tables,
    connection_test_tables,
    deadline_tables,
    human_input_tables,
    state_tables,
)
from gnomon.store.database import Database
from gnomon.store.errors import SchemaMissing, SchemaOutdated, SchemaUnknown, Unavailable
from gnomon.store.tables import metadata
from gnomon.store.url import shown

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
#: Any number: who changes the tables of a PostgreSQL database holds the advisory lock of this number.
_LOCK = 0x676E6F6D6F6E
_STAMP_TABLE = "alembic_version"


def revisions() -> list[str]:
    """Return the revisions that this code knows, the oldest first: what its migration files begin with."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    """Return the revision of this code."""
    return revisions()[-1]


def current(database: Database) -> str | None:
    """Return the revision that the database is stamped with; None when it has no tables.

    Raises:
        SchemaUnknown: it has our tables, or some of them, without a revision.
    """
    try:
        with database.read() as conn:
            return _stamp(conn, database.url)
    except SchemaMissing:
        return None


def check(database: Database) -> None:
    """Do nothing if the tables are those of this code.

    Raises:
        SchemaMissing: there are none.
        SchemaOutdated: they are older.
        SchemaUnknown: they are newer, or not Gnomon's.
    """
    revision = current(database)
    where = shown(database.url)
    if revision is None:
        raise SchemaMissing(f"the database {where} has no Gnomon tables; run `gnomon db migrate`")
    _refuse_unknown(revision, database.url)
    if revision != head():
        raise SchemaOutdated(
            f"the tables of {where} are of revision {revision}, this code needs {head()}; run `gnomon db migrate`"
        )


def migrate(database: Database) -> str | None:
    """Bring the tables to this code's revision, in one transaction; return the revision they had before.

    Raises:
        SchemaUnknown: they are newer than this code, or not Gnomon's; nothing is changed.
    """
    if database.is_sqlite:
        _make_private_file(Path(database.url.database or ""))
    with _exclusive(database) as conn:
        before = _stamp(conn, database.url)
        if before is None:
            _create(conn)
        else:
            _refuse_unknown(before, database.url)
            if before != head():
                _alembic(conn, "upgrade", "head")
        return before


def downgrade(database: Database, revision: str) -> None:
    """Bring the tables back to an older revision.

    Raises:
        SchemaUnknown: there is no such revision.
    """
    if revision not in revisions():
        raise SchemaUnknown(f"there is no revision {revision!r}; there are {', '.join(revisions())}")
    check(database)
    with _exclusive(database) as conn:
        _alembic(conn, "downgrade", revision)


def reset(database: Database) -> None:
    """Drop Gnomon's tables with all they hold, and make them anew."""
    if database.is_sqlite:
        _make_private_file(Path(database.url.database or ""))
    with _exclusive(database) as conn:
        stamp = _stamp(conn, database.url)
        if stamp is not None:
            _refuse_unknown(stamp, database.url)
            existing = MetaData()
            existing.reflect(conn, only=[*_ours(conn), _STAMP_TABLE])
            existing.drop_all(conn)
        _create(conn)


@contextlib.contextmanager
def _exclusive(database: Database) -> Iterator[Connection]:
    """A transaction that no other migrating process runs beside; on SQLite every writing one is."""
    with database.write() as conn:
        if not database.is_sqlite:
            conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield conn


def _create(conn: Connection) -> None:
    metadata.create_all(conn, checkfirst=False)
    conn.execute(text(f"CREATE TABLE {_STAMP_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    conn.execute(text(f"INSERT INTO {_STAMP_TABLE} VALUES (:revision)"), {"revision": head()})


def _ours(conn: Connection) -> list[str]:
    return sorted(set(inspect(conn).get_table_names()) & set(metadata.tables))


def _stamp(conn: Connection, url: URL) -> str | None:
    if inspect(conn).has_table(_STAMP_TABLE):
        revision = conn.execute(text(f"SELECT version_num FROM {_STAMP_TABLE}")).scalar()
        if revision is not None:
            return str(revision)
    present = _ours(conn)
    if present:
        raise SchemaUnknown(
            f"the database {shown(url)} has tables called {', '.join(present[:3])}… that Gnomon did not make; give it"
            " an empty database"
        )
    return None


def _refuse_unknown(revision: str, url: URL) -> None:
    if revision not in revisions():
        raise SchemaUnknown(
            f"the tables of {shown(url)} are of revision {revision}, which this version of Gnomon does not know: they"
            " were made by a newer Gnomon, or by Apache Airflow"
        )


def _alembic(conn: Connection, command: str, revision: str) -> None:
    from alembic import command as commands

    getattr(commands, command)(alembic_config(conn), revision)


def alembic_config(conn: Connection) -> Config:
    """Return the configuration under which Alembic works on this connection, without any file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def _make_private_file(path: Path) -> None:
    """Make the file before SQLite does, because it may hold secrets in plain text, and SQLite asks the umask only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise Unavailable(f"the database file {path} cannot be made: {error.strerror}") from None
