"""Connection: where and how to reach something outside."""

from __future__ import annotations

import json
import logging
from typing import Any, ClassVar
from urllib.parse import quote

from gnomon.sdk.exceptions import AirflowException, AirflowNotFoundException
from gnomon.wire import connection_uri

log = logging.getLogger(__name__)

_FIELDS = ("conn_id", "conn_type", "description", "host", "schema", "login", "password", "port", "extra")


class Connection:
    """A connection; give its fields, or a URI.

    Args:
        conn_id: its id.
        conn_type: what kind of thing it reaches.
        description: what it is for.
        host: the host.
        schema: the database or bucket.
        login: the user.
        password: the password.
        port: the port.
        extra: everything else, as JSON text or as a dict.
        uri: all of it in one string.

    Raises:
        AirflowException: both a URI and fields were given.
    """

    EXTRA_KEY: ClassVar[str] = connection_uri.EXTRA_KEY

    def __init__(
        self,
        conn_id: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: Any = None,
        uri: str | None = None,
    ) -> None:
        self.conn_id = conn_id
        if uri is not None:
            if any(field is not None for field in (conn_type, host, login, password, schema, port, extra)):
                raise AirflowException(
                    "You must create an object using the URI or individual values (conn_type, host, login, password,"
                    " schema, port or extra). You can't mix these two ways to create this object."
                )
            self._take_uri(uri)
            self.description = description
            return
        self.conn_type = conn_type
        self.description = description
        self.host = host
        self.login = login
        self.password = password
        self.schema = schema
        self.port = port
        self.extra = extra if extra is None or isinstance(extra, str) else json.dumps(extra)

    def __repr__(self) -> str:
        return f"Connection(conn_id={self.conn_id!r}, conn_type={self.conn_type!r}, host={self.host!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = None  # type: ignore[assignment]

    # ----------------------------------------------------------------------------------------------------- URI

    @classmethod
    def from_uri(cls, uri: str, conn_id: str | None = None) -> Connection:
        """Return the connection of a URI.

        Raises:
            AirflowException: it is malformed.
        """
        return cls(conn_id=conn_id, uri=uri)

    def _take_uri(self, uri: str) -> None:
        try:
            parts = connection_uri.parse(uri)
        except connection_uri.MalformedURIError as error:
            raise AirflowException(str(error)) from None
        self.conn_type, self.host, self.schema = parts.conn_type, parts.host, parts.schema
        self.login, self.password, self.port = parts.login, parts.password, parts.port
        self.extra = parts.extra

    def get_uri(self) -> str:
        """Return the connection as a URI."""
        return connection_uri.build(self)

    async def aget_uri(self) -> str:
        """Return the connection as a URI, from a coroutine."""
        return self.get_uri()

    # ---------------------------------------------------------------------------------------------------- JSON

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Connection:
        """Return the connection of a JSON object.

        Raises:
            ValueError: the port is no number.
        """
        fields = json.loads(value)
        extra = fields.pop("extra", None)
        fields["extra"] = extra if isinstance(extra, str) or not extra else json.dumps(extra)
        fields["extra"] = fields["extra"] or None
        if conn_type := fields.pop("conn_type", None):
            fields["conn_type"] = connection_uri.normalized_type(conn_type)
        if port := fields.pop("port", None):
            try:
                fields["port"] = int(port)
            except ValueError:
                raise ValueError(f"Expected integer value for `port`, but got {port!r} instead.") from None
        fields.pop("conn_id", None)
        return cls(conn_id=conn_id, **fields)

    def as_json(self) -> str:
        """Return the connection as JSON, without its id."""
        fields = self.to_dict(prune_empty=True, validate=False)
        fields.pop("conn_id", None)
        return json.dumps(fields)

    def to_dict(self, *, prune_empty: bool = False, validate: bool = True) -> dict[str, Any]:
        """Return the fields.

        Args:
            prune_empty: leave out what is None.
            validate: check that all of it can be JSON.
        """
        fields = {name: getattr(self, name) for name in _FIELDS if name != "extra"}
        if prune_empty:
            fields = {name: value for name, value in fields.items() if value is not None}
        extra = self.extra_dejson
        if extra or not prune_empty:
            fields["extra"] = extra
        if validate:
            json.dumps(fields)
        return fields

    # --------------------------------------------------------------------------------------------------- extra

    @property
    def extra_dejson(self) -> Any:
        """The extra as a dict; empty if it is no JSON. What is secret in it is masked in logs from then on."""
        if not self.extra:
            return {}
        try:
            extra = json.loads(self.extra)
        except ValueError:
            log.exception("The extra of connection %r is no JSON; it is taken to be empty", self.conn_id)
            return {}
        from gnomon.sdk.log import mask_secret

        mask_secret(extra)
        return extra

    async def aextra_dejson(self) -> Any:
        """Return the extra as a dict, from a coroutine."""
        return self.extra_dejson

    def get_extra(self) -> str | None:
        """Return the extra as text."""
        return self.extra

    def get_extra_dejson(self, *_: Any) -> Any:
        """Return the extra as a dict."""
        return self.extra_dejson

    def get_password(self) -> str | None:
        """Return the password."""
        return self.password

    # -------------------------------------------------------------------------------------------------- use

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """Return a connection: from a custom backend, the environment, or the control side.

        Raises:
            AirflowNotFoundException: there is none of that id.
        """
        from gnomon.sdk.secrets import look_up

        found = look_up(f"connection {conn_id!r}", lambda backend: backend.get_connection(conn_id))
        if found is None:
            found = cls._from_control_side(conn_id)
        found.mask()
        return found

    get_connection_from_secrets = get

    @classmethod
    async def async_get(cls, conn_id: str) -> Connection:
        """Return a connection, from a coroutine."""
        import asyncio

        return await asyncio.to_thread(cls.get, conn_id)

    @classmethod
    def _from_control_side(cls, conn_id: str) -> Connection:
        from gnomon.sdk.runtime.channel import get_channel
        from gnomon.wire.execution import ConnectionFound, GetConnection, Problem

        channel = get_channel()
        reply = channel.ask(GetConnection(conn_id=conn_id)) if channel is not None else None
        if isinstance(reply, ConnectionFound):
            return cls(**{name: getattr(reply, name) for name in _FIELDS})
        if isinstance(reply, Problem) and reply.code != "not_found":
            raise AirflowException(f"The connection {conn_id!r} cannot be read: {reply.message}")
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

    def mask(self) -> None:
        """Hide its password, and what is secret in its extra, in logs from now on."""
        from gnomon.sdk.log import mask_secret

        if self.password:
            mask_secret(self.password)
            mask_secret(quote(self.password))
        if self.extra:
            mask_secret(self.extra_dejson)

    def get_hook(self, *, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook for the connection's type.

        Raises:
            AirflowException: no installed provider has one.
        """
        from gnomon.sdk.providers import hook_class_of

        cls, argument = hook_class_of(self.conn_type)
        return cls(**{argument: self.conn_id}, **(hook_params or {}))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection works, and what was said."""
        try:
            hook = self.get_hook()
            test = getattr(hook, "test_connection", None)
            if test is None:
                return False, f"Hook {type(hook).__name__} doesn't implement or inherit test_connection method"
            status, message = test()
        except Exception as error:
            return False, str(error)
        return bool(status), str(message)
