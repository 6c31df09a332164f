"""`airflow connections`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import MASK, Format, Output, Verbose

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Connection

app = application("Manage connections.")

_Id = Annotated[str, typer.Argument(metavar="CONN_ID", help="Connection id.")]
_Text = str | None


class FileFormat(StrEnum):
    """What an export may be written as."""

    JSON = "json"
    YAML = "yaml"
    ENV = "env"


class Serialization(StrEnum):
    """How a connection is written in an env file."""

    URI = "uri"
    JSON = "json"


@app.command("list")
def list_connections(
    output_format: Output = Format.TABLE,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show all fields, secrets too.")] = False,
    hide_sensitive: Annotated[bool, typer.Option("--hide-sensitive", help="With --show-values: mask secrets.")] = False,
    verbose: Verbose = False,
) -> None:
    """List connections; without --show-values their ids and types only."""
    if hide_sensitive and not show_values:
        raise CommandError("--hide-sensitive can only be used with --show-values", exit_code=2)
    with opened() as store:
        found = store.connections.all()
    if not show_values:
        output.rows([{"conn_id": one.conn_id, "conn_type": one.conn_type} for one in found], output_format)
        return
    output.rows([_details(one, hide=hide_sensitive) for one in found], output_format)


@app.command("get")
def get(
    conn_id: _Id,
    output_format: Output = Format.TABLE,
    color: Annotated[str, typer.Option("--color", hidden=True)] = "auto",
    verbose: Verbose = False,
) -> None:
    """Show a connection, from AIRFLOW_CONN_<ID> or the database, with its secrets."""
    from gnomon.cli.connection_form import from_fields

    with opened() as store:
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        given = os.environ.get(variable)
        found = from_fields(conn_id, given, where=variable) if given else store.connections.get(conn_id)
        if found is None:
            raise _unknown(store, conn_id)
    output.rows([_details(found)], output_format)


@app.command("add")
def add(
    conn_id: _Id,
    uri: Annotated[_Text, typer.Option("--conn-uri", help="Connection URI.")] = None,
    as_json: Annotated[_Text, typer.Option("--conn-json", help="Connection as JSON.")] = None,
    conn_type: Annotated[_Text, typer.Option("--conn-type", help="Connection type, without URI or JSON.")] = None,
    description: Annotated[_Text, typer.Option("--conn-description", help="Description.")] = None,
    host: Annotated[_Text, typer.Option("--conn-host", help="Host.")] = None,
    login: Annotated[_Text, typer.Option("--conn-login", help="Login.")] = None,
    password: Annotated[_Text, typer.Option("--conn-password", help="Password.")] = None,
    schema: Annotated[_Text, typer.Option("--conn-schema", help="Schema.")] = None,
    port: Annotated[int | None, typer.Option("--conn-port", help="Port.")] = None,
    extra: Annotated[_Text, typer.Option("--conn-extra", help="Extra, as JSON.")] = None,
) -> None:
    """Add a connection."""
    import msgspec

    from gnomon.cli import connection_form as form
    from gnomon.store.records import Connection

    fields = {"type": conn_type, "host": host, "login": login, "password": password, "schema": schema, "port": port}
    _check_choice(uri, as_json, fields, extra)
    form.check_id(conn_id)
    if extra is not None:
        output.read_json(extra, "--conn-extra")
    if as_json is not None:
        connection = form.from_fields(conn_id, as_json, where="--conn-json")
    elif uri is not None:
        connection = form.from_uri(conn_id, uri, where="--conn-uri")
    else:
        del fields["type"]
        connection = Connection(conn_id=conn_id, conn_type=conn_type or "", **fields)  # type: ignore[arg-type]
    if description is not None:
        connection = msgspec.structs.replace(connection, description=description)
    if extra is not None:
        connection = msgspec.structs.replace(connection, extra=extra)
    with opened() as store:
        store.connections.add(connection)
    print(f"Successfully added `conn_id`={conn_id}")


def _check_choice(uri: _Text, as_json: _Text, fields: dict[str, Any], extra: _Text) -> None:
    if not (uri or as_json or fields["type"]):
        raise CommandError("give --conn-uri, --conn-json or --conn-type", exit_code=2)
    if uri and as_json:
        raise CommandError("give either --conn-uri or --conn-json", exit_code=2)
    if uri or as_json:
        option = "--conn-uri" if uri else "--conn-json"
        too_many = [f"--conn-{name}" for name, value in fields.items() if value is not None]
        if as_json and extra is not None:
            too_many.append("--conn-extra")
        if too_many:
            raise CommandError(f"{', '.join(too_many)} cannot be combined with {option}", exit_code=2)


@app.command("delete")
def delete(
    conn_id: _Id,
    color: Annotated[str, typer.Option("--color", hidden=True)] = "auto",
    verbose: Verbose = False,
) -> None:
    """Delete a connection."""
    with opened() as store:
        if not store.connections.delete(conn_id):
            raise _unknown(store, conn_id)
    print(f"Successfully deleted connection with `conn_id`={conn_id}")


@app.command("test")
def test(conn_id: _Id, verbose: Verbose = False) -> None:
    """Test a connection with the hook of its type, which runs in a process of its own."""
    import msgspec

    from gnomon.cli.connection_form import from_fields
    from gnomon.service.config import conf
    from gnomon.service.inspection import InspectionError, inspect

    with opened() as store:
        if str(conf.get("core", "test_connection", fallback="Disabled")).lower() != "enabled":
            raise CommandError(
                "testing connections is disabled", hint="AIRFLOW__CORE__TEST_CONNECTION=Enabled allows it"
            )
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        given = os.environ.get(variable)
        found = from_fields(conn_id, given, where=variable) if given else store.connections.get(conn_id)
        if found is None:
            raise _unknown(store, conn_id)
    print(f"Retrieving connection: '{conn_id}'")
    print("Testing...")
    try:
        answer = inspect("test-connection", msgspec.structs.asdict(found))
    except InspectionError as error:
        raise CommandError(str(error)) from None
    print("Connection success!" if answer["status"] else f"Connection failed!\n{answer['message']}")
    if not answer["status"]:
        raise typer.Exit(1)


@app.command("create-default-connections")
def create_default_connections(verbose: Verbose = False) -> None:
    """Create the connections that Airflow offers to begin with; those that are there stay as they are."""
    from gnomon.store.default_connections import default_connections

    with opened() as store:
        done = store.connections.import_many(default_connections(), "skip")
    print(f"Created {len(done.created)} connections; {len(done.skipped)} were there.")


@app.command("import")
def import_connections(
    file: Annotated[Path, typer.Argument(help="A .json, .yaml, .yml or .env file.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace those that are there.")] = False,
    verbose: Verbose = False,
) -> None:
    """Import connections from a file. Those that are there stay as they are, unless --overwrite is given."""
    from gnomon.cli.connection_form import from_fields
    from gnomon.cli.object_files import load_mapping

    entries = [from_fields(conn_id, given, where=str(file)) for conn_id, given in load_mapping(file).items()]
    with opened() as store:
        done = store.connections.import_many(entries, "overwrite" if overwrite else "skip")
    for conn_id in done.created:
        print(f"Imported connection {conn_id}")
    for conn_id in done.updated:
        print(f"Updated connection {conn_id}")
    for conn_id in done.skipped:
        print(f"Could not import connection {conn_id}: it exists (--overwrite replaces it)")


@app.command("export")
def export(
    file: Annotated[str, typer.Argument(help="The file to write; - for standard output.")],
    file_format: Annotated[FileFormat | None, typer.Option("--file-format", help="Format of the file.")] = None,
    old_format: Annotated[FileFormat | None, typer.Option("--format", hidden=True)] = None,
    serialization: Annotated[
        Serialization | None, typer.Option("--serialization-format", help="In an env file: uri or json.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Export all connections, with their secrets, to a file that its owner alone can read."""
    from gnomon.cli.variables import write_private

    chosen = _file_format(file, file_format or old_format)
    if serialization and chosen is not FileFormat.ENV:
        raise CommandError("--serialization-format is for env files only", exit_code=2)
    with opened() as store:
        found = store.connections.all()
    text = _exported(found, chosen, serialization or Serialization.URI)
    if file == "-":
        print(text)
        return
    write_private(Path(file), text)
    print(f"Connections successfully exported to {file}: {len(found)}", file=sys.stderr)


