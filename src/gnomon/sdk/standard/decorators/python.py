"""@task: a Python function as a task."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from gnomon.sdk.standard.python import PythonOperator
from gnomon.sdk.taskflow import DecoratedOperator, task_decorator_factory


class _PythonDecoratedOperator(DecoratedOperator, PythonOperator):
    """The operator behind @task."""

    __module__ = "airflow.providers.standard.decorators.python"

    template_fields: Collection[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    custom_operator_name = "@task"

    def __init__(
        self, *, python_callable: Callable[..., Any], op_args: Any = None, op_kwargs: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            kwargs_to_upstream={"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs},
            **kwargs,
        )


def python_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> Any:
    """Make a task out of a function; takes the arguments of PythonOperator."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=_PythonDecoratedOperator,
        **kwargs,
    )
