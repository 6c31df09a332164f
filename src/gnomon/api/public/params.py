"""Query parameters of lists: read from the request and documented from the same declaration.

They are not spelled out as arguments of the routes: some lists have fifty, and FastAPI would build a validator for each
of them when the server starts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from gnomon.service.config import conf
from gnomon.store.reads.listing import Filter, Kind, Listing, Query

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}
_OPENAPI: dict[Kind, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
}


class Invalid(Exception):
    """A value that is not of its kind."""


def invalid(where: str, name: str, message: str, value: Any) -> RequestValidationError:
    """Return the error that FastAPI would raise for a bad value."""
    return RequestValidationError([{"type": "value_error", "loc": (where, name), "msg": message, "input": value}])


def moment(text: str) -> datetime:
    """Return the time that a client wrote; one without a zone is UTC.

    Raises:
        Invalid: it is no ISO 8601 time.
    """
    try:
        # "+" of an offset arrives as a space when the client did not quote it.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise Invalid("Input should be a valid datetime, as in 2026-01-31T12:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid("Input should be a valid integer") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Invalid("Input should be a valid number") from None


def _truth(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise Invalid("Input should be a valid boolean") from None


_CONVERT: dict[Kind, Callable[[str], Any]] = {
    "str": str,
    "int": _number,
    "float": _real,
    "bool": _truth,
    "datetime": moment,
}


class Reader:
    """A dependency that reads the parameters of one listing.

    Args:
        listing: whose filters and orders they are.
        skip: filters that the path already decides.
    """

    def __init__(self, listing: Listing, *, skip: frozenset[str] = frozenset()) -> None:
        self.listing = listing
        self.filters = [one for one in listing.filters if one.param not in skip]

    def __call__(self, request: Request) -> Query:
        """Return what the request asks for.

        Raises:
            RequestValidationError: a value is not of its kind.
        """
        given = request.query_params
        query = Query(
            order_by=given.getlist("order_by"),
            limit=min(_count(given, "limit", default_limit()), page_limit()),
            offset=_count(given, "offset", 0),
            cursor=given.get("cursor") if self.listing.cursor else None,
        )
        for one in self.filters:
            if one.param in given:
                query.values[one.param] = _values(one, given.getlist(one.param))
            elif one.default is not None:
                query.values[one.param] = one.default
        return query

    def openapi(self) -> dict[str, Any]:
        """Return the parameters as OpenAPI describes them, for `openapi_extra`."""
        orders = sorted(self.listing.orders)
        parameters = [
            _parameter("limit", {"type": "integer", "minimum": 0, "default": 50}),
            _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
        ]
        if orders:
            order = {"type": "array", "items": {"type": "string"}, "default": list(self.listing.default_order)}
            text = f"What to order by, repeatable; `-` before a name reverses it. Names: {', '.join(orders)}"
            parameters.append(_parameter("order_by", order, text))
        if self.listing.cursor:
            text = "Paging by cursor: empty for the first page, then `next_cursor` of the answer. `offset` is ignored."
            parameters.append(_parameter("cursor", {"type": "string"}, text))
        parameters += [_parameter(one.param, _schema(one), one.description) for one in self.filters]
        return {"parameters": parameters}


def default_limit() -> int:
    """Return how long a page is when the client does not say."""
    return conf.getint("api", "fallback_page_limit", fallback=50)


def page_limit() -> int:
    """Return how long a page may be."""
    return conf.getint("api", "maximum_page_limit", fallback=100)


def from_body(body: BaseModel, *, rename: dict[str, str] | None = None, drop: set[str] | None = None) -> Query:
    """Return the query of a POST …/list body, whose filters are named as those of the GET are."""
    rename = rename or {}
    left_out = (drop or set()) | {"order_by", "page_offset", "page_limit"}
    values = {
        rename.get(name, name): value for name, value in body.model_dump(exclude=left_out).items() if value is not None
    }
    order = getattr(body, "order_by", None)
    return Query(
        values=values,
        order_by=[order] if order else [],
        limit=min(getattr(body, "page_limit", 100), page_limit()),
        offset=getattr(body, "page_offset", 0),
    )


def _values(one: Filter, texts: list[str]) -> Any:
    found = []
    for text in texts if one.many else texts[-1:]:
        try:
            value = _CONVERT[one.kind](text)
        except Invalid as error:
            raise invalid("query", one.param, str(error), text) from None
        if one.choices is not None and value not in one.choices:
            raise invalid("query", one.param, f"Input should be one of {', '.join(one.choices)}", text)
        found.append(value)
    return found if one.many else found[0]


def _count(given: QueryParams, name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    try:
        number = _number(text)
    except Invalid as error:
        raise invalid("query", name, str(error), text) from None
    if not 0 <= number < 2**63:
        raise invalid("query", name, "Input should be greater than or equal to 0", text)
    return number


def _schema(one: Filter) -> dict[str, Any]:
    schema = dict(_OPENAPI[one.kind])
    if one.choices is not None:
        schema["enum"] = [str(choice) for choice in one.choices]
    if one.many:
        schema = {"type": "array", "items": schema}
    if one.default is not None:
        schema["default"] = one.default
    return schema


def _parameter(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": schema}
    if description:
        parameter["description"] = description
    return parameter
