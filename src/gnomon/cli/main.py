"""Where the programs `gnomon` (also called `astro`) and `airflow` begin."""

from __future__ import annotations

import os
import sys

#: Processes that are started often and by other programs. Without options they need no parser of options, which takes as
#: long to import as a third of what they do need.
_PLAIN = ("scheduler", "dag-processor", "triggerer")


def main() -> None:
    """Run `gnomon` or `astro`."""
    name = os.path.basename(sys.argv[0])
    _run(name if name == "astro" else "gnomon")


def airflow() -> None:
    """Run `airflow`."""
    _run("airflow")


def _run(program: str) -> None:
    try:
        _import_and_run(program)
    except KeyboardInterrupt:  # while modules are imported; later ones are seen to where something has to be ended
        sys.exit(130)


def _import_and_run(program: str) -> None:
    if len(sys.argv) == 2 and sys.argv[1] in _PLAIN:
        from gnomon.cli.parts import run_alone

        sys.exit(run_alone(sys.argv[1]))
    from gnomon.cli.programs import run

    run(program, sys.argv[1:])
