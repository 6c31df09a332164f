"""Leadership: one process at a time schedules.

Two things make it safe. A lock that the kernel (flock) or the server (an advisory lock of a session) lets go when its
holder dies, so that nobody waits for a lease to run out. And an epoch in the database, which each write of the leader
checks in its own transaction: a leader that was cut off and does not know it yet can commit nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import zlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection

from gnomon.store.database import Database, Statement
from gnomon.store.errors import LeadershipLost, Unavailable
from gnomon.store.notifier import connect_alone
from gnomon.store.types import to_micros

if TYPE_CHECKING:
    import psycopg

#: First half of the advisory locks' numbers; the second is made from the role.
_LOCK_CLASS = 0x676E6F6D

_TAKE = Statement(
    "INSERT INTO leader (role, holder, epoch, acquired_at) VALUES (:role, :holder, 1, :now)"
    " ON CONFLICT (role) DO UPDATE SET holder = :holder, epoch = leader.epoch + 1, acquired_at = :now"
    " RETURNING epoch"
)
_CHECK = Statement("SELECT 1 FROM leader WHERE role = :role AND epoch = :epoch")
# FOR SHARE: a successor that raises the epoch waits until this transaction is over.
_CHECK_LOCKING = Statement(_CHECK.text + " FOR SHARE")


# The scheduler's commits lock this row before any other.
_WAIT_FOR_COMMITS = Statement("SELECT epoch FROM leader WHERE role = 'scheduler' FOR UPDATE")


def between_commits(conn: Connection) -> None:
    """Let a transaction that changes runs and task instances take place between two of the scheduler's.

    On PostgreSQL the two would else lock the same rows in different orders, and one of them would be the victim of a
    deadlock. SQLite has one writer anyway.
    """
    if conn.dialect.name != "sqlite":
        _WAIT_FOR_COMMITS.run(conn).all()


class _Lock(Protocol):
    def held(self) -> bool: ...

    def release(self) -> None: ...


class Leadership:
    """Held until it is released or lost."""

    def __init__(self, role: str, holder: str, epoch: int, lock: _Lock) -> None:
        self.role = role
        self.holder = holder
        self.epoch = epoch
        self._lock = lock

    @property
    def lost(self) -> bool:
        """Whether the lock is gone: the session with the server broke, or somebody removed the lock file."""
        return not self._lock.held()

    def check(self, conn: Connection) -> None:
        """Make sure, in a transaction that writes, that nobody has become the leader since.

        Raises:
            LeadershipLost: somebody has; the transaction must not commit.
        """
        statement = _CHECK if conn.dialect.name == "sqlite" else _CHECK_LOCKING
        if statement.run(conn, role=self.role, epoch=self.epoch).first() is None:
            raise LeadershipLost(f"another process has taken over as {self.role}")

    def release(self) -> None:
        """Let another process lead; idempotent."""
        self._lock.release()


class Leader:
    """Makes leaders."""

    def __init__(self, database: Database, lock_dir: Path | None = None) -> None:
        self._db = database
        self._lock_dir = lock_dir

    def acquire(self, role: str, holder: str, now: datetime) -> Leadership | None:
        """Become the leader of a role; None while another process is.

        Args:
            role: for example "scheduler".
            holder: who asks, as screens show it.
            now: this moment.
        """
        lock = self._lock(role)
        if lock is None:
            return None
        try:
            with self._db.write() as conn:
                epoch = int(_TAKE.run(conn, role=role, holder=holder, now=to_micros(now)).scalar_one())
        except BaseException:
            lock.release()
            raise
        return Leadership(role, holder, epoch, lock)

    def _lock(self, role: str) -> _Lock | None:
        if not self._db.is_sqlite:
            return _AdvisoryLock.take(self._db, role)
        directory = self._lock_dir
        if directory is None:
            from gnomon.service.home import runtime_dir

            directory = runtime_dir()
        return _FileLock.take(directory / f"{role}.leader.lock")


class _FileLock:
    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> _FileLock | None:
        try:
            fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"the lock file {path} cannot be made: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        lock = cls(path, fd)
        if not lock.held():  # removed between open and lock; whoever made the new file will lock that
            lock.release()
            return None
        return lock

    def held(self) -> bool:
        """A lock on a file that is no longer at its path keeps nobody out."""
        if self._fd < 0:
            return False
        try:
            there, mine = os.stat(self._path), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _AdvisoryLock:
    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    @classmethod
    def take(cls, database: Database, role: str) -> _AdvisoryLock | None:
        conn = connect_alone(database.url, f"leader {role}")
        key = zlib.crc32(f"{database.schema}.{role}".encode()) - 2**31
        row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, key)).fetchone()
        if row and row[0]:
            return cls(conn)
        conn.close()
        return None

    def held(self) -> bool:
        """Read what the server says unasked: changed settings, or why it ends the session, and then the end."""
        import psycopg

        try:
            while not self._conn.closed:
                ready = select.poll()
                ready.register(self._conn.fileno(), select.POLLIN)
                if not ready.poll(0):
                    return True
                self._conn.pgconn.consume_input()
        except psycopg.Error:
            self._conn.close()
        return False

    def release(self) -> None:
        self._conn.close()
