"""@task.virtualenv, @task.external_python and their branching kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gnomon.sdk.standard import virtualenv as operators
from gnomon.sdk.standard.decorators.python import _PythonDecoratedOperator
from gnomon.sdk.taskflow import task_decorator_factory


class _PythonVirtualenvDecoratedOperator(_PythonDecoratedOperator, operators.PythonVirtualenvOperator):
    __module__ = "airflow.providers.standard.decorators.python_virtualenv"
    template_fields = operators.PythonVirtualenvOperator.template_fields
    custom_operator_name = "@task.virtualenv"


class _PythonExternalDecoratedOperator(_PythonDecoratedOperator, operators.ExternalPythonOperator):
    __module__ = "airflow.providers.standard.decorators.external_python"
    template_fields = operators.ExternalPythonOperator.template_fields
    custom_operator_name = "@task.external_python"


class _BranchPythonVirtualenvDecoratedOperator(_PythonDecoratedOperator, operators.BranchPythonVirtualenvOperator):
    __module__ = "airflow.providers.standard.decorators.branch_virtualenv"
    template_fields = operators.BranchPythonVirtualenvOperator.template_fields
    custom_operator_name = "@task.branch_virtualenv"


class _BranchExternalPythonDecoratedOperator(_PythonDecoratedOperator, operators.BranchExternalPythonOperator):
    __module__ = "airflow.providers.standard.decorators.branch_external_python"
    template_fields = operators.BranchExternalPythonOperator.template_fields
    custom_operator_name = "@task.branch_external_python"


def virtualenv_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a task of a function that is called in an environment made for it."""
    return _task(_PythonVirtualenvDecoratedOperator, python_callable, kwargs)


def external_python_task(
    python: str | None = None, python_callable: Callable[..., Any] | None = None, **kwargs: Any
) -> Any:
    """Make a task of a function that is called in an environment that is there already."""
    return _task(_PythonExternalDecoratedOperator, python_callable, {"python": python, **kwargs})


def branch_virtualenv_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a branch of a function that is called in an environment made for it."""
    return _task(_BranchPythonVirtualenvDecoratedOperator, python_callable, kwargs)


def branch_external_python_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a branch of a function that is called in an environment that is there already."""
    return _task(_BranchExternalPythonDecoratedOperator, python_callable, kwargs)


def _task(operator: type, python_callable: Callable[..., Any] | None, kwargs: dict[str, Any]) -> Any:
    return task_decorator_factory(python_callable=python_callable, decorated_operator_class=operator, **kwargs)
