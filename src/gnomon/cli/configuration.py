"""`airflow config`."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli import config_migration
from gnomon.cli.errors import CommandError, did_you_mean
from gnomon.cli.lazy import application
from gnomon.cli.output import MASK, Verbose, note
from gnomon.cli.project import activate

app = application("Show settings.")

_HIDDEN = "< hidden >"


@app.command("get-value")
def get_value(
    section: Annotated[str, typer.Argument(help="Section.")],
    option: Annotated[str, typer.Argument(help="Option.")],
    verbose: Verbose = False,
) -> None:
    """Print the value of a setting."""
    activate()
    from gnomon.service.config import conf

    found = conf.lookup(section, option)
    if found is None:
        sections = conf.sections()
        if section.lower() not in sections:
            raise CommandError(f"there is no section [{section}]{did_you_mean(section, sections)}")
        known = [key for name, key, _ in conf.items() if name == section.lower()]
        raise CommandError(f"[{section}] {option} is not set{did_you_mean(option, known)}")
    print(found.value)


@app.command("list")
def list_settings(
    section: Annotated[str | None, typer.Option("--section", help="Only this section.")] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show values too.")] = False,
    hide_sensitive: Annotated[bool, typer.Option("--hide-sensitive", help="With --show-values: mask secrets.")] = False,
    sources: Annotated[bool, typer.Option("-s", "--include-sources", help="Say where each is set.")] = False,
    env_vars: Annotated[bool, typer.Option("-V", "--include-env-vars", help="Name the environment variables.")] = False,
    comment_out: Annotated[
        bool, typer.Option("-c", "--comment-out-everything", help="As comments, what is set too.")
    ] = False,
    exclude_providers: Annotated[
        bool, typer.Option("-p", "--exclude-providers", help="Without the sections of providers.")
    ] = False,
    defaults: Annotated[bool, typer.Option("-a", "--defaults", help="The defaults, whatever is set.")] = False,
    descriptions: Annotated[bool, typer.Option("-d", "--include-descriptions", hidden=True)] = False,
    examples: Annotated[bool, typer.Option("-e", "--include-examples", hidden=True)] = False,
    color: Annotated[str, typer.Option("--color", hidden=True)] = "auto",
    verbose: Verbose = False,
) -> None:
    """List settings, in the form of airflow.cfg; those that are not set are comments with their defaults."""
    if hide_sensitive and not show_values:
        raise CommandError("--hide-sensitive can only be used with --show-values", exit_code=2)
    activate()
    from gnomon.service.config import SENSITIVE, conf, variable_name

    if section is not None and section.lower() not in conf.sections():
        raise CommandError(f"there is no section [{section}]{did_you_mean(section, conf.sections())}")
    if descriptions or examples:
        note("Options have no descriptions and examples here; Airflow's documentation has them.")
    if not show_values:
        note("Values are hidden; --show-values shows them, secrets too.")
    shown = None
    for name, key, setting in conf.items():
        if (section is not None and name != section.lower()) or (exclude_providers and conf.is_of_providers(name)):
            continue
        value = conf.default(name, key) if defaults else setting.value
        if value is None:
            continue
        if name != shown:
            print(f"{'' if shown is None else chr(10)}[{name}]")
            shown = name
        if sources and not defaults:
            print(f"# Source: {setting.source}")
        if env_vars or defaults:
            print(f"# Variable: {variable_name(name, key)}")
        value = MASK if hide_sensitive and (name, key) in SENSITIVE else value.replace("\n", "\n\t")
        mark = "# " if defaults or comment_out or setting.source == conf.DEFAULT else ""
        print(f"{mark}{key} = {value if show_values else _HIDDEN}")


app.command("lint")(config_migration.lint)
app.command("update")(config_migration.update)
