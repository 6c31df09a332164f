"""Command groups whose commands are imported only when they run, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

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
        # Written here because Rich's help costs 60 ms of imports, as much as all the rest.
        strong, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
        width = max(map(len, self._table)) + 2
        panels: dict[str, list[str]] = {}
        for name, entry in self._table.items():
            if not entry.hidden:
                panels.setdefault(entry.panel or "Commands", []).append(f"  {name:<{width}}{entry.help}")
        formatter.write(f"Usage: {strong}{ctx.command_path}{plain} COMMAND …\n\n{self.help}\n")
        for panel, lines in panels.items():
            formatter.write(f"\n{strong}{panel}{plain}\n" + "\n".join(lines) + "\n")
        formatter.write(f"\n{ctx.command_path} COMMAND --help says more.\n")

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
        if entry is None and not name.startswith("-"):
            where = ctx.command_path
            raise CommandError(
                f"{where} has no command {name!r}{did_you_mean(name, [*self._table, *self._fallback])}",
                exit_code=2,
                hint=f"{where} --help lists the commands",
            )
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


def application(about: str) -> typer.Typer:
    """Return an empty Typer application with the settings that all of ours share."""
    return typer.Typer(
        help=about,
        context_settings=dict(CONTEXT),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
