"""What `--help` of a command shows: what it does, its arguments and options, and examples.

Written here because Rich's help costs 60 ms of imports, as much as all the rest, and frames every line.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

#: Wider than this nobody reads.
_WIDEST = 100
#: The names of a page stand in a column of at most this width; longer ones get a line of their own.
_NAMES = 36


class Entry(NamedTuple):
    """A line of a page: a name, and what it is for."""

    name: str
    about: str


def write(
    formatter: Any, *, usage: str, about: str, sections: Iterable[tuple[str, Iterable[Entry | str]]], end: str = ""
) -> None:
    """Write a page into the formatter that Typer hands out.

    Args:
        formatter: of Typer.
        usage: the first line, without "Usage:".
        about: paragraphs.
        sections: titles, each with entries, or with lines that stay as they are; empty ones are left out.
        end: a last line.
    """
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    strong, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    formatter.write(f"Usage: {strong}{usage}{plain}\n")
    for paragraph in about.split("\n\n"):
        if words := " ".join(paragraph.split()):
            formatter.write("\n" + textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False) + "\n")
    for title, found in sections:
        if lines := list(found):
            formatter.write(f"\n{strong}{title}{plain}\n{_column(lines, width)}\n")
    if end:
        formatter.write(f"\n{end}\n")


def _column(lines: list[Entry | str], width: int) -> str:
    column = max((len(line.name) for line in lines if isinstance(line, Entry) and len(line.name) <= _NAMES), default=0)
    shown = []
    for line in lines:
        if isinstance(line, str):
            shown.append(f"  {line}")
            continue
        indent = " " * (column + 4)
        about = textwrap.wrap(line.about, max(width - len(indent), 20), break_on_hyphens=False)
        if len(line.name) > column:
            shown += [f"  {line.name}", *(indent + part for part in about)]
        else:
            first, *others = about or [""]
            shown += [f"  {line.name:<{column}}  {first}".rstrip(), *(indent + part for part in others)]
    return "\n".join(shown)


def write_command(command: Any, context: Any, formatter: Any, *, examples: Iterable[str] = ()) -> None:
    """Write the page of a command."""
    shown = [param for param in command.get_params(context) if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    usage = " ".join([context.command_path, "[OPTIONS]", *(_in_usage(param) for param in arguments)])
    usage += " [ARGUMENTS]…" if context.allow_extra_args else ""
    write(
        formatter,
        usage=usage,
        about=command.help or "",
        sections=[
            ("Arguments", [Entry(argument_name(param), _about(param, context)) for param in arguments]),
            ("Options", [Entry(_option_name(param, context), _about(param, context)) for param in options]),
            ("Examples", examples),
        ],
    )


def write_group(group: Any, context: Any, formatter: Any) -> None:
    """Write the page of a group of commands: a line for each."""
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    entries = [Entry(name, first_sentence(command.help or "")) for name, command in found if not command.hidden]
    path = context.command_path
    write(
        formatter,
        usage=f"{path} COMMAND …",
        about=group.help or "",
        sections=[("Commands", entries)],
        end=f"{path} COMMAND --help says more.",
    )


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text, without its full stop."""
    words = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return re.split(r"(?<=[^.])\.(?: |$)", words, maxsplit=1)[0]


def argument_name(param: Any) -> str:
    """Return what an argument is called in a page and in errors: its name in capitals."""
    return str(param.metavar or param.name).strip("[]").upper()


def _in_usage(param: Any) -> str:
    name = argument_name(param) + ("…" if param.nargs != 1 else "")
    return name if param.required else f"[{name}]"


def _option_name(param: Any, context: Any) -> str:
    names = sorted(param.opts, key=lambda name: name.startswith("--"))
    shown = ", ".join(names) + "".join(f", {name}" for name in param.secondary_opts)
    if param.is_flag:
        return shown
    # What Typer says about its type is of use where it is a choice, such as <table|json>.
    record = param.get_help_record(context)[0].rpartition(" ")[2]
    if "|" in record:
        return f"{shown} {record.strip('<>[]{}')}"
    long = next((name for name in param.opts if name.startswith("--")), names[-1])
    return f"{shown} {param.metavar or long.lstrip('-').replace('-', '_').upper()}"


def _about(param: Any, context: Any) -> str:
    record = param.get_help_record(context)
    about = (record[1] if record else "").replace("  [required]", "")
    return re.sub(r" *\[default: \(?(.*?)\)?\]$", r" (default: \1)", about)
