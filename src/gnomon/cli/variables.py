"""`airflow variables`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import MASK, Format, Output, Verbose

app = application("Manage variables.")


class OnExisting(StrEnum):
    """What an import does with a key that is there."""

    OVERWRITE = "overwrite"
    FAIL = "fail"
    SKIP = "skip"


@app.command("list")
def list_variables(
    output_format: Output = Format.TABLE,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show values too.")] = False,
    hide_sensitive: Annotated[bool, typer.Option("--hide-sensitive", help="With --show-values: mask them.")] = False,
    verbose: Verbose = False,
) -> None:
    """List variables; without --show-values their keys only."""
    if hide_sensitive and not show_values:
        raise CommandError("--hide-sensitive can only be used with --show-values", exit_code=2)
    with opened() as store:
        if not show_values:
            output.rows([{"key": key} for key in store.variables.keys(limit=1_000_000)], output_format)
            return
        found = store.variables.all()
    output.rows([{"key": one.key, "val": MASK if hide_sensitive else one.value} for one in found], output_format)


@app.command("get")
def get(
    key: Annotated[str, typer.Argument(help="Variable key.")],
    as_json: Annotated[bool, typer.Option("-j", "--json", help="Deserialize JSON.")] = False,
    default: Annotated[str | None, typer.Option("-d", "--default", help="Printed if there is none.")] = None,
    verbose: Verbose = False,
) -> None:
    """Print the value of a variable, from AIRFLOW_VAR_<KEY> or the database."""
    import os

    value = None
    with opened() as store:
        value = os.environ.get(f"AIRFLOW_VAR_{key.upper()}")
        if value is None and (found := store.variables.get(key)) is not None:
            value = found.value
        if value is None and default is None:
            raise CommandError(f"there is no variable {key!r}{did_you_mean(key, store.variables.keys(limit=10_000))}")
    if value is None:
        print(default)
        return
    print(output.read_json(value, f"the value of {key}") if as_json else value)


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_variable(
    key: Annotated[str, typer.Argument(help="Variable key.")],
    value: Annotated[str, typer.Argument(help="Variable value.")],
    description: Annotated[str | None, typer.Option("--description", help="Description.")] = None,
    as_json: Annotated[bool, typer.Option("-j", "--json", help="Serialize the value to JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Create or replace a variable."""
    with opened() as store:
        store.variables.set(key, json.dumps(value, indent=2) if as_json else value, description)
    print(f"Variable {key} created")


@app.command("delete")
def delete(key: Annotated[str, typer.Argument(help="Variable key.")], verbose: Verbose = False) -> None:
    """Delete a variable."""
    with opened() as store:
        if not store.variables.delete(key):
            raise CommandError(f"there is no variable {key!r}{did_you_mean(key, store.variables.keys(limit=10_000))}")
    print(f"Variable {key} deleted")


@app.command("import")
def import_variables(
    file: Annotated[Path, typer.Argument(help="A .json, .yaml, .yml or .env file.")],
    on_existing: Annotated[
        OnExisting, typer.Option("-a", "--action-on-existing-key", help="What to do with a key that is there.")
    ] = OnExisting.OVERWRITE,
    verbose: Verbose = False,
) -> None:
    """Import variables from a file; all of them, or none."""
    from gnomon.cli.object_files import load_mapping
    from gnomon.store.records import Variable

    entries = []
    for key, given in load_mapping(file).items():
        described = isinstance(given, dict) and "value" in given
        value, description = (given["value"], given.get("description")) if described else (given, None)
        entries.append(Variable(key, value if isinstance(value, str) else json.dumps(value), description=description))
    with opened() as store:
        done = store.variables.import_many(entries, on_existing.value)
    count = len(done.created) + len(done.updated)
    print(f"{count} of {len(entries)} variables successfully updated.")
    if done.skipped:
        print(f"Left as they were, because they exist: {', '.join(sorted(done.skipped))}")


@app.command("export")
def export(
    file: Annotated[str, typer.Argument(help="The file to write; - for standard output.")], verbose: Verbose = False
) -> None:
    """Export all variables to a JSON file, in the form that import reads."""
    with opened() as store:
        found = store.variables.all()
    exported = {one.key: exportable(one.value, one.description) for one in found}
    text = json.dumps(exported, sort_keys=True, indent=4)
    if file == "-":
        print(text)
        return
    write_private(Path(file), text)
    print(f"{len(exported)} variables exported to {file}", file=sys.stderr)


def exportable(value: str, description: str | None) -> Any:
    """Return a value so that importing it gives the same one back; JSON is written out, as Airflow does."""
    try:
        decoded = json.loads(value)
    except ValueError:
        decoded = value
    if isinstance(decoded, str):
        decoded = value  # "text" in quotes would lose them
    wrapped = isinstance(decoded, dict) and "value" in decoded
    return {"value": decoded, "description": description} if description or wrapped else decoded


def write_private(path: Path, text: str) -> None:
    """Write a file that holds secrets: readable by its owner only, and never half written."""
    import os
    import tempfile

    folder = path.parent if str(path.parent) else Path(".")
    if not folder.is_dir():
        raise CommandError(f"{folder} does not exist")
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(temporary, path)
