"""Testing connections: the hook of a connection's type does it, in a process of user code."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.inspection import InspectionError, inspect
from gnomon.service.masking import MASK, masker
from gnomon.store.errors import StoreError
from gnomon.store.records import Connection

if TYPE_CHECKING:
    from gnomon.store.engine import Store

log = structlog.get_logger("gnomon.api")

#: Beyond the time that a test may take: for starting its process, and for waiting for its turn.
_GRACE = timedelta(seconds=60)


def seconds() -> float:
    """Return how long a test may take."""
    return conf.getfloat("connection_test", "timeout", fallback=60.0)


def test(connection: Connection) -> tuple[bool, str]:
    """Return whether a connection works, and what its hook says about it; nothing is stored."""
    # Under an id that nothing else has: hooks look their connection up by it.
    fields = {**msgspec.structs.asdict(connection), "conn_id": f"test_{secrets.token_hex(8)}"}
    try:
        answer = inspect("test-connection", fields, seconds=seconds())
    except InspectionError as error:
        answer = {"status": False, "message": str(error)}
    message = str(answer["message"])
    for secret in filter(None, [connection.password, *_secrets_in(connection.extra)]):
        message = message.replace(str(secret), MASK)
    return bool(answer["status"]), message


def stored(store: Store, conn_id: str) -> Connection | None:
    """Return a connection from where tasks would get it: a secrets backend, the environment, the database.

    Raises:
        InspectionError: the secrets backend could not be asked.
    """
    backend = any(
        conf.get(*option, fallback=None) for option in (("workers", "secrets_backend"), ("secrets", "backend"))
    )
    if backend or f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ:
        found = inspect("stored-connection", conn_id, seconds=seconds())
        if found is not None:
            return Connection(**found)
    return store.connections.get(conn_id)


def _secrets_in(extra: str | None) -> Iterable[str]:
    try:
        found = json.loads(extra or "{}")
    except ValueError:
        return
    if isinstance(found, dict):
        yield from (str(value) for key, value in found.items() if value and masker.is_sensitive(key))


class Tester:
    """Tests connections besides everything else, some at a time. What is tested is in memory only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slots = threading.Semaphore(max(1, conf.getint("connection_test", "max_concurrency", fallback=4)))

    def begin(self, connection: Connection, *, commit: bool) -> str:
        """Begin a test, and return the token by which to ask how it went.

        Args:
            connection: what to test.
            commit: whether it is stored if it works.

        Raises:
            ConnectionTestUnderWay: this connection is being tested.
        """
        token = self._store.connection_tests.add(connection.conn_id, clock.now(), self._until())
        threading.Thread(target=self._run, args=(token, connection, commit), daemon=True).start()
        return token

    def _until(self) -> datetime:
        return clock.now() + timedelta(seconds=seconds()) + _GRACE

    def _run(self, token: str, connection: Connection, commit: bool) -> None:
        tests = self._store.connection_tests
        with self._slots:
            try:
                tests.begin(token, self._until())
                works, message = test(connection)
                if works and commit:
                    self._store.connections.set(connection)
                tests.end(token, works=works, message=message)
            except StoreError as error:  # whoever asks is told when the test has lasted for too long
                log.error("the result of a connection test could not be stored", error=str(error))
