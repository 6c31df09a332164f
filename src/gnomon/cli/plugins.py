"""`airflow plugins`."""

from __future__ import annotations

import sys
from typing import Any

from gnomon.cli import output
from gnomon.cli.lazy import single
from gnomon.cli.output import Format, Output, Verbose

app = single()


@app.command()
def plugins(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the plugins and what each of them adds; those that cannot be loaded are named on standard error."""
    from gnomon.cli.providers import ask

    found = ask("plugins")
    for one in found["errors"]:
        print(f"Error: the plugin {one['source']} cannot be loaded: {one['error']}", file=sys.stderr)
    shown = [{name: value for name, value in one.items() if value or name == "name"} for one in found["plugins"]]
    if output_format in (Format.TABLE, Format.PLAIN):
        names = dict.fromkeys(name for one in shown for name in one)
        shown = [{name: _text(one.get(name)) for name in names} for one in shown]
    output.rows(shown, output_format, empty="No plugins loaded")


def _text(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return ", ".join(str(item.get("name") or item) if isinstance(item, dict) else str(item) for item in value)
