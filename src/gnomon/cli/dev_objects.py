"""`gnomon dev object`: pools, variables and connections between `airflow_settings.yaml` and the database."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import project as projects
from gnomon.cli import settings_file
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened

if TYPE_CHECKING:
    from gnomon.store.engine import Store

app = application("Import and export pools, variables and connections.")

_Connections = Annotated[bool, typer.Option("-c", "--connections", help="Only connections.")]
_Variables = Annotated[bool, typer.Option("-v", "--variables", help="Only variables.")]
_Pools = Annotated[bool, typer.Option("-p", "--pools", help="Only pools.")]
_File = Annotated[str, typer.Option("-s", "--settings-file", help="The file.")]


@app.command("import")
def import_objects(
    connections: _Connections = False,
    variables: _Variables = False,
    pools: _Pools = False,
    file: _File = "airflow_settings.yaml",
) -> None:
    """Write what the settings file says into the project's database. Nothing needs to run."""
    from gnomon.cli.settings_import import apply

    project = _enter()
    path = project.root / file
    if not path.is_file():
        raise CommandError(f"-s/--settings-file: {path} does not exist", exit_code=2)
    settings = settings_file.read(path)
    everything = not (connections or variables or pools)
    settings.connections = settings.connections if connections or everything else []
    settings.variables = settings.variables if variables or everything else []
    settings.pools = settings.pools if pools or everything else []
    for line in settings.skipped:
        print(line)
    with opened() as store:
        print(f"Imported: {apply(settings, store) or 'nothing'}")


@app.command("export")
def export(
    connections: _Connections = False,
    variables: _Variables = False,
    pools: _Pools = False,
    file: _File = "airflow_settings.yaml",
    env_export: Annotated[bool, typer.Option("-n", "--env-export", help="Write an env file instead.")] = False,
    env_file: Annotated[str, typer.Option("-e", "--env", help="The env file, with --env-export.")] = ".env",
) -> None:
    """Write the pools, variables and connections of the database to the settings file; other entries of it stay."""
    project = _enter()
    everything = not (connections or variables or pools)
    with opened() as store:
        if env_export:
            lines = env_lines(store, connections=connections or everything, variables=variables or everything)
            _append_env(project.root / env_file, lines)
            print(f"Exported {len(lines)} lines to {env_file}" + ("; pools cannot be in an env file" if pools else ""))
            return
        found = {
            "connections": _connections(store) if connections or everything else [],
            "pools": _pools(store) if pools or everything else [],
            "variables": _variables(store) if variables or everything else [],
        }
    _merge(project.root / file, found)
    counts = ", ".join(
        f"{len(entries)} {name if len(entries) != 1 else name.removesuffix('s')}"
        for name, entries in found.items()
        if entries
    )
    print(f"Exported to {file}: {counts or 'nothing'}")


def _enter() -> projects.Project:
    project = projects.require()
    os.environ.pop("AIRFLOW_HOME", None)
    return project


def _connections(store: Store) -> list[dict[str, Any]]:
    entries = []
    for one in store.connections.all():
        extra: Any = one.extra
        if extra:
            try:
                decoded = json.loads(extra)
                extra = decoded if isinstance(decoded, dict) else extra
            except ValueError:
                pass
        entry = {
            "conn_id": one.conn_id,
            "conn_type": one.conn_type,
            "conn_host": one.host,
            "conn_schema": one.schema,
            "conn_login": one.login,
            "conn_password": one.password,
            "conn_port": one.port,
            "conn_extra": extra,
        }
        entries.append({key: value for key, value in entry.items() if value not in (None, "")})
    return entries


def _pools(store: Store) -> list[dict[str, Any]]:
    return [
        {"pool_name": one.name, "pool_slot": one.slots, "pool_description": one.description or ""}
        for one in store.pools.all()
    ]


def _variables(store: Store) -> list[dict[str, Any]]:
    return [{"variable_name": one.key, "variable_value": one.value} for one in store.variables.all()]


def _merge(path: Path, found: dict[str, list[dict[str, Any]]]) -> None:
    """Replace the entries of the same names, keep the others, drop the empty ones of a new project."""
    import yaml

    from gnomon.cli.variables import write_private

    settings_file.read(path)  # says what is wrong with it, if something is
    old = (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None) or {}
    airflow = old.get("airflow") or {}
    names = {"connections": "conn_id", "pools": "pool_name", "variables": "variable_name"}
    for kind, key in names.items():
        merged = {entry[key]: entry for entry in airflow.get(kind) or [] if entry.get(key)}
        merged |= {entry[key]: entry for entry in found[kind]}
        airflow[kind] = list(merged.values())
    write_private(path, yaml.safe_dump({**old, "airflow": airflow}, sort_keys=False, allow_unicode=True).rstrip("\n"))


def env_lines(store: Store, *, connections: bool, variables: bool) -> list[str]:
    """Return connections and variables as environment variables."""
    from gnomon.cli.connection_form import to_uri

    lines = []
    if connections:
        lines += [f"AIRFLOW_CONN_{one.conn_id.upper()}={_quoted(to_uri(one))}" for one in store.connections.all()]
    if variables:
        lines += [f"AIRFLOW_VAR_{one.key.upper()}={_quoted(one.value)}" for one in store.variables.all()]
    return lines


def _quoted(value: str) -> str:
    """Single quotes: nothing in them is interpolated."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _append_env(path: Path, lines: list[str]) -> None:
    from gnomon.cli.variables import write_private

    names = {line.partition("=")[0] for line in lines}
    old = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = [line for line in old if line.partition("=")[0].strip().removeprefix("export ") not in names]
    write_private(path, "\n".join([*kept, *lines]))
