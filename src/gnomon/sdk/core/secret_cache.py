"""`SecretCache`: variables and connections are asked for when they are needed, and nothing is cached."""

from __future__ import annotations

from typing import Any, NoReturn


class SecretCache:
    """Airflow's cache of variables and connections while DAG files are parsed; this one is always empty."""

    class NotPresentException(Exception):
        """The cache does not have it."""

    @classmethod
    def init(cls) -> None:
        """Do nothing."""

    @classmethod
    def reset(cls) -> None:
        """Do nothing."""

    @classmethod
    def get_variable(cls, key: str, team_name: str | None = None) -> NoReturn:
        """Say that it is not there."""
        raise cls.NotPresentException

    @classmethod
    def get_connection_uri(cls, conn_id: str, team_name: str | None = None) -> NoReturn:
        """Say that it is not there."""
        raise cls.NotPresentException

    @classmethod
    def save_variable(cls, key: str, value: Any, team_name: str | None = None) -> None:
        """Do nothing."""

    @classmethod
    def save_connection_uri(cls, conn_id: str, uri: str, team_name: str | None = None) -> None:
        """Do nothing."""

    @classmethod
    def invalidate_variable(cls, key: str, team_name: str | None = None) -> None:
        """Do nothing."""
