"""`airflow cheat-sheet`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gnomon.cli.lazy import single
from gnomon.cli.output import Verbose

command = single()


@command.command()
def cheat_sheet(verbose: Verbose = False) -> None:
    """List all commands, each with one line."""
    from gnomon.cli.programs import AIRFLOW

    alone = [(f"airflow {name}", entry.help) for name, entry in AIRFLOW.items() if not entry.hidden]
    lines = [line for name, entry in AIRFLOW.items() if not entry.hidden for line in _commands(name, entry)]
    grouped = {line[0].rpartition(" ")[0] for line in lines}
    lines += [line for line in alone if line[0] not in grouped]
    width = max(len(name) for name, _ in lines) + 2
    for name, about in sorted(lines):
        print(f"{name:<{width}}{about}")


def _commands(name: str, entry: Any) -> Iterator[tuple[str, str]]:
    """Yield (words, help) of the commands of a group; nothing for what is a command itself."""
    from gnomon.cli.lazy import load

    for inner, command in getattr(load(name, entry), "commands", {}).items():
        if not command.hidden:
            yield f"airflow {name} {inner}", (command.help or "").split("\n")[0].rstrip(".")
