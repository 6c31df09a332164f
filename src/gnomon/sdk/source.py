"""The source of a function, to run it in another interpreter."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def function_source(function: Callable[..., Any]) -> str:
    """Return the source of a function, dedented, without the decorators that make it a task.

    Raises:
        ValueError: there is no source, as for a lambda or a function made by exec.
    """
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError):
        raise ValueError(f"the source of {function!r} cannot be found; it has to be a function in a file") from None
    tree = ast.parse(source)
    definition = tree.body[0]
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise ValueError(f"{function!r} has to be a function defined with `def`")
    lines = source.splitlines(keepends=True)
    kept = [node for node in definition.decorator_list if not _is_task_decorator(node)]
    body = "".join(lines[definition.lineno - 1 :])
    return "".join(f"@{ast.unparse(node)}\n" for node in kept) + body


def _is_task_decorator(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    path = ast.unparse(node).split(".")
    return "task" in path[:2] or path[-1] in ("setup", "teardown", "result") or path[0] == "task"


def remove_task_decorator(python_source: str, task_decorator_name: str) -> str:
    """Return the source of a function without the decorator of that name, nor any other that makes it a task.

    Args:
        python_source: one function.
        task_decorator_name: for example `@task.virtualenv`.
    """
    tree = ast.parse(python_source)
    lines = python_source.splitlines(keepends=True)
    wanted = task_decorator_name.strip("@")
    for definition in tree.body:
        for node in reversed(getattr(definition, "decorator_list", ())):
            called = node.func if isinstance(node, ast.Call) else node
            if ast.unparse(called) == wanted or _is_task_decorator(node):
                del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines)
