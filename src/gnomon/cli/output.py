"""Printing rows as a table, JSON, YAML or plain columns, with the shapes that `airflow -o …` has."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from gnomon.cli.errors import CommandError


class Format(StrEnum):
    """What `-o` may be."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    PLAIN = "plain"


#: The `-o/--output` option of every command that lists something.
Output = Annotated[Format, typer.Option("-o", "--output", help="Output format.", show_default=True)]

#: Accepted for compatibility; what it would add is already on standard error when it matters.
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Make logging output more verbose.")]

#: Secrets are replaced by this, as Airflow does.
MASK = "***"


def as_text(value: Any, *, flat: bool) -> Any:
    """Return a value as `airflow -o` prints it: text, except None, and lists and mappings where there is room.

    Airflow prints every number and bool as text, even in JSON; scripts that read its output rely on it.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping) and not flat:
        return {str(key): as_text(item, flat=flat) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [as_text(item, flat=flat) for item in value]
        return ",".join(str(part) for part in parts) if flat else parts
    return str(value)


def rows(data: Iterable[Mapping[str, Any]], output: Format | str, *, empty: str = "No data found") -> None:
    """Print rows in the format asked for; JSON and YAML print an empty list where the others print `empty`."""
    flat = output in (Format.TABLE, Format.PLAIN)
    lines = [{key: as_text(value, flat=flat) for key, value in row.items()} for row in data]
    if output == Format.JSON:
        print(json.dumps(lines, ensure_ascii=False))
    elif output == Format.YAML:
        import yaml

        print(yaml.safe_dump(lines, sort_keys=False, allow_unicode=True), end="")
    elif not lines:
        print(empty)
    elif output == Format.PLAIN:
        _print_plain(lines)
    else:
        _print_table(lines)


def _print_plain(lines: Sequence[Mapping[str, Any]]) -> None:
    table = [list(lines[0]), *[["" if cell is None else str(cell) for cell in row.values()] for row in lines]]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_table(lines: Sequence[Mapping[str, Any]]) -> None:
    from rich.box import ASCII_DOUBLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Piped output is not cut at the width of a terminal that nobody looks at.
    console = Console(width=None if sys.stdout.isatty() else 200)
    table = Table(box=ASCII_DOUBLE_HEAD, show_edge=False, pad_edge=False)
    for column in lines[0]:
        table.add_column(column, overflow="fold")
    for row in lines:
        table.add_row(
            *(Text("" if cell is None else str(cell), style=style(column, cell)) for column, cell in row.items())
        )
    console.print(table)


#: Colours of states, on all our screens the same.
STATE_STYLES = {
    "success": "green",
    "running": "bright_cyan",
    "failed": "red",
    "upstream_failed": "dark_orange",
    "up_for_retry": "yellow",
    "up_for_reschedule": "turquoise2",
    "deferred": "medium_purple",
    "awaiting_input": "medium_purple",
    "skipped": "magenta",
    "queued": "grey62",
    "scheduled": "tan",
    "restarting": "violet",
    "removed": "grey50",
}


def style(column: str, cell: Any) -> str:
    """Return the Rich style of a table cell."""
    return STATE_STYLES.get(str(cell), "") if column == "state" else ""


def read_json(text: str, option: str) -> Any:
    """Return JSON given on the command line.

    Raises:
        CommandError: it is not JSON; the message names the option and the place.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CommandError(
            f"{option} is not JSON: {error.msg} at character {error.pos + 1} of {text!r}", exit_code=2
        ) from None


def note(message: str) -> None:
    """Print something that is not the answer: to standard error, so that pipes stay clean."""
    print(message, file=sys.stderr, flush=True)
