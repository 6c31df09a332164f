"""`@task` and all that can follow it, `@setup`, `@teardown` and `@result`."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.taskflow import _TaskDecorator


class TaskDecoratorCollection:
    """`@task`, `@task.bash` …; those of providers are found through their `task-decorators`."""

    _BUILT_IN: ClassVar[dict[str, str]] = {
        "python": "gnomon.sdk.standard.decorators.python:python_task",
        "bash": "gnomon.sdk.standard.decorators.bash:bash_task",
        "branch": "gnomon.sdk.standard.decorators.branch:branch_task",
        "short_circuit": "gnomon.sdk.standard.decorators.branch:short_circuit_task",
        "sensor": "gnomon.sdk.standard.decorators.sensor:sensor_task",
        "virtualenv": "gnomon.sdk.standard.decorators.virtualenv:virtualenv_task",
        "external_python": "gnomon.sdk.standard.decorators.virtualenv:external_python_task",
        "branch_virtualenv": "gnomon.sdk.standard.decorators.virtualenv:branch_virtualenv_task",
        "branch_external_python": "gnomon.sdk.standard.decorators.virtualenv:branch_external_python_task",
        "stub": "gnomon.sdk.standard.decorators.stub:stub",
        "run_if": "gnomon.sdk.conditions:run_if",
        "skip_if": "gnomon.sdk.conditions:skip_if",
    }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"task decorator {name!r} not found")
        target = self._BUILT_IN.get(name) or _provided_decorators().get(name)
        if target is None:
            raise AttributeError(f"task decorator {name!r} not found")
        found = _load(target)
        setattr(self, name, found)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Alias of `task.python`."""
        return self.python(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return sorted({*self._BUILT_IN, *_provided_decorators()})


def _load(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    from importlib import import_module

    module, _, name = target.partition(":")
    if not name:
        module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)


@functools.cache
def _provided_decorators() -> dict[str, str]:
    from gnomon.sdk.providers import provider_infos

    return {
        entry["name"]: entry["class-name"]
        for info in provider_infos().values()
        for entry in info.get("task-decorators", ())
    }


task = TaskDecoratorCollection()


# --------------------------------------------------------------------------------------- setup and teardown


def setup_task(func: Any) -> Any:
    """Make a function, or a function with @task, a setup task."""
    return _marked(func, "setup")


def teardown_task(_func: Any = None, *, on_failure_fail_dagrun: bool = False) -> Any:
    """Make a function, or a function with @task, a teardown task.

    Args:
        on_failure_fail_dagrun: its failure fails the run.
    """

    def decorate(func: Any) -> Any:
        made = _marked(func, "teardown")
        made.on_failure_fail_dagrun = on_failure_fail_dagrun
        return made

    return decorate if _func is None else decorate(_func)


def _marked(func: Any, kind: str) -> Any:
    from gnomon.sdk.task_group_function import _TaskGroupFactory

    if isinstance(func, _TaskGroupFactory):
        raise AirflowException(f"Task groups cannot be marked as {kind}.")
    made = func if isinstance(func, _TaskDecorator) else task.python(func)
    setattr(made, f"is_{kind}", True)
    return made


def result(func: Any) -> Any:
    """Make what a task returns the result of the DAG run."""
    made = func if isinstance(func, _TaskDecorator) else task.python(func)
    made.returns_dag_result = True
    return made


setup = setup_task
teardown = teardown_task
