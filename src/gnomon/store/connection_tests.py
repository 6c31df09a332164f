"""Connection tests that somebody comes back for: how each of them stands."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from gnomon.store.connection_test_tables import connection_test as _t
from gnomon.store.database import Database
from gnomon.store.errors import ConnectionTestUnderWay

_ACTIVE = ("pending", "running")
#: Nobody comes back for an older one.
_FORGOTTEN = timedelta(days=1)
_MESSAGE_LENGTH = 2000


class ConnectionTests:
    """The tests. Whoever runs one says so here."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, connection_id: str, now: datetime, until: datetime) -> str:
        """Note a test that is to be made, and return its token.

        Args:
            connection_id: what is tested.
            now: this moment.
            until: when to give it up, should whoever runs it be gone.

        Raises:
            ConnectionTestUnderWay: this connection is being tested.
        """
        token = secrets.token_urlsafe(32)
        row = {"token": token, "connection_id": connection_id, "state": "pending", "created_at": now, "until": until}
        with self._db.write() as conn:
            _give_up(conn, now)
            conn.execute(delete(_t).where(_t.c.created_at < now - _FORGOTTEN))
            try:
                with conn.begin_nested():
                    conn.execute(_t.insert().values(**row))
            except IntegrityError:
                raise ConnectionTestUnderWay(connection_id) from None
        return token

    def get(self, token: str, now: datetime) -> dict[str, Any] | None:
        """Return how a test stands."""
        query = select(_t).where(_t.c.token == token)
        with self._db.read() as conn:
            row = conn.execute(query).mappings().first()
        if row is not None and row["state"] in _ACTIVE and row["until"] <= now:
            with self._db.write() as conn:
                _give_up(conn, now)
                row = conn.execute(query).mappings().first()
        return None if row is None else dict(row)

    def begin(self, token: str, until: datetime) -> None:
        """Note that a test runs."""
        with self._db.write() as conn:
            mine = update(_t).where(_t.c.token == token, _t.c.state == "pending")
            conn.execute(mine.values(state="running", until=until))

    def end(self, token: str, *, works: bool, message: str) -> None:
        """Note how a test went."""
        said = message.replace("\0", "\\x00")[:_MESSAGE_LENGTH]
        with self._db.write() as conn:
            mine = update(_t).where(_t.c.token == token, _t.c.state.in_(_ACTIVE))
            conn.execute(mine.values(state="success" if works else "failed", result_message=said))


def _give_up(conn: Connection, now: datetime) -> None:
    lost = update(_t).where(_t.c.state.in_(_ACTIVE), _t.c.until <= now)
    conn.execute(lost.values(state="failed", result_message="the server that was to make this test has gone away"))
