"""Arguments that several commands take, what they are read as, and the question before something is destroyed."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli import output
from gnomon.cli.errors import CommandError, did_you_mean

if TYPE_CHECKING:
    from gnomon.wire.dag import SerializedDag

DagId = Annotated[str, typer.Argument(help="The id of the DAG.")]
DateOrRun = Annotated[
    str, typer.Argument(metavar="LOGICAL_DATE_OR_RUN_ID", help="The logical date or the run id of the DAG run.")
]
Bundles = Annotated[list[str] | None, typer.Option("-B", "--bundle-name", help="Only of this bundle; repeatable.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


def json_object(text: str, option: str) -> dict[str, Any]:
    """Return a JSON object given on the command line.

    Raises:
        CommandError: it is not one; the message names the option.
    """
    found = output.read_json(text, option)
    if not isinstance(found, dict):
        raise CommandError(f"{option} must be a JSON object such as '{{\"key\": 1}}'", exit_code=2)
    return found


def compile_regex(pattern: str, option: str) -> re.Pattern[str]:
    """Return a regular expression given on the command line.

    Raises:
        CommandError: it is none.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise CommandError(f"{option}: {pattern!r} is not a regular expression: {error}", exit_code=2) from None


def check_task(dag: SerializedDag, task_id: str) -> None:
    """Do nothing if the DAG has the task.

    Raises:
        CommandError: it has not; close names are suggested.
    """
    known = [task.task_id for task in dag.tasks]
    if task_id not in known:
        raise CommandError(f"DAG {dag.dag_id} has no task {task_id!r}{did_you_mean(task_id, known)}")


def confirmed(what: str) -> bool:
    """Ask whether to do something.

    Raises:
        CommandError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise CommandError(f"there is nobody to ask whether to {what}", hint="-y goes ahead")
    return bool(typer.confirm(f"You are about to {what}. Are you sure?"))
