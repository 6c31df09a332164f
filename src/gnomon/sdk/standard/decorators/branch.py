"""@task.branch and @task.short_circuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gnomon.sdk.standard.decorators.python import _PythonDecoratedOperator
from gnomon.sdk.standard.python import BranchPythonOperator, ShortCircuitOperator
from gnomon.sdk.taskflow import task_decorator_factory


class _BranchPythonDecoratedOperator(_PythonDecoratedOperator, BranchPythonOperator):
    """The operator behind @task.branch."""

    __module__ = "airflow.providers.standard.decorators.branch_python"

    template_fields = BranchPythonOperator.template_fields
    custom_operator_name = "@task.branch"


class _ShortCircuitDecoratedOperator(_PythonDecoratedOperator, ShortCircuitOperator):
    """The operator behind @task.short_circuit."""

    __module__ = "airflow.providers.standard.decorators.short_circuit"

    template_fields = ShortCircuitOperator.template_fields
    custom_operator_name = "@task.short_circuit"


def branch_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> Any:
    """Make a task out of a function that returns the ids of the tasks to go on with."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=_BranchPythonDecoratedOperator,
        **kwargs,
    )


def short_circuit_task(
    python_callable: Callable[..., Any] | None = None, multiple_outputs: bool | None = None, **kwargs: Any
) -> Any:
    """Make a task out of a function; if what it returns is false, what is downstream is skipped."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=_ShortCircuitDecoratedOperator,
        **kwargs,
    )
