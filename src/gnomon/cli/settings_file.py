"""`airflow_settings.yaml`: the pools, variables and connections of a project on a developer's machine."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gnomon.cli.errors import CommandError

_CONNECTION_FIELDS = ("conn_type", "conn_host", "conn_schema", "conn_login", "conn_password", "conn_port")


@dataclass(frozen=True)
class PoolEntry:
    """One pool of the file."""

    name: str
    slots: int
    description: str | None = None


@dataclass(frozen=True)
class VariableEntry:
    """One variable of the file."""

    key: str
    value: str


@dataclass(frozen=True)
class ConnectionEntry:
    """One connection of the file; either `uri`, or the other fields."""

    conn_id: str
    uri: str | None = None
    conn_type: str | None = None
    host: str | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = None
    port: int | None = None
    extra: str | None = None


@dataclass
class Settings:
    """What the file says, and what was left out and why."""

    pools: list[PoolEntry] = field(default_factory=list)
    variables: list[VariableEntry] = field(default_factory=list)
    connections: list[ConnectionEntry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


class _Line(dict[str, Any]):
    """A mapping that knows the line each of its keys is on."""

    line = 0
    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """Builds `_Line` instead of dict."""


def _construct(loader: yaml.SafeLoader, node: yaml.MappingNode) -> _Line:
    found = _Line({str(key): value for key, value in loader.construct_mapping(node, deep=True).items()})
    found.line = node.start_mark.line + 1
    found.lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct)


def read(path: Path) -> Settings:
    """Read the file; a missing one is empty.

    Raises:
        CommandError: it is not YAML, or an entry is wrong; the message names the line.
    """
    if not path.is_file():
        return Settings()
    try:
        root = yaml.load(path.read_text(encoding="utf-8"), _Loader) or _Line()  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CommandError(f"{path}:{line}: {error.problem or 'is not YAML'}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    airflow = root.get("airflow") if isinstance(root, dict) else None
    if not isinstance(airflow, dict):
        if root:
            raise CommandError(f"{path}:1: expected one entry called `airflow:` at the top")
        return Settings()
    return _Reader(path).read(airflow)


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = Settings()

    def read(self, airflow: dict[str, Any]) -> Settings:
        for name, read_one in (("pools", self._pool), ("variables", self._variable), ("connections", self._connection)):
            for entry in self._entries(airflow, name):
                read_one(entry)
        return self.settings

    def _entries(self, airflow: Any, name: str) -> list[_Line]:
        found = airflow.get(name) or []
        line = getattr(airflow, "lines", {}).get(name, 1)
        if not isinstance(found, list) or not all(isinstance(entry, _Line) for entry in found):
            raise CommandError(f"{self.path}:{line}: {name} must be a list of entries")
        return found

    def _where(self, entry: _Line, key: str) -> str:
        return f"{self.path}:{entry.lines.get(key, entry.line)}"

    def _skip(self, entry: _Line, why: str) -> None:
        self.settings.skipped.append(f"{self.path.name}:{entry.line}: {why}")

    def _text(self, entry: _Line, key: str) -> str | None:
        value = entry.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, (dict, list)):
            raise CommandError(f"{self._where(entry, key)}: {key} must be text")
        return json.dumps(value) if isinstance(value, bool) else str(value)

    def _number(self, entry: _Line, key: str) -> int | None:
        value = entry.get(key)
        if value is None or value == "":
            return None
        try:
            return int(str(value))
        except ValueError:
            raise CommandError(f"{self._where(entry, key)}: {key} must be a whole number, got {value!r}") from None

    def _pool(self, entry: _Line) -> None:
        name, slots = self._text(entry, "pool_name"), self._number(entry, "pool_slot")
        if name is None:
            return
        if not slots:
            self._skip(entry, f"pool {name} is left out: pool_slot is {'missing' if slots is None else 0}")
            return
        self.settings.pools.append(PoolEntry(name, slots, self._text(entry, "pool_description")))

    def _variable(self, entry: _Line) -> None:
        name, value = self._text(entry, "variable_name"), entry.get("variable_value")
        if name is None:
            return
        if value is None or value == "":
            self._skip(entry, f"variable {name} is left out: variable_value is empty")
            return
        self.settings.variables.append(VariableEntry(name, value if isinstance(value, str) else json.dumps(value)))

    def _connection(self, entry: _Line) -> None:
        conn_id, uri = self._text(entry, "conn_id"), self._text(entry, "conn_uri")
        if conn_id is None:
            return
        fields = {key: self._text(entry, key) for key in _CONNECTION_FIELDS}
        if uri and not any(fields.values()):
            self.settings.connections.append(ConnectionEntry(conn_id, uri=uri))
            return
        if not fields["conn_type"]:
            self._skip(entry, f"connection {conn_id} is left out: it has neither conn_type nor conn_uri")
            return
        if uri:
            self._skip(entry, f"connection {conn_id}: conn_uri is ignored, because other fields are set")
        self.settings.connections.append(
            ConnectionEntry(
                conn_id,
                conn_type=fields["conn_type"],
                host=fields["conn_host"],
                schema=fields["conn_schema"],
                login=fields["conn_login"],
                password=fields["conn_password"],
                port=self._number(entry, "conn_port"),
                extra=self._extra(entry),
            )
        )

    def _extra(self, entry: _Line) -> str | None:
        value = entry.get("conn_extra")
        if value is None or value == "":
            return None
        if isinstance(value, dict):
            return json.dumps(value)
        try:
            json.loads(value)
        except (TypeError, ValueError):
            raise CommandError(f"{self._where(entry, 'conn_extra')}: conn_extra must be a mapping or JSON") from None
        return str(value)
