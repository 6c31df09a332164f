"""The operators that each database had before all became SQLExecuteQueryOperator: PostgresOperator and the like."""

from __future__ import annotations

from typing import Any

#: the class, the argument that names the connection, and its default
_OPERATORS = {
    "JdbcOperator": ("jdbc_conn_id", "jdbc_default"),
    "MsSqlOperator": ("mssql_conn_id", "mssql_default"),
    "MySqlOperator": ("mysql_conn_id", "mysql_default"),
    "OracleOperator": ("oracle_conn_id", "oracle_default"),
    "PostgresOperator": ("postgres_conn_id", "postgres_default"),
    "SnowflakeOperator": ("snowflake_conn_id", "snowflake_default"),
    "SqliteOperator": ("sqlite_conn_id", "sqlite_default"),
    "TrinoOperator": ("trino_conn_id", "trino_default"),
    "VerticaOperator": ("vertica_conn_id", "vertica_default"),
}
#: what Snowflake's hook takes
_HOOK_PARAMS = ("warehouse", "role", "schema", "authenticator", "session_parameters")


def __getattr__(name: str) -> Any:
    """Return the operator of that name.

    Raises:
        ImportError: apache-airflow-providers-common-sql is missing.
    """
    if name not in _OPERATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _make(name, *_OPERATORS[name])
    return made


def _make(name: str, argument: str, default: str) -> type:
    from importlib import import_module

    try:
        base: Any = import_module("airflow.providers.common.sql.operators.sql").SQLExecuteQueryOperator
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("airflow.providers.common"):
            raise
        raise ImportError(
            f"{name} became SQLExecuteQueryOperator; install apache-airflow-providers-common-sql"
        ) from None

    def __init__(self: Any, *, database: str | None = None, **kwargs: Any) -> None:
        conn_id = kwargs.pop(argument, None) or default
        kwargs.setdefault("conn_id", conn_id)
        settings = {key: kwargs.pop(key) for key in _HOOK_PARAMS if argument == "snowflake_conn_id" and key in kwargs}
        runtime = kwargs.pop("runtime_parameters", None)
        if runtime:
            settings["options"] = " ".join(f"-c {key}={value}" for key, value in runtime.items())
        if settings:
            kwargs["hook_params"] = {**settings, **(kwargs.get("hook_params") or {})}
        if database is not None:
            kwargs["database"] = database
        base.__init__(self, **kwargs)

    doc = f"Runs SQL through the connection `{argument}`, as SQLExecuteQueryOperator does through `conn_id`."
    return type(name, (base,), {"__init__": __init__, "__doc__": doc, "__module__": __name__})
