"""`airflow providers`: what is installed, read from the packages' own metadata."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Annotated, Any, NamedTuple

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.output import Format, Output, Verbose

app = application("Show the provider packages that are installed.")

_GROUP = "apache_airflow_provider"


class Provider(NamedTuple):
    """A provider package."""

    name: str
    description: str
    version: str
    entry_points: list[metadata.EntryPoint]


def installed() -> list[Provider]:
    """Return the provider packages of this environment, and the standard provider, which is a part of Gnomon."""
    import gnomon

    found = {
        "apache-airflow-providers-standard": Provider(
            "apache-airflow-providers-standard",
            "Airflow's standard operators and sensors, built into Gnomon",
            f"gnomon {gnomon.__version__}",
            [],
        )
    }
    for distribution in metadata.distributions():
        entries = [entry for entry in distribution.entry_points if entry.group == _GROUP]
        name = distribution.metadata["Name"]
        if entries and name:
            summary = distribution.metadata["Summary"] or ""
            found[name] = Provider(name, summary, distribution.version, entries)
    return [found[name] for name in sorted(found)]


def details(provider: Provider) -> dict[str, Any]:
    """Return what a provider says about itself: hooks, connection types, links …; it is asked in a child process."""
    import json
    import os
    import subprocess
    import sys

    from gnomon.service.environment import for_user_code

    merged: dict[str, Any] = {}
    for entry in provider.entry_points:
        ask = (
            "import importlib, json, sys\n"
            "module, name = sys.argv[1].split(':')\n"
            "print(json.dumps(getattr(importlib.import_module(module), name)(), default=str))"
        )
        done = subprocess.run(
            [sys.executable, "-c", ask, entry.value],
            env=for_user_code(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise CommandError(f"provider {provider.name} cannot be asked about itself: {why}")
        merged.update(json.loads(done.stdout.splitlines()[-1]))
    return merged


@app.command("list")
def list_providers(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the installed providers."""
    rows = [{"package_name": one.name, "description": one.description, "version": one.version} for one in installed()]
    output.rows(rows, output_format)


@app.command("get")
def get(
    provider_name: Annotated[str, typer.Argument(help="Name of the package.")],
    full: Annotated[bool, typer.Option("-f", "--full", help="Everything that it says about itself.")] = False,
    output_format: Output = Format.TABLE,
    color: Annotated[str, typer.Option("--color", hidden=True)] = "auto",
    verbose: Verbose = False,
) -> None:
    """Show one provider."""
    known = {one.name: one for one in installed()}
    provider = known.get(provider_name)
    if provider is None:
        raise CommandError(f"no provider {provider_name!r} is installed{did_you_mean(provider_name, known)}")
    row: dict[str, Any] = {"Provider": provider.name, "Version": provider.version}
    if full:
        row |= {"description": provider.description, **details(provider)}
    output.rows([row], output_format)


@app.command("hooks")
def hooks(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the hooks of connection types."""
    rows = []
    for provider, entry in _each("connection-types"):
        rows.append(
            {
                "connection_type": entry.get("connection-type"),
                "class": entry.get("hook-class-name"),
                "conn_id_attribute_name": None,
                "package_name": provider.name,
                "hook_name": entry.get("hook-name"),
            }
        )
    output.rows(rows, output_format)


@app.command("links")
def links(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the extra links that providers add."""
    output.rows([{"extra_link_class_name": entry} for _, entry in _each("extra-links")], output_format)


@app.command("notifications")
def notifications(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the notifiers of providers."""
    output.rows([{"notification_class_name": entry} for _, entry in _each("notifications")], output_format)


@app.command("secrets")
def secrets(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the secrets backends of providers."""
    output.rows([{"secrets_backend_class_name": entry} for _, entry in _each("secrets-backends")], output_format)


@app.command("logging")
def logging(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the task log handlers of providers."""
    output.rows([{"logging_class_name": entry} for _, entry in _each("logging")], output_format)


@app.command("executors")
def executors(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the executors of providers."""
    output.rows([{"executor_class_names": entry} for _, entry in _each("executors")], output_format)


@app.command("triggers")
def triggers(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the modules of triggers that providers have."""
    rows = []
    for provider, entry in _each("triggers"):
        rows += [
            {"package_name": provider.name, "class": module, "integration_name": entry.get("integration-name")}
            for module in entry.get("python-modules", [])
        ]
    output.rows(rows, output_format)


def _each(key: str) -> Iterator[tuple[Provider, Any]]:
    for provider in installed():
        for entry in details(provider).get(key, []):
            yield provider, entry
