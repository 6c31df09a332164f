"""One database: its engine, and the three ways to use it (read, snapshot, write).

SQLite has one writer at a time, so a process keeps one connection for writing and queues for it here instead of
colliding in the file; its transactions begin IMMEDIATE, because one that starts by reading and then upgrades can
fail at once with SQLITE_BUSY, whatever the timeout is.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, CursorResult, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from gnomon.service import clock
from gnomon.store.errors import DriverMissing, SchemaMissing, StoreError, Unavailable
from gnomon.store.url import shown
from gnomon.store.writer_queue import WriterQueue

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert

    from gnomon.store.notifier import Notifier

#: How long a writer waits for the others before it gives up.
LOCK_SECONDS = 30.0
#: Where a connection keeps the notices of its transaction until it commits.
NOTICES = "gnomon.notices"
_BEGIN = "gnomon_begin"


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `sql_alchemy_pool_*` options of [database]."""

    enabled: bool = True
    size: int = 5
    max_overflow: int = 10
    recycle: int = 1800
    pre_ping: bool = True
    schema: str = ""


class Statement:
    """SQL text for hot paths: `:name` parameters, translated once per dialect, no compilation per call."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._for_psycopg = re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", text.replace("%", "%%"))

    def run(self, conn: Connection, **params: Any) -> CursorResult[*tuple[Any, ...]]:
        """Execute on `conn`; times are given as microseconds, JSON as text."""
        text = self.text if conn.dialect.name == "sqlite" else self._for_psycopg
        return conn.exec_driver_sql(text, params)


class Database:
    """A database that the store's verbs work on."""

    def __init__(self, url: URL, pool: PoolSettings | None = None, *, create: bool = False) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.notifier: Notifier | None = None
        self._writing = threading.local()
        pool = pool or PoolSettings()
        self.schema = pool.schema
        if self.is_sqlite:
            self.engine = _sqlite_engine(url, pool, create=create)
            self._writer = _sqlite_engine(url, msgspec.structs.replace(pool, size=1, max_overflow=0), create=create)
            self._turn: WriterQueue | nullcontext[None] = WriterQueue(url.database or "", LOCK_SECONDS)
        else:
            self.engine = self._writer = _postgres_engine(url, pool)
            self._turn = nullcontext()
        for engine in {self.engine, self._writer}:
            event.listen(engine, "handle_error", self._explain)
        self._reader = self.engine.execution_options(**_READ[self.is_sqlite])
        self._snapshots = self.engine.execution_options(**_SNAPSHOT[self.is_sqlite])

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return "sqlite" if self.is_sqlite else "postgresql"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for single statements; each sees what is committed at that moment."""
        with self._translated(), self._reader.connect() as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection whose statements all see the database as it was at one moment."""
        with self._translated(), self._snapshots.connect() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction: committed at the end of the block, rolled back on an exception.

        Notices given to `notifier.notify_in` are sent with the commit.

        Raises:
            Unavailable: the database is away, or other writers held it for too long.
        """
        if getattr(self._writing, "active", False):
            raise StoreError("a write inside a write: pass the connection of the outer one on")
        self._writing.active = True
        try:
            with self._translated(), self._writer.connect() as conn:
                notices: dict[tuple[str, str], None] = {}
                conn.info[NOTICES] = notices
                with self._turn, conn.begin():
                    yield conn
                    if notices and not self.is_sqlite and self.notifier is not None:
                        self.notifier.notify_transaction(conn, list(notices))
            if notices and self.is_sqlite and self.notifier is not None:
                for topic, payload in notices:
                    self.notifier.notify(topic, payload)
        finally:
            self._writing.active = False

    def insert(self, table: Table) -> Insert:
        """Return an INSERT of this dialect, which knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)  # type: ignore[return-value]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._writer.dispose()
        if isinstance(self._turn, WriterQueue):
            self._turn.close()

    def checked_out(self) -> int:
        """Return how many connections are in use; tests hold that none is left behind."""
        pools = {id(engine.pool): engine.pool for engine in (self.engine, self._writer)}
        return sum(pool.checkedout() for pool in pools.values() if hasattr(pool, "checkedout"))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Hot verbs use the driver's cursors, so its errors come here unseen by SQLAlchemy."""
        try:
            yield
        except PoolTimeout:
            raise Unavailable(f"no connection to {shown(self.url)} became free in time") from None
        except (StoreError, DBAPIError):
            raise
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("sqlite3", "psycopg"):
                _explain(error, self.url)
            raise

    def _explain(self, context: ExceptionContext) -> None:
        _explain(context.original_exception, self.url)


