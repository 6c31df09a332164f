"""Hooks of the standard provider."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.exceptions import AirflowNotFoundException
from gnomon.sdk.hook import BaseHook
from gnomon.sdk.standard.subprocesses import SubprocessHook, SubprocessResult

__all__ = ["FSHook", "PackageIndexHook", "SubprocessHook", "SubprocessResult"]


class FSHook(BaseHook):
    """A folder; its path is in the extra of a connection: {"path": "/data"}."""

    conn_name_attr = "fs_conn_id"
    default_conn_name = "fs_default"
    conn_type = "fs"
    hook_name = "File (path)"

    def __init__(self, fs_conn_id: str = "fs_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            conn = self.get_connection(fs_conn_id)
        except AirflowNotFoundException:
            # Without a connection the root folder is meant, as in the connections Airflow makes by default.
            if fs_conn_id != self.default_conn_name:
                raise
            self.basepath, self.conn = "/", None
            return
        self.basepath = conn.extra_dejson.get("path", "")
        self.conn = conn

    def get_conn(self) -> None:
        """Return nothing: there is no client."""

    def get_path(self) -> str:
        """Return the folder."""
        return str(self.basepath)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which fields of the connection form are hidden, renamed or explained."""
        return {
            "hidden_fields": ["host", "schema", "port", "login", "password", "extra"],
            "relabeling": {},
            "placeholders": {},
        }

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the folder exists."""
        import os

        path = self.get_path()
        if not path:
            return False, "File Path is undefined."
        return (True, f"Path {path} is existing.") if os.path.exists(path) else (False, f"Path {path} does not exist.")


class PackageIndexHook(BaseHook):
    """A Python package index, for operators that install packages."""

    conn_name_attr = "pi_conn_id"
    default_conn_name = "package_index_default"
    conn_type = "package_index"
    hook_name = "Package Index (Python)"

    def __init__(self, pi_conn_id: str = "package_index_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pi_conn_id = pi_conn_id
        self.conn = self.get_connection(pi_conn_id)

    def get_connection_url(self) -> str:
        """Return the URL of the index, with login and password.

        Raises:
            ValueError: the connection has none.
        """
        from urllib.parse import quote

        url = self.conn.host
        if not url:
            raise ValueError("Please provide an index URL.")
        if self.conn.login:
            scheme, _, rest = url.partition("://")
            password = f":{quote(self.conn.password, safe='')}" if self.conn.password else ""
            url = f"{scheme}://{quote(self.conn.login, safe='')}{password}@{rest.rpartition('@')[2]}"
        return str(url)

    def get_conn(self) -> str:
        """Return the URL of the index."""
        return self.get_connection_url()

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the index answers."""
        import requests

        try:
            requests.get(self.get_connection_url(), timeout=10).raise_for_status()
        except (requests.RequestException, ValueError) as error:
            # The error may name the URL with its password.
            return False, f"Connection test to {self.conn.host} failed: {type(error).__name__}"
        return True, f"Connection to {self.conn.host} tested successfully!"
