"""@task.sensor: a function as a sensor."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from gnomon.sdk.standard.sensors import PythonSensor
from gnomon.sdk.taskflow import DecoratedOperator, task_decorator_factory


class DecoratedSensorOperator(DecoratedOperator, PythonSensor):
    """The operator behind @task.sensor."""

    __module__ = "airflow.providers.standard.decorators.sensor"

    template_fields: Collection[str] = ("op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}
    custom_operator_name = "@task.sensor"

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


def sensor_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a sensor out of a function; takes the arguments of BaseSensorOperator."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=False,
        decorated_operator_class=DecoratedSensorOperator,
        **kwargs,
    )
