"""@task.bash: a function that returns the command to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gnomon.sdk.calls import determine_kwargs
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.taskflow import DecoratedOperator, task_decorator_factory
from gnomon.sdk.types import SET_DURING_EXECUTION


class _BashDecoratedOperator(DecoratedOperator, BashOperator):
    """The operator behind @task.bash."""

    __module__ = "airflow.providers.standard.decorators.bash"

    template_fields = (*DecoratedOperator.template_fields, *BashOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **BashOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.bash"
    overwrite_rtif_after_execution = True

    def __init__(
        self, *, python_callable: Callable[..., Any], op_args: Any = None, op_kwargs: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            bash_command=SET_DURING_EXECUTION,
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Call the function and run what it returns, which is a template too.

        Raises:
            TypeError: it returns no string.
        """
        from gnomon.sdk.runtime.context import context_merge

        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        command = self.python_callable(*self.op_args, **kwargs)
        if not isinstance(command, str) or not command.strip():
            raise TypeError("The returned value from the TaskFlow callable must be a non-empty string.")
        self.bash_command = command
        self._do_render_template_fields(self, ("bash_command",), context, self.get_template_env(), set())
        return BashOperator.execute(self, context)


def bash_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a task out of a function that returns a command; takes the arguments of BashOperator."""
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_BashDecoratedOperator, **kwargs
    )
