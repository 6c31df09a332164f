"""What fits into a column: SQLite would take anything, PostgreSQL would answer with a driver's error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Integer, String, Table, Text

from gnomon.store.errors import Invalid

_INT32 = 2**31


def check(table: Table, values: Mapping[str, Any]) -> None:
    """Do nothing if each value fits its column.

    Raises:
        Invalid: one does not; the message names it.
    """
    for name, value in values.items():
        if isinstance(value, str):
            _check_text(table, name, value)
        elif isinstance(value, int) and type(table.c[name].type) is Integer and not -_INT32 <= value < _INT32:
            raise Invalid(f"{table.name} {name}: {value} is beyond 32 bits")


def _check_text(table: Table, name: str, value: str) -> None:
    kind = table.c[name].type
    if "\0" in value:
        raise Invalid(f"{table.name} {name} holds a NUL character, which cannot be stored")
    if isinstance(kind, String) and not isinstance(kind, Text) and kind.length and len(value) > kind.length:
        raise Invalid(f"{table.name} {name} is longer than {kind.length} characters: {value[:40]!r}…")
