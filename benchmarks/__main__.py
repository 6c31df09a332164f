"""`make bench`: every workload on both databases, printed beside its target and the machine's floor.

python -m benchmarks [WORKLOAD …] [--database sqlite|postgresql] [--quick] [--output FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.product import Failed
from benchmarks.record import Figure, table
from gnomon.service import clock
from tests.fixtures.postgresql_server import PostgresUnavailable, running_postgresql

WORKLOADS = ("chain", "fan", "runs", "large", "parsing", "first", "new_file", "imports", "idle")
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print, write; the exit code says whether everything could be measured, not how well it did."""
    options = _options()
    results: dict[str, list[Figure]] = {}
    troubles: list[str] = []
    for kind in options.database:
        try:
            with _databases(kind) as new_url:
                bench = Bench(kind, new_url, scale=0.1 if options.quick else 1.0)
                results[kind] = _measure(bench, options.workloads, troubles)
        except PostgresUnavailable as reason:
            troubles.append(f"{kind}: {reason}")
        if kind in results:
            print(f"\n{kind}\n{table(results[kind])}\n", flush=True)
    _write(options.output, results, troubles, quick=options.quick)
    for trouble in troubles:
        print(f"not measured: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _measure(bench: Bench, names: list[str], troubles: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        print(f"{bench.kind}: {name} …", file=sys.stderr, flush=True)
        try:
            figures += importlib.import_module(f"benchmarks.workloads.{name}").measure(bench)
        except Failed as trouble:
            troubles.append(f"{name} on {bench.kind}: {trouble}")
    return figures


@contextlib.contextmanager
def _databases(kind: str) -> Iterator[Callable[[], str | None]]:
    """Yield what makes an empty database: PostgreSQL with fsync on, or nothing for SQLite."""
    if kind == "sqlite":
        yield lambda: None
        return
    with running_postgresql(durable=True) as server:
        yield lambda: server.url(server.create())


def _write(path: Path | None, results: dict[str, list[Figure]], troubles: list[str], *, quick: bool) -> None:
    now = clock.now()
    path = path or RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "at": now.isoformat(),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
        "quick": quick,
        "results": {
            kind: [{**dataclasses.asdict(figure), "met": figure.met} for figure in figures]
            for kind, figures in results.items()
        },
        "not_measured": troubles,
    }
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all if none is named"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    parser.add_argument("--quick", action="store_true", help="a tenth of the large workloads, to see that they work")
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    options = parser.parse_args()
    unknown = sorted(set(options.workloads) - set(WORKLOADS))
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    options.workloads = options.workloads or list(WORKLOADS)
    options.database = [options.database] if options.database else ["sqlite", "postgresql"]
    return options


if __name__ == "__main__":
    sys.exit(main())
