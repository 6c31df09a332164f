"""Small questions about code, packages and DAGs."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gnomon.sdk.runtime.current import DAG_ID_VARIABLE, TASK_ID_VARIABLE


def get_docs_url(page: str | None = None) -> str:
    """Return the address of Airflow's documentation, or of a page of it."""
    return f"https://airflow.apache.org/docs/apache-airflow/stable/{page or ''}"


def get_python_source(x: Any) -> str | None:
    """Return the source of a function, method, partial or callable object; text stays what it is."""
    if x is None or isinstance(x, str):
        return x
    function = x.func if isinstance(x, functools.partial) else x
    for candidate in (function, getattr(function, "__call__", None)):  # noqa: B004 - its source, not whether it is one
        try:
            return inspect.getsource(candidate)  # type: ignore[arg-type]
        except (OSError, TypeError):
            continue
    return f"No source code available for {type(x)}"


def entry_points_with_dist(group: str) -> Iterator[tuple[Any, Any]]:
    """Yield (entry point, distribution) of a group."""
    from importlib.metadata import distributions

    seen: set[tuple[str, str]] = set()
    for distribution in distributions():
        for entry in distribution.entry_points:
            name = (entry.name, distribution.name)
            if entry.group == group and name not in seen:
                seen.add(name)
                yield entry, distribution


def check_cycle(dag: Any) -> None:
    """Raise AirflowDagCycleException if tasks of a DAG depend on each other in a circle."""
    dag.check_cycle()


@contextmanager
def parsing_context(dag_id: str | None = None, task_id: str | None = None) -> Iterator[None]:
    """Let `get_parsing_context` say for which DAG and task a file is read."""
    wanted = {DAG_ID_VARIABLE: dag_id, TASK_ID_VARIABLE: task_id}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
