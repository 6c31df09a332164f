"""BaseHook: the base of clients that use a connection."""

from __future__ import annotations

from typing import Any, ClassVar

from gnomon.sdk.log import LoggingMixin


class BaseHook(LoggingMixin):
    """Base of hooks: finds connections, and says how the form of their type looks."""

    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]

    _log_config_logger_name = "airflow.task.hooks"

    def __init__(self, logger_name: str | None = None) -> None:
        super().__init__()
        if logger_name is not None:
            self._logger_name = logger_name

    @property
    def log(self) -> Any:
        """The logger of the class."""
        import logging

        kind = type(self)
        name = self._logger_name if self._logger_name is not None else f"{kind.__module__}.{kind.__qualname__}"
        return logging.getLogger(f"{self._log_config_logger_name}.{name}" if name else self._log_config_logger_name)

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Return a connection.

        Raises:
            AirflowNotFoundException: there is none of that id.
        """
        from gnomon.sdk.connection import Connection

        conn = Connection.get(conn_id)
        cls.logger().debug("Connection Retrieved '%s'", conn.conn_id)
        return conn

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Any:
        """Return a connection, from a coroutine."""
        import asyncio

        return await asyncio.to_thread(cls.get_connection, conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> BaseHook:
        """Return the hook for a connection's type."""
        hook: BaseHook = cls.get_connection(conn_id).get_hook(hook_params=hook_params)
        return hook

    def get_conn(self) -> Any:
        """Return the client."""
        raise NotImplementedError

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return further fields of the connection form."""
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which fields of the connection form are hidden, renamed or explained."""
        return {}
