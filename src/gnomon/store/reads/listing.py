"""Filtered, ordered and paged lists, declared as data.

A `Listing` says what a list selects, which query parameters narrow it down and by what it can be ordered; the API
turns the same declaration into the parameters it reads and documents. So a route needs no SQL, and a new list needs
no code, only a table of columns.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, literal_column, or_, select

from gnomon.store.types import to_micros

Kind = Literal["str", "int", "float", "bool", "datetime"]

#: Under cursor paging the total is counted up to here only, so that a page costs the same in a table of any size.
COUNT_LIMIT = 10_000
MAX_ORDERS = 10
_ESCAPE = "\\"


class BadQuery(Exception):
    """The caller asked for an order or a cursor that does not exist; the text says which."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter and the condition its value becomes."""

    param: str
    condition: Callable[[Any], ColumnElement[bool]]
    kind: Kind = "str"
    many: bool = False
    default: Any = None
    choices: tuple[str, ...] | None = None
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list that can be asked for: its rows, its filters and its orders.

    Args:
        name: the key of the rows in the response.
        select: the labelled columns and their joins, without order or limit.
        key: a unique column that breaks ties.
        orders: what `order_by` accepts, as the client spells it.
        default_order: what counts when the client gives none.
        cursor: whether a client may page by cursor instead of by offset.
    """

    name: str
    select: Select[Any]
    key: ColumnElement[Any]
    filters: tuple[Filter, ...] = ()
    orders: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    default_order: tuple[str, ...] = ()
    cursor: bool = False


@dataclass(slots=True)
class Query:
    """What a client asked of a listing. `values` has only parameters that were given or have a default."""

    values: dict[str, Any] = field(default_factory=dict)
    order_by: Sequence[str] = ()
    limit: int = 50
    offset: int = 0
    #: None pages by offset, "" asks for the first page by cursor
    cursor: str | None = None


@dataclass(slots=True)
class Page:
    """One page of rows, each a dict by label."""

    rows: list[dict[str, Any]]
    total: int
    total_limit: int | None = None
    next_cursor: str | None = None
    previous_cursor: str | None = None


# ------------------------------------------------------------------------------------------------- filters


def equals(param: str, column: ColumnElement[Any], kind: Kind = "str", **options: Any) -> Filter:
    """Keep the rows that have exactly this value."""
    return Filter(param, lambda value: column == value, kind, **options)


def one_of(param: str, column: ColumnElement[Any], kind: Kind = "str", **options: Any) -> Filter:
    """Keep the rows that have one of the values; the word "none" or "no_status" stands for NULL."""

    def condition(values: Sequence[Any]) -> ColumnElement[bool]:
        real = [value for value in values if value not in (None, "none", "no_status")]
        found = column.in_(real)
        return found if len(real) == len(values) else or_(column.is_(None), found)

    return Filter(param, condition, kind, many=True, **options)


def ranges(param: str, column: ColumnElement[Any], kind: Kind = "datetime") -> tuple[Filter, ...]:
    """Four parameters, `_gte`, `_gt`, `_lte` and `_lt`, for one column."""
    return (
        Filter(f"{param}_gte", lambda value: column >= value, kind),
        Filter(f"{param}_gt", lambda value: column > value, kind),
        Filter(f"{param}_lte", lambda value: column <= value, kind),
        Filter(f"{param}_lt", lambda value: column < value, kind),
    )


def patterns(param: str, column: ColumnElement[Any]) -> tuple[Filter, Filter]:
    """A case-blind substring match (`%` and `_` are wildcards) and a prefix match; `|` means or in both."""
    return (
        Filter(
            f"{param}_pattern",
            lambda value: or_(*(column.ilike(f"%{term}%") for term in _terms(value))),
            description="SQL LIKE expression, case-insensitive; `%` and `_` are wildcards, `|` separates alternatives.",
        ),
        Filter(
            f"{param}_prefix_pattern",
            lambda value: or_(*(_starts_with(column, term) for term in _terms(value))),
            description="Case-sensitive start of the value; `|` separates alternatives.",
        ),
    )


def contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Match `text` literally, anywhere in the column."""
    escaped = text.replace(_ESCAPE, _ESCAPE * 2).replace("%", r"\%").replace("_", r"\_")
    return column.ilike(f"%{escaped}%", escape=_ESCAPE)


def _terms(value: str) -> list[str]:
    if value == "~":
        return [""]
    return [term.strip() for term in value.split("|") if term.strip()] or [value]


def _starts_with(column: ColumnElement[Any], term: str) -> ColumnElement[bool]:
    # GLOB and LIKE differ in case between databases; comparing the first letters does not.
    return func.substr(column, 1, len(term)) == term if term else column.is_not(None)


