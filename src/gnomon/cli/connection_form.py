"""The two ways to write a connection in one string, a URI and JSON, as Airflow reads and writes them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from gnomon.cli.errors import CommandError
from gnomon.store.records import Connection

#: Query parameter for extras that do not fit in a flat query.
_WHOLE_EXTRA = "__extra__"
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


def from_uri(conn_id: str, uri: str, *, where: str = "the URI") -> Connection:
    """Return the connection that a URI stands for.

    Raises:
        CommandError: it is not `type://login:password@host:port/schema?extra`.
    """
    scheme, separator, rest = uri.partition("://")
    wrong = CommandError(f"{where} of connection {conn_id!r} is not of the form type://login:password@host:port/schema")
    if not separator or not scheme or rest.count("://") > 1:
        raise wrong
    protocol = ""
    # A second :// is the protocol of the host: spark://https://host. One in the query is just text.
    before_query = rest.partition("?")[0]
    if "://" in before_query:
        protocol, _, rest = rest.partition("://")
        if "@" in protocol or ":" in protocol:
            raise wrong
    try:
        parts = urlsplit(f"//{rest}")
        port, login, password = parts.port, parts.username, parts.password
    except ValueError:
        raise wrong from None
    host = unquote(_host(parts.netloc))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Connection(
        conn_id=conn_id,
        conn_type=_type(scheme),
        host=(f"{protocol}://{host}" if protocol else host) or None,
        schema=unquote(parts.path[1:]) or None,
        login=unquote(login) if login else login,
        password=unquote(password) if password else password,
        port=port,
        extra=query[_WHOLE_EXTRA] if _WHOLE_EXTRA in query else json.dumps(query) if query else None,
    )


def _host(netloc: str) -> str:
    place = netloc.rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]


def _type(scheme: str) -> str:
    return "postgres" if scheme == "postgresql" else scheme.replace("-", "_")


def to_uri(connection: Connection) -> str:
    """Return the URI of a connection; `from_uri` gives the same connection back."""
    host = connection.host or ""
    protocol, separator, bare = host.partition("://")
    uri = f"{connection.conn_type.lower().replace('_', '-')}://"
    if separator:
        uri, host = f"{uri}{protocol}://", bare
    who = quote(connection.login or "", safe="")
    if connection.password is not None:
        who += ":" + quote(connection.password, safe="")
    place = quote(host, safe="")
    if connection.port is not None:
        place += f":{connection.port}" if place or who else f"@:{connection.port}"
    uri += f"{who}@{place}" if who else place
    if connection.schema:
        uri += "/" + quote(connection.schema, safe="")
    if connection.extra:
        uri += ("?" if connection.schema else "/?") + _query(connection.extra)
    return uri


def _query(extra: str) -> str:
    try:
        decoded = json.loads(extra)
    except ValueError:
        decoded = None
    if isinstance(decoded, dict) and decoded:
        query = urlencode(decoded)
        if dict(parse_qsl(query, keep_blank_values=True)) == decoded:
            return query
    return urlencode({_WHOLE_EXTRA: extra})


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
