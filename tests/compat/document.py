"""Writes docs/compatibility.md from what the parts of `make compat` recorded: `python -m tests.compat.document`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.compat.results import FOLDER, Results

TARGET = Path(__file__).parents[2] / "docs" / "compatibility.md"

_INTRODUCTION = """\
# Compatibility

What was compared with Apache Airflow, and how it came out. `make compat` makes the comparisons and writes this file, so
nothing here is written by hand except the words around the figures. What is known to be missing is in [gaps.md](gaps.md).
"""

#: Part → title and introduction, in the order of the document.
PARTS = {
    "examples": (
        "Example DAGs",
        """\
The example DAGs of Airflow's own wheels are downloaded and run twice: once by real Airflow, with its scheduler, DAG
processor, triggerer, web server and PostgreSQL (`tests/compat/record_airflow.py` did that; its recordings are in
`tests/compat/examples`), and now by Gnomon, with all its processes. Both are driven through the REST API in the same
way: DAGs are unpaused and triggered, assets get events, people answer. States of runs, states and tries of task
instances, partition keys and values of XComs are compared.""",
    ),
    "imports": (
        "Provider packages",
        """\
Provider packages from PyPI are installed unmodified, with Gnomon in the place of Apache Airflow, and every one of their
modules is imported.""",
    ),
    "data": (
        "Values between tasks",
        "Values of packages that hold data go through XComs and back, and a backend of a provider package keeps large ones.",
    ),
    "servers": (
        "Against real servers",
        """\
DAGs with operators, sensors and hooks of provider packages run against servers that the tests start. What cannot be
installed has a stand-in: moto for AWS, fakesnow for Snowflake, and servers of the tests' own for Databricks, Kubernetes and
Vault. The events of OpenLineage are compared with those that a real Airflow 3.3.2 wrote of the same DAGs
(`tests/compat/servers/lineage.py` recorded them).""",
    ),
    "differential": (
        "Decisions",
        "Random inputs are given to real Airflow, in an environment of its own, and to Gnomon; the answers are compared.",
    ),
}


def document(folder: Path = FOLDER) -> str:
    """Return the text.

    Args:
        folder: Where the results are.
    """
    found = {path.stem for path in folder.glob("*.json")}
    unknown = sorted(found - set(PARTS))
    if unknown:
        raise ValueError(f"tests.compat.document.PARTS does not know {', '.join(unknown)}")
    lines = [_INTRODUCTION]
    for part, (title, introduction) in PARTS.items():
        lines.append(f"## {title}\n\n{introduction}\n")
        if part in found:
            lines += _findings(Results(part, folder).read())
        else:
            lines.append("This part has not been run.\n")
    return "\n".join(lines).rstrip() + "\n"


def _findings(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    notes = any(figure["note"] for figure in found["figures"].values())
    rows = [[name, _figure(figure), *([figure["note"]] if notes else [])] for name, figure in found["figures"].items()]
    yield _table(["what", "result", *(["note"] if notes else [])], rows)
    for name, table in found["tables"].items():
        if not table["rows"]:
            continue
        yield f"### {name}\n"
        if table["note"]:
            yield table["note"] + "\n"
        yield _table(table["columns"], table["rows"])


def _figure(figure: dict[str, Any]) -> str:
    value, of = figure["value"], figure["of"]
    return f"{value} of {of}" if of is not None else str(value)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    head = [columns, ["---"] * len(columns)]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in [*head, *rows]) + "\n"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET.relative_to(Path.cwd())}\n")
