"""What can go wrong in the store, each with one sentence that a user can act on.

StoreError
├── Unavailable              the database cannot be reached, or is locked for too long
├── DriverMissing            the Python package for this kind of database is not installed
├── UnsupportedDatabase      the URL names a database that is neither SQLite nor PostgreSQL, or is not a URL
├── SchemaError
│   ├── SchemaMissing        there are no tables yet
│   ├── SchemaOutdated       the tables are older than this code
│   └── SchemaUnknown        the tables are newer than this code, or somebody else's
├── SecretError
│   ├── BadFernetKey         [core] fernet_key is not a Fernet key
│   └── FernetKeyMismatch    a value was encrypted with another key
├── Invalid                  a value that the tables cannot hold
├── NotFound
│   └── DagNotFound, RunNotFound, TaskInstanceNotFound, VariableNotFound, ConnectionNotFound, PoolNotFound
├── AlreadyExists
│   └── RunExists, VariableExists, ConnectionExists
├── Conflict                 the row is no longer in the state that the caller counted on
│   └── DagBusy              tasks of the DAG are running
└── LeadershipLost           another process leads now
"""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do it."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class Unavailable(StoreError):
    """The database cannot be reached."""


class DriverMissing(StoreError):
    """The Python package for this kind of database is not installed."""


class UnsupportedDatabase(StoreError):
    """The URL names a database that is neither SQLite nor PostgreSQL."""


class SchemaError(StoreError):
    """The tables do not fit this code."""


class SchemaMissing(SchemaError):
    """The database has no tables yet; run `gnomon db migrate`."""


class SchemaOutdated(SchemaError):
    """The tables are older than this version of Gnomon; run `gnomon db migrate`."""


class SchemaUnknown(SchemaError):
    """The tables are newer than this version of Gnomon."""


class SecretError(StoreError):
    """A secret could not be encrypted or decrypted."""


class BadFernetKey(SecretError):
    """[core] fernet_key is not a Fernet key: 32 bytes in url-safe base64, several of them separated by commas."""


class FernetKeyMismatch(SecretError):
    """A value was encrypted with a Fernet key that is not in [core] fernet_key."""


class Invalid(StoreError):
    """A value cannot be stored."""


class NotFound(StoreError):
    """There is no such thing."""


class DagNotFound(NotFound):
    """There is no such DAG."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(f"DAG {dag_id!r} was not found")
        self.dag_id = dag_id


class RunNotFound(NotFound):
    """There is no such DAG run."""

    def __init__(self, dag_id: str | None, run_id: str | int) -> None:
        where = f" of DAG {dag_id!r}" if dag_id is not None else ""
        super().__init__(f"DAG run {run_id!r}{where} was not found")
        self.dag_id = dag_id
        self.run_id = run_id


class TaskInstanceNotFound(NotFound):
    """There is no such task instance."""


class VariableNotFound(NotFound):
    """There is no such variable."""

    def __init__(self, key: str) -> None:
        super().__init__(f"variable {key!r} was not found")
        self.key = key


class ConnectionNotFound(NotFound):
    """There is no such connection."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(f"connection {conn_id!r} was not found")
        self.conn_id = conn_id


class PoolNotFound(NotFound):
    """There is no such pool."""

    def __init__(self, name: str) -> None:
        super().__init__(f"pool {name!r} was not found")
        self.name = name


class AssetNotFound(NotFound):
    """There is no such asset."""

    def __init__(self, asset: str) -> None:
        super().__init__(f"Asset with ID: `{asset}` was not found")
        self.asset = asset


class BackfillNotFound(NotFound):
    """There is no such backfill."""

    def __init__(self, backfill_id: int) -> None:
        super().__init__(f"backfill {backfill_id} was not found")
        self.backfill_id = backfill_id


class AlreadyExists(StoreError):
    """It exists already."""


class RunExists(AlreadyExists):
    """The DAG has a run with this run id or this logical date."""

    def __init__(self, dag_id: str, run_id: str, *, logical_date: str | None = None) -> None:
        same = f"the logical date {logical_date}" if logical_date else f"the run id {run_id!r}"
        super().__init__(f"DAG {dag_id!r} already has a run with {same}")
        self.dag_id = dag_id
        self.run_id = run_id


class VariableExists(AlreadyExists):
    """The variable exists already."""

    def __init__(self, key: str) -> None:
        super().__init__(f"variable {key!r} already exists")
        self.key = key


class ConnectionExists(AlreadyExists):
    """The connection exists already."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(f"connection {conn_id!r} already exists")
        self.conn_id = conn_id


class ConnectionTestUnderWay(AlreadyExists):
    """The connection is being tested."""

    def __init__(self, conn_id: str) -> None:
        super().__init__(f"An active connection test already exists for connection_id `{conn_id}`.")
        self.conn_id = conn_id


class BackfillUnderWay(AlreadyExists):
    """The DAG has a backfill that is not completed."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(f"DAG {dag_id!r} has a backfill that is not completed; there can be one at a time")
        self.dag_id = dag_id


class Conflict(StoreError):
    """The row is no longer in the state that was counted on."""


class DagBusy(Conflict):
    """Tasks of the DAG are running."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(f"DAG {dag_id!r} has running tasks; wait for them or mark their runs first")
        self.dag_id = dag_id


class LeadershipLost(StoreError):
    """Another process leads now."""
