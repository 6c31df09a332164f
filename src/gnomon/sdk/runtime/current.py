"""Which context is being executed, and which DAG or task a file is being read for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_stack: list[Any] = []

DAG_ID_VARIABLE = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"
TASK_ID_VARIABLE = "_AIRFLOW_PARSING_CONTEXT_TASK_ID"


class AirflowParsingContext(NamedTuple):
    """The one DAG and task that a DAG file is read for; None where all of them are wanted."""

    dag_id: str | None
    task_id: str | None


def push_context(context: Any) -> None:
    """Make `context` the current one until `pop_context`."""
    _stack.append(context)


def pop_context() -> None:
    """Undo the last `push_context`."""
    _stack.pop()


@contextmanager
def set_current_context(context: Any) -> Iterator[Any]:
    """Make `context` the current one inside a `with` block."""
    push_context(context)
    try:
        yield context
    finally:
        pop_context()


def get_current_context() -> Any:
    """Return the context of the task that runs in this process.

    Raises:
        RuntimeError: no task runs here.
    """
    if not _stack:
        raise RuntimeError("there is no current context: get_current_context() works only while a task executes")
    return _stack[-1]


def known_task(dag_id: str, task_id: str) -> Any:
    """Return the task of that id, if the DAG whose task runs here has one."""
    dag = _stack[-1].get("dag") if _stack else None
    return dag.task_dict.get(task_id) if dag is not None and dag.dag_id == dag_id else None


def get_parsing_context() -> AirflowParsingContext:
    """Return the DAG and task that the file is being read for, so that it may leave out the others."""
    return AirflowParsingContext(
        dag_id=os.environ.get(DAG_ID_VARIABLE) or None, task_id=os.environ.get(TASK_ID_VARIABLE) or None
    )
