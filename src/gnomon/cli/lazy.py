"""Command groups whose commands are imported only when they run, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from gnomon.cli import help_page
from gnomon.cli.errors import CommandError, did_you_mean

#: Every command answers to -h as well; it is what `airflow` users type.
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


class Lazy(NamedTuple):
    """Where a command lives, and the line that a list of commands shows for it."""

    where: str  # "module:attribute"; the attribute is a Typer application or a command
    help: str
    panel: str | None = None
    hidden: bool = False


class LazyGroup(TyperGroup):
    """A group over a table of `Lazy` commands."""

    def __init__(self, *, table: dict[str, Lazy], fallback: dict[str, Lazy] | None = None, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._table = table
        #: commands of another program that are understood here, but not listed
        self._fallback = fallback or {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if (loaded := self.commands.get(cmd_name)) is not None:
            return loaded
        if (entry := self._table.get(cmd_name)) is None:
            return None
        return TyperCommand(
            name=cmd_name, help=entry.help, short_help=entry.help, hidden=entry.hidden, rich_help_panel=entry.panel
        )

    def format_help(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[help_page.Entry | str]] = {}
        for name, entry in self._table.items():
            if not entry.hidden:
                panels.setdefault(entry.panel or "Commands", []).append(help_page.Entry(name, entry.help))
        path = ctx.command_path
        help_page.write(
            formatter,
            usage=f"{path} COMMAND …",
            about=self.help or "",
            sections=panels.items(),
            end=f"{path} COMMAND --help says more.",
        )

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        return super().parse_args(ctx, args or ["--help"])

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # As a shell expects it of a program that Ctrl-C has ended.
            sys.exit(130)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        entry = self._table.get(name) or self._fallback.get(name)
        check_command(ctx, name, self._table, also=self._fallback)
        if entry is not None and name not in self.commands:
            self.commands[name] = load(name, entry)
        return super().resolve_command(ctx, args)


def load(name: str, entry: Lazy) -> Any:
    """Import a command and return it under `name`."""
    module, _, attribute = entry.where.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    command = typer.main.get_command(found) if isinstance(found, typer.Typer) else found
    command.name = name
    return command


class Command(TyperCommand):
    """A command with a help page of our own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from gnomon.cli.examples import examples_of

        help_page.write_command(self, ctx, formatter, examples=examples_of(ctx.command_path))


class Group(TyperGroup):
    """A group of commands with a help page of our own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        help_page.write_group(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if not args:
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        check_command(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def check_command(context: Any, name: str, known: Iterable[str], also: Iterable[str] = ()) -> None:
    """Do nothing if a group has the command, or if it is an option.

    Raises:
        CommandError: it has not; close names are suggested.
    """
    names = [*known, *also]
    if name in names or name.startswith("-"):
        return
    where = context.command_path
    raise CommandError(
        f"{where} has no command {name!r}{did_you_mean(name, names)}",
        exit_code=2,
        hint=f"{where} --help lists the commands",
    )


class Application(typer.Typer):
    """A Typer application whose commands are `Command`s."""

    def command(self, name: str | None = None, **settings: Any) -> Any:
        return super().command(name, **{"cls": Command, **settings})


def single() -> typer.Typer:
    """Return an application for one command."""
    return Application(add_completion=False, pretty_exceptions_enable=False, context_settings=dict(CONTEXT))


def application(about: str) -> typer.Typer:
    """Return an application for a group of commands."""
    return Application(
        cls=Group,
        help=about,
        context_settings=dict(CONTEXT),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