# --------------------------------------------------------------------------------------------------- pages


def fetch(connection: Connection, listing: Listing, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return one page of a listing.

    Args:
        where: conditions of the caller, such as the DAG that the path names.

    Raises:
        BadQuery: an order or a cursor that does not exist.
    """
    narrowed = listing.select.where(*where, *conditions(listing, query))
    if query.cursor is not None:
        return _fetch_by_cursor(connection, listing, query, narrowed)
    order = [column.desc() if down else column.asc() for column, down in _order(listing, query)]
    statement = narrowed.order_by(*order).limit(query.limit).offset(query.offset)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    if query.offset == 0 and len(rows) < query.limit:
        return Page(rows, len(rows))
    return Page(rows, count(connection, narrowed))


def conditions(listing: Listing, query: Query) -> list[ColumnElement[bool]]:
    """Return the conditions that the given values of a query stand for."""
    return [f.condition(query.values[f.param]) for f in listing.filters if f.param in query.values]


def count(connection: Connection, statement: Select[Any], limit: int | None = None) -> int:
    """Return how many rows a statement has, at most `limit`."""
    bare: Select[Any] = (
        statement.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None).limit(limit)
    )
    return connection.execute(select(func.count()).select_from(bare.subquery())).scalar_one()


def _order(listing: Listing, query: Query) -> list[tuple[ColumnElement[Any], bool]]:
    names = list(query.order_by or listing.default_order)
    if len(names) > MAX_ORDERS:
        raise BadQuery(f"Ordering with more than {MAX_ORDERS} parameters is not allowed. Provided: {names}")
    order: list[tuple[ColumnElement[Any], bool]] = []
    for name in names:
        column = listing.orders.get(name.lstrip("-"))
        if column is None:
            known = ", ".join(sorted(listing.orders))
            raise BadQuery(f"Ordering with '{name.lstrip('-')}' is not possible; order_by takes {known}")
        order.append((column, name.startswith("-")))
    if all(column is not listing.key for column, _ in order):
        order.append((listing.key, bool(order) and order[0][1]))
    return order


# -------------------------------------------------------------------------------------------- cursor paging


def _fetch_by_cursor(connection: Connection, listing: Listing, query: Query, narrowed: Select[Any]) -> Page:
    """Page by the values of the boundary row; a token that starts with "~" goes backwards."""
    order = _order(listing, query)
    token = query.cursor or ""
    backward = token.startswith("~")
    if backward:
        order = [(column, not down) for column, down in order]
    keys = [column.label(f"_key{i}") for i, (column, _) in enumerate(order)]
    statement = narrowed.add_columns(*keys).limit(query.limit + 1)
    statement = statement.order_by(*(column.desc() if down else column.asc() for column, down in order))
    if token:
        after = _decode(token.removeprefix("~"), len(order))
        statement = statement.where(_beyond(order, after, connection.dialect.name == "postgresql"))
    found = [dict(row) for row in connection.execute(statement).mappings()]
    more, rows = len(found) > query.limit, found[: query.limit]
    if backward:
        rows.reverse()
    tokens = [_encode([row.pop(key.name) for key in keys]) for row in rows]
    has_next, has_previous = (True, more) if backward else (more, bool(token))
    return Page(
        rows,
        count(connection, narrowed, COUNT_LIMIT),
        COUNT_LIMIT,
        tokens[-1] if has_next and tokens else None,
        f"~{tokens[0]}" if has_previous and tokens else None,
    )


def _beyond(order: list[tuple[ColumnElement[Any], bool]], after: list[Any], nulls_high: bool) -> ColumnElement[bool]:
    """Return the condition for rows strictly after the given values; NULL sorts where the database puts it."""
    (column, down), value = order[0], after[0]
    nulls_last = nulls_high != down
    same: ColumnElement[bool]
    strict: ColumnElement[bool]
    if value is None:
        same, strict = column.is_(None), (false() if nulls_last else column.is_not(None))
    else:
        same, strict = column == value, (column < value if down else column > value)
        if nulls_last:
            strict = or_(strict, column.is_(None))
    if len(order) == 1:
        return strict
    return or_(strict, and_(same, _beyond(order[1:], after[1:], nulls_high)))


def _encode(values: list[Any]) -> str:
    plain = [to_micros(value) if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(plain)).decode().rstrip("=")


def _decode(token: str, length: int) -> list[Any]:
    try:
        values = msgspec.msgpack.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=list)
    except (ValueError, msgspec.DecodeError) as error:
        raise BadQuery("Invalid cursor token") from error
    if len(values) != length or any(isinstance(value, list | dict | bytes) for value in values):
        raise BadQuery("Invalid cursor token")
    return values
