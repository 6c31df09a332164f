"""A connection in one string, `type://login:password@host:port/schema?extra`, as Airflow reads and writes it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

#: The query parameter of an extra that is no flat object of strings.
EXTRA_KEY = "__extra__"
_SCHEME = re.compile("[a-zA-Z][a-zA-Z0-9+.-]*")


class MalformedURIError(ValueError):
    """A text is not the URI of a connection; the message does not repeat its password."""


class Parts(NamedTuple):
    """What a URI says of a connection; an empty text is one that it has a place for and leaves empty."""

    conn_type: str
    host: str
    schema: str
    login: str | None
    password: str | None
    port: int | None
    extra: str | None


def parse(uri: str) -> Parts:
    """Return the parts of a URI.

    Raises:
        MalformedURIError: it has more than two `://`, or its port is no number.
    """
    scheme, protocol, rest = _split(uri)
    if "://" in rest.partition("?")[0] or "@" in protocol or ":" in protocol:
        raise MalformedURIError(f"Invalid connection string: {_without_password(uri)}.")
    try:
        parts = urlsplit(rest)
        port = parts.port
    except ValueError as error:
        raise MalformedURIError(f"Invalid connection string: {error}") from None
    host = _host_of(parts)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Parts(
        conn_type=normalized_type(scheme),
        host=f"{protocol}://{host}" if protocol and host else host,
        schema=unquote(parts.path[1:]),
        login=unquote(parts.username) if parts.username else parts.username,
        password=unquote(parts.password) if parts.password else parts.password,
        port=port,
        extra=query.get(EXTRA_KEY, json.dumps(query)) if query else None,
    )


def _split(uri: str) -> tuple[str, str, str]:
    """Return the scheme, the protocol of the host in `type://protocol://host`, and a URI of what is left."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        scheme, _, _ = uri.partition(":")
        return (scheme.lower(), "", uri) if _SCHEME.fullmatch(scheme) and ":" in uri else ("", "", uri)
    if scheme.startswith("//"):  # without a type
        return "", scheme[2:], f"//{rest}"
    # A second one in the query is just text.
    protocol, separator, host = rest.partition("://")
    if separator and "?" not in protocol:
        return scheme.lower(), protocol, f"//{host}"
    return scheme.lower(), "", f"//{rest}"


def build(connection: Any) -> str:
    """Return the URI of anything with the fields of a connection; `parse` gives them back."""
    uri = f"{connection.conn_type.lower().replace('_', '-')}://" if connection.conn_type else "//"
    host = connection.host or ""
    if "://" in host:
        protocol, bare = host.split("://", 1)
        if protocol != connection.conn_type:
            uri, host = f"{uri}{protocol}://", bare
    who = quote(connection.login, safe="") if connection.login is not None else ""
    if connection.password is not None:
        who += ":" + quote(connection.password, safe="")
    place = quote(host, safe="")
    if connection.port:
        place += f":{connection.port}" if place or who else f"@:{connection.port}"
    uri += f"{who}@{place}" if who else place
    if connection.schema:
        uri += "/" + quote(connection.schema, safe="")
    if connection.extra:
        uri += ("?" if connection.schema else "/?") + _query(connection.extra)
    return uri


def normalized_type(conn_type: str) -> str:
    """Return a connection type as it is stored: `google-cloud` is `google_cloud`, `postgresql` is `postgres`."""
    return "postgres" if conn_type == "postgresql" else conn_type.replace("-", "_")


def _query(extra: str) -> str:
    try:
        decoded = json.loads(extra)
    except ValueError:
        decoded = None
    # A flat object of strings makes a query of its own; whatever else goes into one parameter, as JSON.
    if isinstance(decoded, dict) and decoded:
        query = urlencode(decoded)
        if dict(parse_qsl(query, keep_blank_values=True)) == decoded:
            return query
    return urlencode({EXTRA_KEY: extra})


def _host_of(parts: SplitResult) -> str:
    """Return the host of a URI; a path that is quoted in its place stays as it is, with upper and lower case."""
    host = unquote(parts.hostname or "")
    if "/" in host:
        host = unquote(parts.netloc.rsplit("@", 1)[-1].split(":", 1)[0])
    return host


def _without_password(uri: str) -> str:
    _head, at, tail = uri.rpartition("@")
    return f"***@{tail}" if at else uri
