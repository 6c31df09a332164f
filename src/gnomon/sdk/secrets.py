"""Where connections and variables are looked up: a custom backend, the environment, then the control side."""

from __future__ import annotations

import functools
import json
import logging
import os
from abc import ABC
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gnomon.sdk.exceptions import (
    AirflowException,
    AirflowFileParseException,
    AirflowSecretsBackendAccessDenied,
    AirflowUnsupportedFileTypeException,
    ConnectionNotUnique,
    FileSyntaxError,
    VariableNotUnique,
)

if TYPE_CHECKING:
    from gnomon.sdk.connection import Connection

T = TypeVar("T")

CONN_ENV_PREFIX = "AIRFLOW_CONN_"
VAR_ENV_PREFIX = "AIRFLOW_VAR_"

log = logging.getLogger(__name__)


class BaseSecretsBackend(ABC):  # noqa: B024 - a backend defines what it can
    """A place where connections, variables and settings are kept; subclasses define what they can look up."""

    @staticmethod
    def build_path(path_prefix: str, secret_id: str, sep: str = "/") -> str:
        """Return the path of a secret."""
        return f"{path_prefix}{sep}{secret_id}"

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return a connection as a URI or JSON, or None."""
        raise NotImplementedError

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """Return a variable, or None."""
        raise NotImplementedError

    def get_config(self, key: str) -> str | None:
        """Return a setting, or None."""
        return None

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """Return the connection of a URI or of JSON."""
        from gnomon.sdk.connection import Connection

        value = value.strip()
        return Connection.from_json(value, conn_id) if value.startswith("{") else Connection.from_uri(value, conn_id)

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """Return a connection, or None."""
        value = self.get_conn_value(conn_id)
        return self.deserialize_connection(conn_id, value) if value else None


class EnvironmentVariablesBackend(BaseSecretsBackend):
    """AIRFLOW_CONN_<ID> and AIRFLOW_VAR_<KEY>, in upper case."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """Return AIRFLOW_CONN_<ID>, or None."""
        return os.environ.get(CONN_ENV_PREFIX + conn_id.upper())

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """Return AIRFLOW_VAR_<KEY>, or None."""
        return os.environ.get(VAR_ENV_PREFIX + key.upper())


class LocalFilesystemBackend(BaseSecretsBackend):
    """Connections and variables in files: .env, .json or .yaml.

    Args:
        variables_file_path: the file with variables.
        connections_file_path: the file with connections.
        configs_file_path: the file with settings.
    """

    def __init__(
        self,
        variables_file_path: str | None = None,
        connections_file_path: str | None = None,
        configs_file_path: str | None = None,
    ) -> None:
        self.variables_file = variables_file_path
        self.connections_file = connections_file_path
        self.configs_file = configs_file_path

    @functools.cached_property
    def _local_variables(self) -> dict[str, Any]:
        return load_variables(self.variables_file) if self.variables_file else {}

    @functools.cached_property
    def _local_connections(self) -> dict[str, Connection]:
        return load_connections_dict(self.connections_file) if self.connections_file else {}

    @functools.cached_property
    def _local_configs(self) -> dict[str, Any]:
        return _read_secrets_file(self.configs_file) if self.configs_file else {}

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        """Return a connection, or None."""
        return self._local_connections.get(conn_id)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """Return a variable, or None."""
        return self._local_variables.get(key)

    def get_config(self, key: str) -> str | None:
        """Return a setting, or None."""
        return self._local_configs.get(key)


# ---------------------------------------------------------------------------------------------------- files


def load_variables(file_path: str) -> dict[str, Any]:
    """Return the variables of a file.

    Raises:
        VariableNotUnique: one is there several times.
        AirflowFileParseException: the file is malformed; the message names the line.
    """
    found = _read_secrets_file(file_path)
    many = [key for key, value in found.items() if isinstance(value, list) and len(value) != 1]
    if many:
        raise VariableNotUnique(f"{file_path}: {', '.join(many)} must not be there several times")
    return {key: value[0] if isinstance(value, list) else value for key, value in found.items()}


def load_connections_dict(file_path: str) -> dict[str, Connection]:
    """Return the connections of a file.

    Raises:
        ConnectionNotUnique: one is there several times.
        AirflowFileParseException: the file is malformed; the message names the line.
    """
    found = {}
    for conn_id, value in _read_secrets_file(file_path).items():
        values = value if isinstance(value, list) else [value]
        if len(values) != 1:
            raise ConnectionNotUnique(f"{file_path}: the connection {conn_id!r} is there {len(values)} times")
        found[conn_id] = _connection_of(conn_id, values[0])
    return found


def _connection_of(conn_id: str, value: Any) -> Connection:
    from gnomon.sdk.connection import Connection

    if isinstance(value, str):
        return EnvironmentVariablesBackend().deserialize_connection(conn_id, value)
    if not isinstance(value, dict):
        raise AirflowException(
            f"the connection {conn_id!r} has to be a string or a mapping, not {type(value).__name__}"
        )
    known = {"conn_type", "description", "host", "login", "password", "schema", "port", "extra", "extra_dejson",
             "conn_id", "uri"}  # fmt: skip
    unknown = sorted(value.keys() - known)
    if unknown:
        raise AirflowException(f"the connection {conn_id!r} has illegal keys: {', '.join(unknown)}")
    fields = dict(value)
    if "extra_dejson" in fields:
        if "extra" in fields:
            raise AirflowException(f"the connection {conn_id!r} has both extra and extra_dejson")
        fields["extra"] = fields.pop("extra_dejson")
    if fields.setdefault("conn_id", conn_id) != conn_id:
        raise AirflowException(f"the connection {conn_id!r} has another conn_id inside: {fields['conn_id']!r}")
    if isinstance(fields.get("extra"), (dict, list)):
        fields["extra"] = json.dumps(fields["extra"])
    return Connection(**fields)


def _read_secrets_file(path: str) -> dict[str, Any]:
    if not os.path.exists(path):
        raise AirflowException(f"File {path} was not found. Check the configuration of your Secrets backend.")
    kind = path.rsplit(".", 1)[-1].lower()
    reader = {"env": _read_env, "json": _read_json, "yaml": _read_yaml, "yml": _read_yaml}.get(kind)
    if reader is None:
        raise AirflowUnsupportedFileTypeException(
            f"Unsupported file format {kind!r} of {path}. The file must have one of the following extensions:"
            " .env .json .yaml .yml"
        )
    with open(path, encoding="utf-8") as file:
        found, errors = reader(file.read())
    if errors:
        raise AirflowFileParseException("Failed to load the secret file.", file_path=path, parse_errors=errors)
    return found


def _read_env(text: str) -> tuple[dict[str, Any], list[FileSyntaxError]]:
    found: dict[str, list[str]] = {}
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, separator, value = line.partition("=")
        if not separator:
            errors.append(
                FileSyntaxError(number, "Invalid line format. The line should contain at least one equal sign")
            )
        elif not value.strip():
            errors.append(FileSyntaxError(number, "Invalid line format. Key is there, but no value"))
        else:
            found.setdefault(key.strip(), []).append(value.strip())
    return found, errors


def _read_json(text: str) -> tuple[dict[str, Any], list[FileSyntaxError]]:
    if not text.strip():
        return {}, [FileSyntaxError(1, "The file is empty.")]
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, [FileSyntaxError(error.lineno, error.msg)]
    if not isinstance(found, dict):
        return {}, [FileSyntaxError(1, "The file should contain the object.")]
    return found, []


def _read_yaml(text: str) -> tuple[dict[str, Any], list[FileSyntaxError]]:
    import yaml

    if not text.strip():
        return {}, [FileSyntaxError(1, "The file is empty.")]
    try:
        found = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return {}, [FileSyntaxError(mark.line + 1 if mark else None, str(error.problem))]
    if not isinstance(found, dict):
        return {}, [FileSyntaxError(1, "The file should contain the object.")]
    return found, []


# -------------------------------------------------------------------------------------------------- look-up


@functools.cache
def custom_backend() -> BaseSecretsBackend | None:
    """Return the backend of `[workers] secrets_backend`, or of `[secrets] backend`, or None.

    Raises:
        AirflowException: it cannot be made.
    """
    from gnomon.service.config import conf

    for section, key in (("workers", "secrets_backend"), ("secrets", "backend")):
        path = conf.get(section, key, fallback=None)
        if path:
            break
    else:
        return None
    from gnomon.sdk.runtime.values import import_string

    arguments = conf.getjson(section, f"{key}_kwargs", fallback=None) or {}
    try:
        backend: BaseSecretsBackend = import_string(path)(**arguments)
    except Exception as error:
        raise AirflowException(f"[{section}] {key}: {path} cannot be used: {error}") from error
    return backend


def backends() -> list[BaseSecretsBackend]:
    """Return what is asked before the control side is, in order."""
    custom = custom_backend()
    environment = EnvironmentVariablesBackend()
    return [environment] if custom is None else [custom, environment]


def look_up(what: str, ask: Callable[[BaseSecretsBackend], T | None]) -> T | None:
    """Return the first answer that is not None; a backend that fails is passed over.

    Args:
        what: for the log.
        ask: asks one backend.

    Raises:
        AirflowSecretsBackendAccessDenied: a backend has it and refuses it.
    """
    for backend in backends():
        try:
            answer = ask(backend)
        except AirflowSecretsBackendAccessDenied:
            raise
        except Exception:
            log.debug("%s cannot be looked up in %s", what, type(backend).__name__, exc_info=True)
            continue
        if answer is not None:
            return answer
    return None