def _explain(error: BaseException, url: URL) -> None:
    """Raise one of ours in place of a driver's error, if it is about the database and not about the data."""
    message = " ".join(str(error).split())
    where = shown(url)
    if isinstance(error, sqlite3.Error):
        _explain_sqlite(message, where)
        return
    if getattr(error, "sqlstate", None) == "42P01":
        raise SchemaMissing(f"the database {where} has no Gnomon tables; run `gnomon db migrate`") from error
    # OperationalError: away, shutting down, full, too many clients, deadlock. Nothing of it is the caller's fault.
    if any(kind.__name__ == "OperationalError" for kind in type(error).__mro__):
        raise Unavailable(f"the database {where} cannot be used: {message}") from error


def _explain_sqlite(message: str, where: str) -> None:
    if message.startswith("no such table"):
        raise SchemaMissing(f"the database {where} has no Gnomon tables; run `gnomon db migrate`")
    if "unable to open database file" in message:
        raise SchemaMissing(f"there is no database at {where}; run `gnomon db migrate`")
    if "locked" in message:
        raise Unavailable(f"the database {where} was locked by other writers for more than {LOCK_SECONDS:g} seconds")
    for trouble in ("not a database", "readonly", "disk I/O", "disk is full", "malformed", "disk image"):
        if trouble in message:
            raise Unavailable(f"the database {where} cannot be used: {message}")


# Reads of one statement need no transaction: on PostgreSQL that saves two round trips.
_READ: dict[bool, dict[str, Any]] = {True: {_BEGIN: ""}, False: {"isolation_level": "AUTOCOMMIT"}}
_SNAPSHOT: dict[bool, dict[str, Any]] = {
    True: {_BEGIN: "BEGIN"},
    False: {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def _use_wal(dbapi: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite does not wait by itself while another connection makes the same switch."""
    deadline = clock.monotonic() + LOCK_SECONDS
    while True:
        try:
            dbapi.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or clock.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _sqlite_engine(url: URL, pool: PoolSettings, *, create: bool) -> Engine:
    mode = "rwc" if create else "rw"
    uri = f"file:{quote(url.database or '')}?mode={mode}"

    def connect() -> sqlite3.Connection:
        dbapi = sqlite3.connect(
            uri, uri=True, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        # FULL: a commit that was reported must survive a power cut, for a result is acknowledged after it.
        try:
            _use_wal(dbapi)
            dbapi.executescript("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY")
        except sqlite3.Error:
            dbapi.close()
            raise
        return dbapi

    options: dict[str, Any] = {"pool_size": pool.size, "max_overflow": pool.max_overflow, "pool_timeout": LOCK_SECONDS}
    engine = create_engine(url, creator=connect, **options)

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        statement = conn.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE")
        if statement:
            conn.exec_driver_sql(statement)

    return engine


def _postgres_engine(url: URL, pool: PoolSettings) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise DriverMissing(
            f"PostgreSQL needs the package psycopg, which cannot be imported ({error});"
            " install it with: gnomon env install 'psycopg[binary]'"
        ) from None
    arguments: dict[str, Any] = {"application_name": "gnomon"}
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = 10
    if pool.schema:
        arguments["options"] = f"-csearch_path={pool.schema}"
    options: dict[str, Any] = {"poolclass": NullPool}
    if pool.enabled:
        options = {
            "pool_size": pool.size,
            "max_overflow": pool.max_overflow,
            "pool_recycle": pool.recycle,
            "pool_pre_ping": pool.pre_ping,
            "pool_timeout": LOCK_SECONDS,
        }
    return create_engine(url, connect_args=arguments, use_native_hstore=False, **options)
