"""Bells: a commit tells who waits for it, so that nobody polls. The topics are in docs/architecture.md.

SQLite has no way to tell, so each listener binds a datagram socket in the runtime directory, and its file name says
which topics it wants. PostgreSQL has NOTIFY, which the server sends with the commit. A notice may get lost (a full
socket, a lost connection), so every listener also looks for itself now and then; after a reconnection it is given a
notice with an empty payload for each of its topics, which means just that.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from gnomon.service import clock
from gnomon.store.database import NOTICES, Database
from gnomon.store.errors import Unavailable

if TYPE_CHECKING:
    import psycopg

#: Every topic, and who hears it, is listed in docs/architecture.md.
TOPICS = frozenset(
    {
        "run",
        "backfill",
        "asset",
        "dag",
        "trigger",
        "fired",
        "answered",
        "pool",
        "state",
        "parse",
        "question",
        "reply",
        "announce",
    }
)
#: The one PostgreSQL channel; payloads are "topic:payload".
CHANNEL = "gnomon"
_SUFFIX = ".bell"
_MAX_DATAGRAM = 4096
_RECEIVE_BUFFER = 1 << 20
#: File systems stamp changes with a clock that moves every few milliseconds only.
_CLOCK_TICK_NS = 20_000_000
_RECONNECT_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Something happened; an empty payload means that it is not known to what."""

    topic: str
    payload: str


class Subscription(Protocol):
    """Hands notices to a callback until it is closed."""

    def close(self) -> None:
        """Stop listening; idempotent."""


def notify_in(conn: Connection, topic: str, payload: str | int) -> None:
    """Let the transaction of `Database.write` send a notice when it commits; the same one is sent once."""
    conn.info[NOTICES][(topic, str(payload))] = None


class Notifier(Protocol):
    """Sends notices and hears them."""

    def notify(self, topic: str, payload: str | int) -> None:
        """Send one notice now."""

    def notify_transaction(self, conn: Connection, notices: list[tuple[str, str]]) -> None:
        """Send the notices of a transaction with its commit."""

    def subscribe(
        self, loop: asyncio.AbstractEventLoop, topics: Iterable[str], callback: Callable[[Notice], None]
    ) -> Subscription:
        """Call `callback` in the event loop for each notice of these topics."""

    def listen(self, topics: Iterable[str]) -> AsyncIterator[Notice]:
        """Yield the notices of these topics; listening begins when the iterator is made."""

    def close(self) -> None:
        """Let go of sockets and connections."""


def open_notifier(database: Database, runtime_dir: Path | None = None) -> Notifier:
    """Return the notifier of a database; `runtime_dir` is that of the installation unless given."""
    if not database.is_sqlite:
        return PostgresNotifier(database)
    if runtime_dir is None:
        from gnomon.service.home import runtime_dir as default

        runtime_dir = default()
    return BellNotifier(runtime_dir)


# --------------------------------------------------------------------------------------------------- SQLite


class BellNotifier:
    """Datagrams to the sockets `*.bell` of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._seen = -1
        self._bells: list[tuple[str, frozenset[str]]] = []

    def notify(self, topic: str, payload: str | int) -> None:
        """Ring every bell of the topic; never blocks, never fails."""
        datagram: bytes | None = None
        for path, topics in self._listeners():
            if topic in topics:
                datagram = datagram or msgspec.msgpack.encode(Notice(topic, str(payload)))
                self._ring(path, datagram)

    def notify_transaction(self, conn: Connection, notices: list[tuple[str, str]]) -> None:
        """Not needed: SQLite's notices are sent after the commit, by `notify`."""
        raise NotImplementedError

    def subscribe(
        self, loop: asyncio.AbstractEventLoop, topics: Iterable[str], callback: Callable[[Notice], None]
    ) -> Subscription:
        """Bind a bell and read it in `loop`."""
        return _Bell(loop, self._directory, _known(topics), callback)

    def listen(self, topics: Iterable[str]) -> AsyncIterator[Notice]:
        """Yield the notices of these topics."""
        return _listen(self, topics)

    def close(self) -> None:
        """Close the sending socket."""
        self._socket.close()

    def _listeners(self) -> list[tuple[str, frozenset[str]]]:
        """The bells, listed again only when the directory has changed."""
        try:
            changed = os.stat(self._directory).st_mtime_ns
        except OSError:
            return []
        if changed != self._seen:
            with contextlib.suppress(OSError):
                names = [name for name in os.listdir(self._directory) if name.endswith(_SUFFIX)]
                self._bells = [(f"{self._directory}/{name}", _topics_of(name)) for name in names]
                # A bell bound within the clock's tick of this listing would not change the time again.
                recent = clock.now_us() * 1000 - changed < _CLOCK_TICK_NS
                self._seen = -1 if recent else changed
        return self._bells

    def _ring(self, path: str, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, path)
        except OSError as error:
            # Names are never used twice, so a bell that refuses belongs to a process that was killed.
            if error.errno == errno.ECONNREFUSED:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _topics_of(name: str) -> frozenset[str]:
    """`<id>.run+dag.bell` wants run and dag."""
    return frozenset(name.removesuffix(_SUFFIX).partition(".")[2].split("+"))


