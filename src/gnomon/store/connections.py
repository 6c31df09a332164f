"""Connections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection as Transaction
from sqlalchemy import delete, select, update

from gnomon.store import limits, tables
from gnomon.store.crypto import Cipher
from gnomon.store.database import Database
from gnomon.store.errors import ConnectionExists, ConnectionNotFound
from gnomon.store.records import Connection
from gnomon.store.variables import Imported, OnExisting

_t = tables.connection


class Connections:
    """The connections of the installation; password and extra are encrypted when there is a Fernet key."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._db = database
        self._cipher = cipher

    def get(self, conn_id: str) -> Connection | None:
        """Return a connection; None if there is none of this id."""
        with self._db.read() as conn:
            row = conn.execute(select(_t).where(_t.c.conn_id == conn_id)).first()
        return None if row is None else self._open(row._mapping)

    def all(self) -> list[Connection]:
        """Return all connections by id."""
        with self._db.read() as conn:
            return [self._open(row._mapping) for row in conn.execute(select(_t).order_by(_t.c.conn_id))]

    def add(self, connection: Connection) -> None:
        """Create a connection.

        Raises:
            ConnectionExists: there is one of this id.
            Invalid: a field cannot be stored.
        """
        with self._db.write() as conn:
            if self._exists(conn, connection.conn_id):
                raise ConnectionExists(connection.conn_id)
            self._put(conn, connection)

    def set(self, connection: Connection) -> None:
        """Create or replace a connection.

        Raises:
            Invalid: a field cannot be stored.
        """
        with self._db.write() as conn:
            self._put(conn, connection)

    def update(self, conn_id: str, **changes: Any) -> Connection:
        """Change some fields of a connection and return it.

        Raises:
            ConnectionNotFound: there is none of this id.
            Invalid: a field cannot be stored.
        """
        with self._db.write() as conn:
            row = conn.execute(select(_t).where(_t.c.conn_id == conn_id)).first()
            if row is None:
                raise ConnectionNotFound(conn_id)
            changed = msgspec.structs.replace(self._open(row._mapping), **{**changes, "conn_id": conn_id})
            self._put(conn, changed)
        return changed

    def delete(self, conn_id: str) -> bool:
        """Delete a connection; False if there was none."""
        with self._db.write() as conn:
            return conn.execute(delete(_t).where(_t.c.conn_id == conn_id)).rowcount > 0

    def import_many(self, entries: Iterable[Connection], on_existing: OnExisting = "overwrite") -> Imported:
        """Create or replace many connections at once, or none of them.

        Raises:
            ConnectionExists: `on_existing` is "fail" and there is one of these ids.
        """
        done = Imported([], [], [])
        with self._db.write() as conn:
            present = set(conn.execute(select(_t.c.conn_id)).scalars())
            for entry in entries:
                if entry.conn_id not in present:
                    done.created.append(entry.conn_id)
                elif on_existing == "fail":
                    raise ConnectionExists(entry.conn_id)
                elif on_existing == "skip":
                    done.skipped.append(entry.conn_id)
                    continue
                else:
                    done.updated.append(entry.conn_id)
                present.add(entry.conn_id)
                self._put(conn, entry)
        return done

    def rotate_in(self, conn: Transaction) -> int:
        """Encrypt every connection with the first Fernet key, in the caller's transaction; return how many."""
        rows = conn.execute(select(_t)).all()
        for row in rows:
            what = f"connection {row.conn_id!r}"
            conn.execute(
                update(_t)
                .where(_t.c.conn_id == row.conn_id)
                .values(
                    password=self._rotated(row.password, row.is_encrypted, what),
                    extra=self._rotated(row.extra, row.is_extra_encrypted, what),
                    is_encrypted=self._cipher.enabled and bool(row.password),
                    is_extra_encrypted=self._cipher.enabled and bool(row.extra),
                )
            )
        return len(rows)

    def _rotated(self, value: str | None, is_encrypted: bool, what: str) -> str | None:
        if not value:
            return value
        return self._cipher.rotate(value, what) if is_encrypted else self._cipher.encrypt(value)

    def _exists(self, conn: Transaction, conn_id: str) -> bool:
        return conn.execute(select(_t.c.conn_id).where(_t.c.conn_id == conn_id)).first() is not None

    def _put(self, conn: Transaction, connection: Connection) -> None:
        row: dict[str, Any] = msgspec.structs.asdict(connection)
        limits.check(_t, row)
        for field, flag in (("password", "is_encrypted"), ("extra", "is_extra_encrypted")):
            row[flag] = self._cipher.enabled and bool(row[field])
            if row[flag]:
                row[field] = self._cipher.encrypt(row[field])
        changes = {name: value for name, value in row.items() if name != "conn_id"}
        conn.execute(
            self._db.insert(_t).values(**row).on_conflict_do_update(index_elements=[_t.c.conn_id], set_=changes)
        )

    def _open(self, row: Any) -> Connection:
        fields = {name: row[name] for name in Connection.__struct_fields__}
        what = f"connection {row['conn_id']!r}"
        if row["is_encrypted"] and fields["password"]:
            fields["password"] = self._cipher.decrypt(fields["password"], f"the password of {what}")
        if row["is_extra_encrypted"] and fields["extra"]:
            fields["extra"] = self._cipher.decrypt(fields["extra"], f"the extra of {what}")
        return Connection(**fields)
