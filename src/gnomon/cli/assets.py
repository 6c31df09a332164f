"""`airflow assets`."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application
from gnomon.cli.opening import opened
from gnomon.cli.output import Format, Output, Verbose
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.engine import Store

app = application("Manage assets.")

_Alias = Annotated[bool, typer.Option("--alias", help="An asset alias, not an asset.")]
_Name = Annotated[str | None, typer.Option("--name", help="Asset name.")]
_Uri = Annotated[str | None, typer.Option("--uri", help="Asset URI.")]
_COLUMNS = ("name", "uri", "group", "extra")


@app.command("list")
def list_assets(
    alias: Annotated[bool, typer.Option("--alias", help="Show asset aliases.")] = False,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Fields to show, separated by commas: name, uri, group, extra …")
    ] = None,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """List assets."""
    from gnomon.store.reads import assets as reads
    from gnomon.store.reads.listing import Query, fetch

    whole = Query(values={"only_active": False}, order_by=["name"], limit=1_000_000)
    with opened() as store, store.database.snapshot() as conn:
        page = fetch(conn, reads.ALIASES, whole) if alias else reads.assets(conn, whole)
    wanted = columns.split(",") if columns else ["name", "group"] if alias else list(_COLUMNS)
    known = set(page.rows[0]) if page.rows else set(wanted)
    if unknown := [name for name in wanted if name not in known]:
        raise CommandError(f"--columns: there is no field {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    output.rows([{name: row[name] for name in wanted} for row in page.rows], output_format)


@app.command("details")
def details(
    alias: _Alias = False,
    name: _Name = None,
    uri: _Uri = None,
    output_format: Output = Format.TABLE,
    verbose: Verbose = False,
) -> None:
    """Show asset details."""
    with opened() as store:
        row = _alias(store, name, uri) if alias else _asset(store, name, uri)
    if output_format in (Format.TABLE, Format.PLAIN):
        output.rows([{"property_name": key, "property_value": value} for key, value in row.items()], output_format)
    else:
        output.rows([row], output_format)


@app.command("materialize")
def materialize(
    name: _Name = None, uri: _Uri = None, output_format: Output = Format.TABLE, verbose: Verbose = False
) -> None:
    """Run the DAG that makes an asset."""
    from gnomon.api.triggering import TriggerRequest, trigger_run
    from gnomon.model.states import DagRunType
    from gnomon.store.reads import runs
    from gnomon.store.reads.versions import VersionCache

    with opened() as store:
        what = _said(name, uri)
        producers = store.assets.producers([asset["id"] for asset in store.assets.find(name=name, uri=uri)])
        if not producers:
            raise CommandError(f"Asset with {what} does not exist, or no DAG makes it.")
        if len(producers) > 1:
            raise CommandError(f"More than one DAG materializes asset with {what}: {', '.join(producers)}.")
        request = TriggerRequest(
            dag_id=producers[0],
            now=clock.now(),
            run_type=DagRunType.ASSET_MATERIALIZATION,
            triggered_by="cli",
            user=getpass.getuser(),
            infer_from_logical_date=False,
        )
        run = trigger_run(store, VersionCache(), request)
        with store.database.snapshot() as conn:
            row = runs.one(conn, run.dag_id, run.run_id) or {}
    for hidden in ("id", "version_id", "dag_versions"):
        row.pop(hidden, None)
    output.rows([row], output_format)


def _asset(store: Store, name: str | None, uri: str | None) -> dict[str, Any]:
    from gnomon.store.reads import assets as reads

    what = _said(name, uri)
    found = store.assets.find(name=name, uri=uri)
    if not found:
        raise CommandError(f"Asset with {what} does not exist.")
    if len(found) > 1:
        raise CommandError(f"More than one asset exists with {what}.")
    with store.database.snapshot() as conn:
        row = reads.one_asset(conn, found[0]["id"]) or {}
    return {key: value for key, value in row.items() if key != "is_active"}


def _alias(store: Store, name: str | None, uri: str | None) -> dict[str, Any]:
    from gnomon.store.reads import assets as reads
    from gnomon.store.reads.listing import Query, fetch

    if not name:
        raise CommandError("--alias needs --name", exit_code=2)
    if uri:
        raise CommandError("an alias has no URI: leave --uri out", exit_code=2)
    with store.database.snapshot() as conn:
        found = fetch(conn, reads.ALIASES, Query(limit=1), reads.alias.name == name).rows
    if not found:
        raise CommandError(f"Asset alias with name {name} does not exist.")
    return found[0]


def _said(name: str | None, uri: str | None) -> str:
    if not name and not uri:
        raise CommandError("--name or --uri is needed", exit_code=2)
    return " and ".join([f"name {name}"] * bool(name) + [f"URI {uri}"] * bool(uri))
