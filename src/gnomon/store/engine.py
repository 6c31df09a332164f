"""The way into the store: `open_store`, and the state of the schema."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gnomon.store import schema
from gnomon.store.announcements import Announcements
from gnomon.store.assets import Assets
from gnomon.store.backfills import Backfills
from gnomon.store.connection_tests import ConnectionTests
from gnomon.store.connections import Connections
from gnomon.store.crypto import Cipher, cipher
from gnomon.store.dags import Dags
from gnomon.store.database import Database, PoolSettings
from gnomon.store.deadlines import Deadlines
from gnomon.store.events import Events
from gnomon.store.human_input import HumanInput
from gnomon.store.jobs import Jobs
from gnomon.store.leader import Leader
from gnomon.store.notifier import open_notifier
from gnomon.store.pools import Pools
from gnomon.store.questions import Questions
from gnomon.store.runs import Runs
from gnomon.store.state_store import AssetStates, TaskStates
from gnomon.store.task_instances import TaskInstances
from gnomon.store.triggers import Triggers
from gnomon.store.url import normalize
from gnomon.store.variables import Variables
from gnomon.store.watchers import Watchers
from gnomon.store.xcoms import XComs

if TYPE_CHECKING:
    from gnomon.store.asset_runs import AssetRuns
    from gnomon.store.scheduling import Scheduling


class Store:
    """All verbs of one database, by noun. Thread-safe."""

    def __init__(self, database: Database, cipher: Cipher, runtime_dir: Path | None = None) -> None:
        self.database = database
        self.cipher = cipher
        self.notifier = database.notifier = open_notifier(database, runtime_dir)
        self.leader = Leader(database, runtime_dir)
        self.variables = Variables(database, cipher)
        self.connections = Connections(database, cipher)
        self.connection_tests = ConnectionTests(database)
        self.pools = Pools(database)
        self.dags = Dags(database)
        self.runs = Runs(database)
        self.task_instances = TaskInstances(database)
        self.xcoms = XComs(database)
        self.triggers = Triggers(database, cipher)
        self.assets = Assets(database)
        self.backfills = Backfills(database)
        self.watchers = Watchers(database, cipher)
        self.jobs = Jobs(database)
        self.questions = Questions(database)
        self.announcements = Announcements(database)
        self.deadlines = Deadlines(database)
        self.events = Events(database)
        self.human_input = HumanInput(database)
        self.task_states = TaskStates(database)
        self.asset_states = AssetStates(database)

    @cached_property
    def scheduling(self) -> Scheduling:
        """The hot verbs of the scheduler; nobody else pays for preparing their statements."""
        from gnomon.store.scheduling import Scheduling

        return Scheduling(self.database)

    @cached_property
    def asset_runs(self) -> AssetRuns:
        """The scheduler's verbs for what waits for assets."""
        from gnomon.store.asset_runs import AssetRuns

        return AssetRuns(self.database)

    def rotate_fernet_key(self) -> int:
        """Encrypt every secret with the first key of [core] fernet_key; return how many rows were written.

        Raises:
            FernetKeyMismatch: one was encrypted with a key that is not in the list; nothing is changed.
        """
        with self.database.write() as conn:
            return sum(
                noun.rotate_in(conn) for noun in (self.variables, self.connections, self.triggers, self.watchers)
            )

    def close(self) -> None:
        """Close all connections."""
        self.notifier.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_store(url: str | None = None, *, runtime_dir: Path | None = None) -> Store:
    """Return the store of a database; nothing is connected before the first verb.

    Args:
        url: [database] sql_alchemy_conn unless given.
        runtime_dir: for the bells and locks of an SQLite store; that of AIRFLOW_HOME unless given.

    Raises:
        UnsupportedDatabase: the URL is not one of SQLite or PostgreSQL.
        DriverMissing: the package for it is not installed.
    """
    return Store(_database(url), cipher(), runtime_dir)


def migrate(url: str | None = None) -> str | None:
    """Bring the tables of a database to this code, make the default pool; return the revision it had before.

    Raises:
        Unavailable: the database cannot be reached.
        SchemaUnknown: its tables are newer than this code, or not Gnomon's.
    """
    database = _database(url, create=True)
    try:
        before = schema.migrate(database)
        Pools(database).ensure_default(_default_pool_slots())
        return before
    finally:
        database.close()


def check(url: str | None = None) -> None:
    """Do nothing if the tables of a database are those of this code.

    Raises:
        Unavailable: the database cannot be reached.
        SchemaError: they are missing, older or newer.
    """
    database = _database(url)
    try:
        schema.check(database)
    finally:
        database.close()


def reset(url: str | None = None) -> None:
    """Drop the tables with all they hold, and make them anew.

    Raises:
        Unavailable: the database cannot be reached.
        SchemaUnknown: its tables are not Gnomon's.
    """
    database = _database(url, create=True)
    try:
        schema.reset(database)
        Pools(database).ensure_default(_default_pool_slots())
    finally:
        database.close()


def current_revision(url: str | None = None) -> str | None:
    """Return the revision of a database's tables; None if it has none."""
    database = _database(url)
    try:
        return schema.current(database)
    finally:
        database.close()


def downgrade(revision: str, url: str | None = None) -> None:
    """Bring the tables back to an older revision.

    Raises:
        SchemaError: there is no such revision, or the tables are not those of this code.
    """
    database = _database(url)
    try:
        schema.downgrade(database, revision)
    finally:
        database.close()


def default_url() -> str:
    """Return [database] sql_alchemy_conn."""
    from gnomon.service.config import conf

    return str(conf.get("database", "sql_alchemy_conn"))


def _database(url: str | None, *, create: bool = False) -> Database:
    return Database(normalize(url or default_url()), _pool_settings(), create=create)


def _pool_settings() -> PoolSettings:
    from gnomon.service.config import conf

    return PoolSettings(
        enabled=conf.getboolean("database", "sql_alchemy_pool_enabled", fallback=True),
        size=conf.getint("database", "sql_alchemy_pool_size", fallback=5),
        max_overflow=conf.getint("database", "sql_alchemy_max_overflow", fallback=10),
        recycle=conf.getint("database", "sql_alchemy_pool_recycle", fallback=1800),
        pre_ping=conf.getboolean("database", "sql_alchemy_pool_pre_ping", fallback=True),
        schema=conf.get("database", "sql_alchemy_schema", fallback="") or "",
    )


def _default_pool_slots() -> int:
    from gnomon.service.config import conf

    return conf.getint("core", "default_pool_task_slot_count", fallback=128)
