"""`airflow pools`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import Format, Output, Verbose
from gnomon.cli.replaced import TEAMS

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Pool

app = application("Manage pools.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Pool name.")]


@app.command("list")
def list_pools(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List pools."""
    with opened() as store:
        _show(store.pools.all(), output_format)


@app.command("get")
def get(pool: _Name, output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """Show a pool."""
    with opened() as store:
        found = store.pools.get(pool)
        if found is None:
            raise _unknown(store, pool)
    _show([found], output_format)


@app.command("set", context_settings={"ignore_unknown_options": True})
def set_pool(
    pool: _Name,
    slots: Annotated[int, typer.Argument(help="Number of slots; -1 for no limit.")],
    description: Annotated[str, typer.Argument(help="Description.")],
    include_deferred: Annotated[
        bool, typer.Option("--include-deferred", help="Deferred tasks take slots as well.")
    ] = False,
    team_name: Annotated[str | None, typer.Option("--team-name", hidden=True)] = None,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Create or change a pool."""
    if team_name is not None:
        raise CommandError(f"--team-name: {TEAMS}", exit_code=2)
    with opened() as store:
        store.pools.set(pool, slots, description, include_deferred)
    print(f"Pool {pool} created")


@app.command("delete")
def delete(pool: _Name, output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """Delete a pool."""
    with opened() as store:
        if not store.pools.delete(pool):
            raise _unknown(store, pool)
    print(f"Pool {pool} deleted")


@app.command("import")
def import_pools(
    file: Annotated[Path, typer.Argument(metavar="FILEPATH", help="A JSON file.")], verbose: Verbose = False
) -> None:
    """Import pools from a JSON file, such as {"p": {"slots": 5, "description": "", "include_deferred": false}}."""
    from gnomon.cli.object_files import load_mapping
    from gnomon.store.records import Pool

    pools = []
    for name, entry in load_mapping(file).items():
        if not isinstance(entry, dict) or "slots" not in entry or "description" not in entry:
            raise CommandError(f"{file}: pool {name!r} needs slots and a description")
        if not isinstance(entry["slots"], int) or isinstance(entry["slots"], bool):
            raise CommandError(f"{file}: the slots of pool {name!r} must be a whole number, got {entry['slots']!r}")
        pools.append(Pool(name, entry["slots"], entry["description"], bool(entry.get("include_deferred", False))))
    with opened() as store:
        store.pools.import_many(pools)
    print(f"Uploaded {len(pools)} pool(s)")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILEPATH", help="The file to write.")], verbose: Verbose = False
) -> None:
    """Export all pools to a JSON file."""
    with opened() as store:
        found = store.pools.all()
    entries = {
        pool.name: {
            "slots": pool.slots,
            "description": pool.description or "",
            "include_deferred": pool.include_deferred,
        }
        for pool in found
    }
    file.write_text(json.dumps(entries, sort_keys=True, indent=4) + "\n", encoding="utf-8")
    print(f"Exported {len(entries)} pools to {file}")


def _show(pools: Iterable[Pool], output_format: Format) -> None:
    found: list[dict[str, Any]] = [
        {
            "pool": pool.name,
            "slots": pool.slots,
            "description": pool.description,
            "include_deferred": pool.include_deferred,
            "team_name": None,
        }
        for pool in pools
    ]
    output.rows(found, output_format)


def _unknown(store: Store, name: str) -> CommandError:
    return CommandError(f"there is no pool {name!r}{did_you_mean(name, [pool.name for pool in store.pools.all()])}")