def _file_format(file: str, chosen: FileFormat | None) -> FileFormat:
    if chosen is not None:
        return chosen
    if file == "-":
        return FileFormat.JSON
    suffix = Path(file).suffix.lower().lstrip(".") or ("env" if file.endswith(".env") else "")
    if suffix not in list(FileFormat):
        raise CommandError(f"{file}: the file must end in .json, .yaml or .env, or --file-format must say what it is")
    return FileFormat(suffix)


def _exported(found: Iterable[Connection], chosen: FileFormat, serialization: Serialization) -> str:
    from gnomon.cli.connection_form import as_fields, to_uri

    if chosen is FileFormat.ENV:
        write = to_uri if serialization is Serialization.URI else lambda one: json.dumps(as_fields(one))
        return "\n".join(f"{one.conn_id}={write(one)}" for one in found)
    entries = {one.conn_id: as_fields(one) for one in found}
    if chosen is FileFormat.JSON:
        return json.dumps(entries, indent=2)
    import yaml

    return str(yaml.safe_dump(entries, sort_keys=False)).rstrip("\n")


def _details(connection: Connection, *, hide: bool = False) -> dict[str, Any]:
    from gnomon.cli.connection_form import to_uri

    extra: Any = {}
    if connection.extra:
        try:
            extra = json.loads(connection.extra)
        except ValueError:
            extra = {}
    uri = to_uri(connection)
    return {
        "id": None,
        "conn_id": connection.conn_id,
        "conn_type": connection.conn_type,
        "description": connection.description,
        "host": connection.host,
        "schema": connection.schema,
        "login": connection.login,
        "password": MASK if hide and connection.password else connection.password,
        "port": connection.port,
        "is_encrypted": None,
        "is_extra_encrypted": None,
        "extra_dejson": MASK if hide and extra else extra,
        "get_uri": _masked(uri) if hide else uri,
    }


def _masked(uri: str) -> str:
    head, separator, rest = uri.partition("://")
    who, at, place = rest.rpartition("@")
    shown = place.partition("?")[0]
    return f"{head}{separator}{f'{MASK}:{MASK}{at}' if who else ''}{shown}"


def _unknown(store: Store, conn_id: str) -> CommandError:
    known = [one.conn_id for one in store.connections.all()]
    return CommandError(f"there is no connection {conn_id!r}{did_you_mean(conn_id, known)}")
