"""@task.stub: a task that something outside of Python runs."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from gnomon.sdk.source import function_source
from gnomon.sdk.taskflow import DecoratedOperator, task_decorator_factory


class _StubOperator(DecoratedOperator):
    """The operator behind @task.stub."""

    __module__ = "airflow.providers.standard.decorators.stub"

    custom_operator_name = "@task.stub"
    is_stub = True

    def __init__(self, *, python_callable: Callable[..., Any], task_id: str, **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, task_id=task_id, **kwargs)
        function = ast.parse(function_source(python_callable)).body[0]
        assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for statement in function.body:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not is_text and not isinstance(statement, ast.Pass):
                raise ValueError(f"Functions passed to @task.stub must be an empty function ({task_id!r} is not)")

    def execute(self, context: Any) -> Any:
        """Refuse.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("@task.stub should not be executed directly -- we expected this to go to a remote worker")


def stub(
    python_callable: Callable[..., Any] | None = None,
    queue: str | None = None,
    executor: str | None = None,
    **kwargs: Any,
) -> Any:
    """Make a task that a worker of another language runs."""
    further: dict[str, Any] = {
        name: value for name, value in (("queue", queue), ("executor", executor)) if value is not None
    }
    return task_decorator_factory(
        decorated_operator_class=_StubOperator, python_callable=python_callable, **further, **kwargs
    )
