"""Variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, delete, select, update

from gnomon.store import limits, tables
from gnomon.store.crypto import Cipher
from gnomon.store.database import Database, Statement
from gnomon.store.errors import VariableExists, VariableNotFound
from gnomon.store.records import Variable

#: What an import does with what is there already.
OnExisting = Literal["overwrite", "fail", "skip"]

_GET = Statement("SELECT value, is_encrypted, description FROM variable WHERE key = :key")
_t = tables.variable


class Imported(msgspec.Struct, frozen=True):
    """What an import did, by key."""

    created: list[str]
    updated: list[str]
    skipped: list[str]


class Variables:
    """The variables of the installation; values are encrypted when there is a Fernet key."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._db = database
        self._cipher = cipher

    def get(self, key: str) -> Variable | None:
        """Return a variable; None if there is none of this key."""
        with self._db.read() as conn:
            row = _GET.run(conn, key=key).first()
        return None if row is None else self._open(key, *row)

    def all(self) -> list[Variable]:
        """Return all variables by key."""
        with self._db.read() as conn:
            rows = conn.execute(select(_t.c.key, _t.c.value, _t.c.is_encrypted, _t.c.description).order_by(_t.c.key))
            return [self._open(*row) for row in rows]

    def keys(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """Return the keys that begin with `prefix`, in order."""
        query = select(_t.c.key).where(_t.c.key.startswith(prefix, autoescape=True)).order_by(_t.c.key).limit(limit)
        with self._db.read() as conn:
            return list(conn.execute(query).scalars())

    def set(self, key: str, value: str, description: str | None = None) -> None:
        """Create or replace a variable; a description of None keeps the one it has.

        Raises:
            Invalid: key or value cannot be stored.
        """
        with self._db.write() as conn:
            self._put(conn, key, value, description)

    def add(self, key: str, value: str, description: str | None = None) -> None:
        """Create a variable.

        Raises:
            VariableExists: there is one of this key.
            Invalid: key or value cannot be stored.
        """
        with self._db.write() as conn:
            if _GET.run(conn, key=key).first() is not None:
                raise VariableExists(key)
            self._put(conn, key, value, description)

    def delete(self, key: str) -> bool:
        """Delete a variable; False if there was none."""
        with self._db.write() as conn:
            return conn.execute(delete(_t).where(_t.c.key == key)).rowcount > 0

    def rename(self, key: str, new_key: str) -> None:
        """Give a variable another key.

        Raises:
            VariableNotFound: there is none of this key.
            VariableExists: there is one of the new key.
        """
        limits.check(_t, {"key": new_key})
        with self._db.write() as conn:
            if _GET.run(conn, key=new_key).first() is not None:
                raise VariableExists(new_key)
            if not conn.execute(update(_t).where(_t.c.key == key).values(key=new_key)).rowcount:
                raise VariableNotFound(key)

    def import_many(self, entries: Iterable[Variable], on_existing: OnExisting = "overwrite") -> Imported:
        """Create or replace many variables at once, or none of them.

        Raises:
            VariableExists: `on_existing` is "fail" and there is one of these keys.
        """
        done = Imported([], [], [])
        with self._db.write() as conn:
            present = set(conn.execute(select(_t.c.key)).scalars())
            for entry in entries:
                if entry.key not in present:
                    done.created.append(entry.key)
                elif on_existing == "fail":
                    raise VariableExists(entry.key)
                elif on_existing == "skip":
                    done.skipped.append(entry.key)
                    continue
                else:
                    done.updated.append(entry.key)
                present.add(entry.key)
                self._put(conn, entry.key, entry.value, entry.description)
        return done

    def rotate_in(self, conn: Connection) -> int:
        """Encrypt every variable with the first Fernet key, in the caller's transaction; return how many."""
        rows = conn.execute(select(_t.c.key, _t.c.value, _t.c.is_encrypted)).all()
        for key, value, is_encrypted in rows:
            token = self._cipher.rotate(value, f"variable {key!r}") if is_encrypted else self._cipher.encrypt(value)
            conn.execute(update(_t).where(_t.c.key == key).values(value=token, is_encrypted=self._cipher.enabled))
        return len(rows)

    def _put(self, conn: Connection, key: str, value: str, description: str | None) -> None:
        limits.check(_t, {"key": key, "value": value, "description": description})
        row: dict[str, Any] = {"value": self._cipher.encrypt(value), "is_encrypted": self._cipher.enabled}
        if description is not None:
            row["description"] = description
        statement = self._db.insert(_t).values(key=key, **row)
        conn.execute(statement.on_conflict_do_update(index_elements=[_t.c.key], set_=row))

    def _open(self, key: str, value: str, is_encrypted: bool, description: str | None) -> Variable:
        plain = self._cipher.decrypt(value, f"variable {key!r}") if is_encrypted else value
        return Variable(key, plain, bool(is_encrypted), description)
