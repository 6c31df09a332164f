"""The two ways to write a connection in one string, a URI and JSON, as Airflow reads and writes them."""

from __future__ import annotations

import json
import re
from typing import Any

from gnomon.cli.errors import CommandError
from gnomon.store.records import Connection
from gnomon.wire import connection_uri

#: Keys of the JSON form; the long ones are those of `airflow_settings.yaml` and of Airflow 1.
_JSON_KEYS = {
    "conn_type": "conn_type",
    "conn_host": "host",
    "host": "host",
    "conn_schema": "schema",
    "schema": "schema",
    "conn_login": "login",
    "login": "login",
    "conn_password": "password",
    "password": "password",
    "conn_port": "port",
    "port": "port",
    "conn_extra": "extra",
    "extra": "extra",
    "extra_dejson": "extra",
    "description": "description",
    "uri": "uri",
    "conn_uri": "uri",
}
_LONGEST_ID = 250


def check_id(conn_id: str) -> None:
    """Do nothing if a connection may be called this; the rule is Airflow's.

    Raises:
        CommandError: it may not.
    """
    if len(conn_id) > _LONGEST_ID or re.fullmatch(r"[\w#!()\-.:/\\]+", conn_id) is None:
        allowed = f"up to {_LONGEST_ID} letters, digits and _ # ! ( ) - . : / \\"
        raise CommandError(f"connection id {conn_id!r}: it may have {allowed}", exit_code=2)


def from_uri(conn_id: str, uri: str, *, where: str = "the URI") -> Connection:
    """Return the connection that a URI stands for.

    Raises:
        CommandError: it is not `type://login:password@host:port/schema?extra`.
    """
    wrong = CommandError(f"{where} of connection {conn_id!r} is not of the form type://login:password@host:port/schema")
    if not uri.partition("://")[0] or "://" not in uri:
        raise wrong
    try:
        parts = connection_uri.parse(uri)
    except connection_uri.MalformedURIError:
        raise wrong from None
    named = parts._asdict() | {"host": parts.host or None, "schema": parts.schema or None}
    return Connection(conn_id=conn_id, **named)


def to_uri(connection: Connection) -> str:
    """Return the URI of a connection; `from_uri` gives the same connection back."""
    return connection_uri.build(connection)


def from_fields(conn_id: str, fields: Any, *, where: str = "the JSON") -> Connection:
    """Return the connection of a JSON object, or of a URI in its place.

    Raises:
        CommandError: a field is not known, a port is no number, or there is no type.
    """
    if isinstance(fields, str):
        text = fields.strip()
        if not text.startswith("{"):
            return from_uri(conn_id, text, where=where)
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise CommandError(f"{where} of connection {conn_id!r} is not JSON: {error.msg}") from None
    if not isinstance(fields, dict):
        raise CommandError(f"{where} of connection {conn_id!r} must be an object with fields such as conn_type")
    found: dict[str, Any] = {}
    for key, value in fields.items():
        if key in ("conn_id", "id", "is_encrypted", "is_extra_encrypted", "get_uri"):
            continue
        if key not in _JSON_KEYS:
            raise CommandError(f"{where} of connection {conn_id!r} has a field {key!r} that connections do not have")
        found[_JSON_KEYS[key]] = value
    uri = found.pop("uri", None)
    if uri and not any(found.values()):
        return from_uri(conn_id, str(uri), where=where)
    if not found.get("conn_type"):
        raise CommandError(f"{where} of connection {conn_id!r} has no conn_type")
    return Connection(conn_id=conn_id, **_typed(conn_id, found, where))


def _typed(conn_id: str, fields: dict[str, Any], where: str) -> dict[str, Any]:
    if (extra := fields.get("extra")) is not None and not isinstance(extra, str):
        fields["extra"] = json.dumps(extra)
    if (port := fields.get("port")) in (None, ""):
        fields["port"] = None
    else:
        try:
            fields["port"] = int(str(port))
        except ValueError:
            raise CommandError(f"{where} of connection {conn_id!r}: port {port!r} is not a number") from None
    return fields


def as_fields(connection: Connection) -> dict[str, Any]:
    """Return the JSON form, as export writes it."""
    return {
        "conn_type": connection.conn_type,
        "description": connection.description,
        "login": connection.login,
        "password": connection.password,
        "host": connection.host,
        "port": connection.port,
        "schema": connection.schema,
        "extra": connection.extra,
    }
