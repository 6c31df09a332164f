"""Database URLs: what users write, and what SQLAlchemy is given."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gnomon.store.errors import UnsupportedDatabase


def normalize(url: str) -> URL:
    """Return the URL with the driver that Gnomon uses for this kind of database.

    Raises:
        UnsupportedDatabase: it is no URL, or one of another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UnsupportedDatabase(
            "[database] sql_alchemy_conn is not a database URL; it should look like sqlite:////path/airflow.db"
            " or postgresql://user:password@host/database"
        ) from None
    kind = parsed.drivername.partition("+")[0]
    if kind in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return _absolute(parsed)
    raise UnsupportedDatabase(f"{kind!r} databases are not supported; use sqlite:/// or postgresql://")


def _absolute(url: URL) -> URL:
    """A relative path would mean another file in each process."""
    if not url.database or url.database == ":memory:":
        raise UnsupportedDatabase("an SQLite database in memory cannot be shared by processes; give it a file")
    if not Path(url.database).is_absolute():
        raise UnsupportedDatabase(
            f"the SQLite path {url.database!r} is relative; write it absolute, as in sqlite:////home/me/airflow.db"
        )
    return url.set(drivername="sqlite")


def shown(url: URL) -> str:
    """Return the URL as it may be shown: without its password."""
    return url.render_as_string(hide_password=True)
