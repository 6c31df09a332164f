"""PythonOperator, and the branch and short-circuit operators made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from types import CoroutineType, GeneratorType
from typing import Any, ClassVar

from gnomon.sdk.branch import BranchMixIn
from gnomon.sdk.calls import KeywordParameters, is_async_callable
from gnomon.sdk.log import say
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.operator_arguments import warn_author
from gnomon.sdk.skip import SkipMixin


class PythonOperator(BaseOperator):
    """Call a Python function.

    Args:
        python_callable: the function; it can name what it wants of the context as arguments.
        op_args: its positional arguments (templated).
        op_kwargs: its keyword arguments (templated).
        templates_dict: further templates; the function gets them as `templates_dict`.
        templates_exts: endings of template files.
        show_return_value_in_logs: log what it returns.

    Raises:
        TypeError: python_callable cannot be called.
    """

    __module__ = "airflow.providers.standard.operators.python"

    template_fields: Collection[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"
    shallow_copy_attrs: Sequence[str] = ("python_callable", "op_kwargs")

    templates_dict: dict[str, Any] | None = None
    op_args: Collection[Any] = ()
    show_return_value_in_logs = True

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: Sequence[str] | None = None,
        show_return_value_in_logs: bool = True,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("provide_context", False):
            from gnomon.sdk.exceptions import RemovedInAirflow3Warning

            warn_author("provide_context has no effect: a function gets what it names", RemovedInAirflow3Warning)
        super().__init__(**kwargs)
        if not callable(python_callable):
            raise TypeError(f"`python_callable` param must be callable, not {type(python_callable).__name__}")
        self.python_callable = python_callable
        if op_args:
            self.op_args = op_args
        self.op_kwargs = op_kwargs or {}
        if templates_dict is not None:
            self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = templates_exts
        if not show_return_value_in_logs:
            self.show_return_value_in_logs = False

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return is_async_callable(self.python_callable)

    def execute(self, context: Any) -> Any:
        """Call the function with the part of the context that it wants."""
        from gnomon.sdk.runtime.context import context_merge

        context_merge(context, self.op_kwargs, templates_dict=self.templates_dict)
        self.op_kwargs = self.determine_kwargs(context)
        returned = self.execute_callable()
        shown = returned if self.show_return_value_in_logs else "a value that is not shown"
        say(self, f"The function returned {shown}")
        return returned

    def determine_kwargs(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the keyword arguments for the function."""
        return KeywordParameters.determine(self.python_callable, self.op_args, context).unpacking()

    def execute_callable(self) -> Any:
        """Call the function."""
        returned = self.python_callable(*self.op_args, **self.op_kwargs)
        kind = type(returned)  # looked at first: each function of `inspect` costs a forked process a few pages
        if kind is GeneratorType and inspect.isgeneratorfunction(self.python_callable):
            return _drain(returned)
        if kind is CoroutineType:
            import asyncio

            return asyncio.run(returned)
        return returned


def _drain(generator: Any) -> Any:
    """Run a generator function: what it yields is the metadata of assets, what it returns is the result."""
    from gnomon.sdk.assets import Metadata
    from gnomon.sdk.runtime.context import get_current_context

    while True:
        try:
            yielded = next(generator)
        except StopIteration as end:
            return end.value
        if isinstance(yielded, Metadata):
            events = get_current_context()["outlet_events"]
            events[yielded.asset].extra.update(yielded.extra)
            if yielded.alias is not None:
                events[yielded.alias].add(yielded.asset, extra=yielded.extra)


class BranchPythonOperator(BranchMixIn, PythonOperator):
    """Call a function that returns the id of the task (or tasks, or group) to go on with."""

    __module__ = "airflow.providers.standard.operators.python"

    def choose_branch(self, context: Any) -> Any:
        """Return what the function returns."""
        return PythonOperator.execute(self, context)

    def execute(self, context: Any) -> Any:
        """Call the function, and skip what it did not choose."""
        return self.do_branch(context, self.choose_branch(context))


class ShortCircuitOperator(SkipMixin, PythonOperator):
    """Call a function; if what it returns is false, skip everything downstream.

    Args:
        ignore_downstream_trigger_rules: skip all of it, whatever the trigger rules; else only what is directly downstream.
    """

    __module__ = "airflow.providers.standard.operators.python"

    ignore_downstream_trigger_rules = True

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not ignore_downstream_trigger_rules:
            self.ignore_downstream_trigger_rules = False

    def execute(self, context: Any) -> Any:
        """Call the function, and skip what is downstream if the result is false."""
        condition = super().execute(context)
        self.log.info("Condition result is %s", condition)
        if condition:
            self.log.info("Proceeding with downstream tasks...")
            return condition
        if not self.downstream_task_ids:
            self.log.info("No downstream tasks; nothing to do.")
            return condition
        whole = self.ignore_downstream_trigger_rules
        tasks = context["task"].get_flat_relatives(upstream=False) if whole else context["task"].downstream_list
        to_skip = [task for task in tasks if not task.is_teardown]
        self.log.info("Skipping downstream tasks: %s", [task.task_id for task in to_skip])
        self.skip(ti=context["ti"], tasks=to_skip)
        return condition
