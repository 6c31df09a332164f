"""`airflow dags show` and `dags show-dependencies`: pictures of DAGs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.arguments import DagId
from gnomon.cli.errors import CommandError
from gnomon.cli.opening import dag_of, opened
from gnomon.cli.output import Verbose

_Save = Annotated[
    str | None, typer.Option("-s", "--save", help="Write to a file: .dot, or a picture if Graphviz is installed.")
]
_Imgcat = Annotated[bool, typer.Option("--imgcat", help="Show the picture in the terminal, with imgcat.")]


def show(dag_id: DagId, save: _Save = None, imgcat: _Imgcat = False, verbose: Verbose = False) -> None:
    """Print the tasks of a DAG and their dependencies, in the DOT language of Graphviz."""
    from gnomon.cli.dot import as_dot
    from gnomon.wire.dag import decode

    with opened() as store:
        dag_of(store, dag_id)
        latest = store.dags.latest_version(dag_id)
    if latest is None:
        raise CommandError(f"DAG {dag_id} has not been parsed yet")
    give(as_dot(decode(latest[1])), save, imgcat)


def show_dependencies(save: _Save = None, imgcat: _Imgcat = False, verbose: Verbose = False) -> None:
    """Print which DAGs start, wait for, or share assets with which, in the DOT language of Graphviz."""
    from gnomon.cli.dot import dependencies_as_dot
    from gnomon.wire.dag import decode

    with opened() as store:
        found = [store.dags.latest_version(dag.dag_id) for dag in store.dags.all()]
    give(dependencies_as_dot([decode(one[1]) for one in found if one is not None]), save, imgcat)


def give(text: str, save: str | None = None, imgcat: bool = False, *, option: str = "-s/--save") -> None:
    """Print a picture in DOT, write it to a file, or show it in the terminal.

    Raises:
        CommandError: a program that is needed is not installed, or the options contradict each other.
    """
    if save is not None and imgcat:
        raise CommandError("-s/--save and --imgcat cannot be combined", exit_code=2)
    if imgcat:
        option = option if "imgcat" in option else "--imgcat"
        _run(["imgcat"], _picture(text, "png", option), option)
    elif save is None:
        print(text)
    else:
        kind = Path(save).suffix.lstrip(".").lower()
        if not kind:
            raise CommandError(f"{option}: {save} needs an ending such as .dot or .png", exit_code=2)
        drawn = f"{text}\n".encode() if kind in ("dot", "gv") else _picture(text, kind, option)
        Path(save).write_bytes(drawn)
        print(f"File {save} saved")


def _picture(text: str, kind: str, option: str) -> bytes:
    return _run(["dot", f"-T{kind}"], text.encode(), option, keep=True)


def _run(command: list[str], given: bytes, option: str, *, keep: bool = False) -> bytes:
    """Run a program that draws.

    Raises:
        CommandError: it is not installed, or cannot do it.
    """
    try:
        out = subprocess.PIPE if keep else None
        done = subprocess.run(command, check=False, input=given, stdout=out, stderr=subprocess.PIPE)
    except FileNotFoundError:
        program = "dot, of Graphviz," if command[0] == "dot" else command[0]
        raise CommandError(f"{option} needs the program {program} which is not installed", exit_code=2) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise CommandError(f"{option}: {command[0]} says: {said[0]}")
    return done.stdout or b""
