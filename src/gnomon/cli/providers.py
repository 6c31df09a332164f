"""`airflow providers`: what is installed, and what it brings.

Provider packages are user code: a child process imports them and says what it found.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.output import Format, Output, Verbose

app = application("Show the provider packages that are installed.")


def ask(question: str, about: Any = None) -> Any:
    """Return what the project's user code answers; see `gnomon.parsing.inspection`."""
    from gnomon.cli.project import activate
    from gnomon.service.inspection import inspect

    activate()
    return inspect(question, about)


@app.command("list")
def list_providers(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the installed providers."""
    columns = ("package_name", "description", "version")
    output.rows([{name: one[name] for name in columns} for one in ask("providers")], output_format)


@app.command("get")
def get(
    provider_name: Annotated[str, typer.Argument(help="Name of the package.")],
    full: Annotated[bool, typer.Option("-f", "--full", help="Everything that it says about itself.")] = False,
    output_format: Output = Format.TABLE,
    color: Annotated[str, typer.Option("--color", hidden=True)] = "auto",
    verbose: Verbose = False,
) -> None:
    """Show one provider."""
    known = {one["package_name"]: one for one in ask("providers", provider_name)}
    provider = known.get(provider_name)
    if provider is None:
        raise CommandError(f"no provider {provider_name!r} is installed{did_you_mean(provider_name, known)}")
    brief = {"Provider": provider_name, "Version": provider["version"]}
    output.rows([provider["info"] if full else brief], output_format)


def _lists(question: str, about: str, *, hidden: bool = False) -> None:
    """Add a command that lists the answer to a question."""

    def command(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
        output.rows(ask(question), output_format)

    command.__doc__ = about
    app.command(question, hidden=hidden)(command)


_lists("hooks", "List the hooks of connection types.")
_lists("links", "List the extra links that providers add.")
_lists("widgets", "List the further fields in the forms of connection types.")
_lists("behaviours", "List the connection types that hide, rename or explain fields of their form.")
_lists("triggers", "List the modules of triggers that providers have.")
_lists("notifications", "List the notifiers of providers.")
_lists("secrets", "List the secrets backends of providers.")
_lists("logging", "List the task log handlers of providers.")
_lists("executors", "List the executors of providers.")
_lists("queues", "List the message queues of providers.")
_lists("auth-managers", "List the auth managers of providers.")
_lists("dialects", "List the dialects of SQL that providers know.")
_lists("configs", "List the sections of settings that providers add.")
_lists("auth", "List the modules that check logins to the API of Airflow 2.", hidden=True)


@app.command("lazy-loaded")
def lazy_loaded(verbose: Verbose = False) -> None:
    """Check that a command does not import providers before it needs them."""
    import sys

    early = sorted(name for name in sys.modules if name.startswith("airflow.providers."))
    if early:
        raise CommandError(f"{', '.join(early)} was imported while the command line was read")
    print("All ok. Providers Manager was not initialized during the CLI parsing.")
