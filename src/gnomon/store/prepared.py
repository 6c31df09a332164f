"""Statements compiled once: the hot path writes many small batches, and compiling costs more than running them.

The SQL is still written with SQLAlchemy Core, so that it stays the same for every database.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.selectable import Select


class Prepared:
    """One statement for a DBAPI cursor, with its parameters in an order of the caller's choice."""

    def __init__(
        self, statement: Insert | Update | Delete | Select[Any], dialect: Dialect, takes: Sequence[str]
    ) -> None:
        """Compile `statement`.

        Args:
            takes: names of all its bound parameters, in the order in which rows give their values.

        Raises:
            ValueError: the names are not those of the statement's parameters.
        """
        paramstyle = "qmark" if dialect.name == "sqlite" else "format"
        compiled = statement.compile(dialect=type(dialect)(paramstyle=paramstyle))  # type: ignore[call-arg]
        self.sql = str(compiled)
        wanted = list(compiled.positiontup or ())
        if sorted(wanted) != sorted(takes):
            raise ValueError(f"the statement takes {sorted(wanted)}, not {sorted(takes)}")
        places = [takes.index(name) for name in wanted]
        #: None when the caller's order is the statement's own
        self._arrange = None if places == sorted(places) else itemgetter(*places)

    def many(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it once per row; return how many rows of the table it changed in all."""
        if not rows:
            return 0
        if len(rows) == 1:
            return self.one(cursor, rows[0])
        cursor.executemany(self.sql, rows if self._arrange is None else [self._arrange(row) for row in rows])
        return int(cursor.rowcount)

    def one(self, cursor: Any, row: tuple[Any, ...] = ()) -> int:
        """Run it; return how many rows of the table it changed."""
        cursor.execute(self.sql, row if self._arrange is None else self._arrange(row))
        return int(cursor.rowcount)
