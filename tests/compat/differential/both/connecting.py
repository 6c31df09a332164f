"""Connections: fields, URI and JSON into each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow.sdk import Connection

from .showing import show

_FIELDS = ("conn_type", "host", "schema", "login", "password", "port", "extra", "description")


def attempt(function: Callable[[], Any]) -> Any:
    """Return what the function returns, or that it raises: the errors of Airflow are those of the library it calls."""
    try:
        return show(function())
    except Exception:
        return {"raises": True}


def _shown(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in _FIELDS}


def from_fields(case: dict[str, Any]) -> Any:
    """Return the URI and the JSON of a connection's fields, and what is read back from both."""
    connection = Connection(conn_id="c", **case)
    uri, text = attempt(connection.get_uri), attempt(connection.as_json)
    return {
        "uri": uri,
        "json": attempt(lambda: dict(sorted(json.loads(text).items()))),
        "extra": attempt(lambda: connection.extra_dejson),
        "from_uri": attempt(lambda: _shown(Connection.from_uri(uri, conn_id="c"))),
        "from_json": attempt(lambda: _shown(Connection.from_json(text, conn_id="c"))),
    }


def from_uri(case: dict[str, Any]) -> Any:
    """Return the fields of a URI, and the URI of these."""
    return {
        "fields": attempt(lambda: _shown(Connection.from_uri(case["uri"], conn_id="c"))),
        "uri": attempt(lambda: Connection.from_uri(case["uri"], conn_id="c").get_uri()),
        "constructor": attempt(lambda: _shown(Connection(conn_id="c", uri=case["uri"]))),
    }


def from_json(case: dict[str, Any]) -> Any:
    """Return the fields of a JSON text."""
    return attempt(lambda: _shown(Connection.from_json(case["json"], conn_id="c")))