class _Bell:
    """A bound datagram socket, read by an event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        directory: str,
        topics: frozenset[str],
        callback: Callable[[Notice], None],
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._path = f"{directory}/{os.getpid()}-{secrets.token_hex(4)}.{'+'.join(sorted(topics))}{_SUFFIX}"
        self._socket.bind(self._path)
        loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                return
            with contextlib.suppress(msgspec.DecodeError):
                self._callback(_decode(datagram))

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)


_decode = msgspec.msgpack.Decoder(Notice).decode


# ----------------------------------------------------------------------------------------------- PostgreSQL


class PostgresNotifier:
    """NOTIFY on one channel; each subscription has a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def notify(self, topic: str, payload: str | int) -> None:
        """Send one notice in a transaction of its own."""
        with self._db.write() as conn:
            notify_in(conn, topic, payload)

    def notify_transaction(self, conn: Connection, notices: list[tuple[str, str]]) -> None:
        """Send notices in one round trip; the server delivers them when the transaction commits."""
        payloads = [f"{topic}:{payload}" for topic, payload in notices]
        conn.execute(_NOTIFY, {"channel": CHANNEL, "payloads": payloads})

    def subscribe(
        self, loop: asyncio.AbstractEventLoop, topics: Iterable[str], callback: Callable[[Notice], None]
    ) -> Subscription:
        """LISTEN on a new connection and read it in `loop`; reconnects for as long as it takes."""
        return _PostgresListener(loop, self._db.url, _known(topics), callback)

    def listen(self, topics: Iterable[str]) -> AsyncIterator[Notice]:
        """Yield the notices of these topics."""
        return _listen(self, topics)

    def close(self) -> None:
        """Nothing is kept open here."""


_NOTIFY = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


class _PostgresListener:
    """A connection that LISTENs, read by an event loop, replaced when it breaks."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        url: URL,
        topics: frozenset[str],
        callback: Callable[[Notice], None],
    ) -> None:
        self._loop = loop
        self._url = url
        self._topics = topics
        self._callback = callback
        self._failures = 0
        self._closed = False
        self._retry: asyncio.TimerHandle | None = None
        self._reconnecting: asyncio.Future[Any] | None = None
        # The first connection is made here, so that nothing said after `subscribe` is missed.
        self._conn: psycopg.Connection[Any] | None = None
        self._fd = -1
        self._use(_listening(url))

    def _use(self, conn: psycopg.Connection[Any]) -> None:
        # The descriptor is kept, for a connection that is lost no longer tells it.
        self._conn, self._fd = conn, conn.fileno()
        self._loop.add_reader(self._fd, self._read)

    def _let_go(self) -> None:
        if self._conn is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._fd)
            self._conn.close()
            self._conn = None

    def _read(self) -> None:
        import psycopg

        assert self._conn is not None
        notices: list[Notice] = []
        broken = False
        try:
            self._conn.pgconn.consume_input()
        except psycopg.Error:
            broken = True
        while (found := self._conn.pgconn.notifies()) is not None:
            topic, _, payload = found.extra.decode().partition(":")
            notices.append(Notice(topic, payload))
        if broken:
            self._let_go()
            self._schedule()
        for notice in notices:
            if notice.topic in self._topics:
                self._callback(notice)

    def _schedule(self) -> None:
        delay = _RECONNECT_SECONDS[min(self._failures, len(_RECONNECT_SECONDS) - 1)]
        self._failures += 1
        self._retry = self._loop.call_later(delay, self._reconnect)

    def _reconnect(self) -> None:
        # In a thread, for a server that does not answer must not stop the event loop.
        self._reconnecting = self._loop.run_in_executor(None, _listening, self._url)
        self._reconnecting.add_done_callback(self._connected)

    def _connected(self, attempt: asyncio.Future[psycopg.Connection[Any]]) -> None:
        failed = attempt.cancelled() or attempt.exception() is not None
        if self._closed:
            if not failed:
                attempt.result().close()
            return
        if failed:
            self._schedule()
            return
        self._failures = 0
        self._use(attempt.result())
        for topic in sorted(self._topics):
            self._callback(Notice(topic, ""))

    def close(self) -> None:
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._let_go()


def connect_alone(url: URL, role: str) -> psycopg.Connection[Any]:
    """Open a connection outside the pool, in autocommit, with keepalives so that a dead server is noticed.

    Raises:
        Unavailable: the server cannot be reached.
    """
    import psycopg

    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    options: dict[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    if "connect_timeout" not in url.query:
        options["connect_timeout"] = 10
    try:
        return psycopg.connect(target, autocommit=True, application_name=f"gnomon {role}", **options)
    except psycopg.Error as error:
        raise Unavailable(f"the database cannot be reached: {' '.join(str(error).split())}") from None


def _listening(url: URL) -> psycopg.Connection[Any]:
    conn = connect_alone(url, "listener")
    conn.execute(f"LISTEN {CHANNEL}".encode())
    return conn


# ------------------------------------------------------------------------------------------------------ both


def _known(topics: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(topics)
    if not wanted or not wanted <= TOPICS:
        raise ValueError(f"topics must be some of {', '.join(sorted(TOPICS))}, not {sorted(wanted)}")
    return wanted


def _listen(notifier: Notifier, topics: Iterable[str]) -> AsyncIterator[Notice]:
    """Subscribe now; the iterator hands out what arrives from now on."""
    queue: asyncio.Queue[Notice] = asyncio.Queue()
    subscription = notifier.subscribe(asyncio.get_running_loop(), topics, queue.put_nowait)

    async def notices() -> AsyncIterator[Notice]:
        try:
            while True:
                yield await queue.get()
        finally:
            subscription.close()

    return notices()
