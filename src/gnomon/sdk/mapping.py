"""Mapped operators: `Operator.partial(…).expand(…)`, one task that becomes many task instances."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gnomon.sdk.abstract_operator import AbstractOperator
from gnomon.sdk.authoring import DagContext, TaskGroupContext
from gnomon.sdk.exceptions import RemovedInAirflow4Warning
from gnomon.sdk.expand_input import (
    DictOfListsExpandInput,
    ExpandInput,
    ListOfDictsExpandInput,
    ensure_xcomarg_return_value,
    is_mappable,
)
from gnomon.sdk.node import validate_key
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.operator_arguments import Fresh, OperatorDefaults, normalized
from gnomon.sdk.operator_meta import BASE_ARGUMENTS, merged_default_args
from gnomon.sdk.setup_teardown import SetupTeardownContext
from gnomon.sdk.types import NOTSET
from gnomon.sdk.xcomarg import XComArg

if TYPE_CHECKING:
    import jinja2

    from gnomon.sdk.dag import DAG
    from gnomon.sdk.task_group import TaskGroup

#: Arguments of BaseOperator that belong to the task as a whole, so they cannot be expanded over.
_OF_THE_TASK = frozenset(BASE_ARGUMENTS) - {"params", "inlets", "outlets"}


def prevent_duplicates(one: Mapping[str, Any], other: Mapping[str, Any], *, fail_reason: str) -> None:
    """Check that no argument is given twice.

    Raises:
        TypeError: one is; the message names it.
    """
    twice = sorted(one.keys() & other.keys())
    if twice:
        raise TypeError(f"{fail_reason} argument{'s' if len(twice) > 1 else ''}: {', '.join(twice)}")


def validate_mapping_kwargs(op: type[BaseOperator], func: str, value: Mapping[str, Any]) -> None:
    """Check that an operator class takes these arguments.

    Raises:
        TypeError: it does not take one of them.
        ValueError: one of them cannot be expanded over.
    """
    unknown = set(value)
    for kind in op.__mro__:
        init = kind.__dict__.get("__init__")
        names = getattr(init, "argument_names", None)
        if names is None:
            continue
        for name in unknown & names:
            if func == "expand" and not is_mappable(value[name]):
                raise ValueError(
                    f"{op.__name__}.expand() got an unexpected type {type(value[name]).__name__!r} for keyword"
                    f" argument {name!r}"
                )
        unknown -= names
        if not unknown:
            return
    unknown.discard("task_concurrency")
    if unknown:
        names = ", ".join(map(repr, sorted(unknown)))
        raise TypeError(
            f"{op.__name__}.{func}() got {'unexpected keyword arguments' if len(unknown) > 1 else 'an unexpected keyword argument'} {names}"
        )


def make_partial(
    operator_class: type[BaseOperator],
    *,
    task_id: str,
    dag: DAG | None = None,
    task_group: TaskGroup | None = None,
    params: Any = None,
    default_args: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> OperatorPartial:
    """Return what `Operator.partial(…)` gives: arguments that all instances share."""
    validate_mapping_kwargs(operator_class, "partial", kwargs)
    if "task_concurrency" in kwargs:
        raise TypeError("unexpected argument: task_concurrency")
    dag = dag or DagContext.get_current()
    if task_group is None and dag is not None:
        task_group = TaskGroupContext.get_current(dag)
    if task_group is not None:
        task_id = task_group.child_id(task_id)
    validate_key(task_id, name="task_id")
    shared, default_params = base_arguments(operator_class, dag, task_group, default_args, kwargs)
    merged = {**default_params, **(dict(params.items()) if params else {})}
    return OperatorPartial(operator_class, shared, task_id, dag, task_group, merged)


def base_arguments(
    operator_class: type[BaseOperator],
    dag: DAG | None,
    group: TaskGroup | None,
    default_args: Mapping[str, Any] | None,
    kwargs: Mapping[str, Any],
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return (arguments with default_args filled in and normalised, params from default_args)."""
    defaults = dict(merged_default_args(dag, group, default_args))
    params = defaults.pop("params", None) or {}
    shared = {name: value for name, value in defaults.items() if name in BASE_ARGUMENTS}
    shared.update(kwargs)
    for name in shared.keys() & BASE_ARGUMENTS.keys():
        try:
            shared[name] = normalized(name, shared[name])
        except (TypeError, ValueError, RuntimeError) as error:
            raise type(error)(f"{operator_class.__name__}: {error}") from None
    if shared.get("wait_for_downstream"):
        shared["depends_on_past"] = True
    return shared, params


class OperatorPartial:
    """What `Operator.partial(…)` returns; `.expand()` or `.expand_kwargs()` makes the task."""

    def __init__(
        self,
        operator_class: type[BaseOperator],
        kwargs: dict[str, Any],
        task_id: str,
        dag: DAG | None,
        task_group: TaskGroup | None,
        params: Mapping[str, Any],
    ) -> None:
        self.operator_class = operator_class
        self.kwargs = kwargs
        self.task_id = task_id
        self.dag = dag
        self.task_group = task_group
        self.params = params
        self._expand_called = False

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.operator_class.__name__}.partial({arguments})"

    def __del__(self) -> None:
        if not getattr(self, "_expand_called", True):
            warnings.warn(f"Task {self.task_id!r} was never mapped!", UserWarning, stacklevel=1)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Make the task: one instance per combination of the elements of these arguments.

        Raises:
            TypeError: there is no argument, or one is unknown, given already, or the same for all instances.
            ValueError: an argument is neither a list, a dict nor a task's result.
        """
        if not mapped_kwargs:
            raise TypeError("no arguments to expand against")
        fixed = sorted(_OF_THE_TASK & mapped_kwargs.keys())
        if fixed:
            raise TypeError(
                f"unmappable or already specified argument{'s' if len(fixed) > 1 else ''}: {', '.join(fixed)}"
            )
        validate_mapping_kwargs(self.operator_class, "expand", mapped_kwargs)
        prevent_duplicates(self.kwargs, mapped_kwargs, fail_reason="unmappable or already specified")
        return self._expand(DictOfListsExpandInput(mapped_kwargs), strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Make the task: one instance per dict in a list.

        Args:
            kwargs: a list of dicts (or of results), or a result that is one.
            strict: refuse dicts with arguments that are given already.

        Raises:
            TypeError: it is something else.
        """
        check_expand_kwargs(kwargs)
        return self._expand(ListOfDictsExpandInput(kwargs), strict=strict)

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> MappedOperator:
        self._expand_called = True
        ensure_xcomarg_return_value(expand_input.value)
        return MappedOperator(
            operator_class=self.operator_class,
            expand_input=expand_input,
            partial_kwargs=self.kwargs,
            task_id=self.task_id,
            dag=self.dag,
            task_group=self.task_group,
            params=self.params,
            strict=strict,
        )


def check_expand_kwargs(kwargs: Any) -> None:
    """Check the argument of `.expand_kwargs()`."""
    if isinstance(kwargs, Sequence) and not isinstance(kwargs, str):
        for item in kwargs:
            if not isinstance(item, (XComArg, Mapping)):
                raise TypeError(f"expected XComArg or list[dict], not list[{type(item).__name__}]")
    elif not isinstance(kwargs, XComArg):
        raise TypeError(f"expected XComArg or list[dict], not {type(kwargs).__name__}")


_OWN = frozenset(
    {
        "operator_class",
        "expand_input",
        "partial_kwargs",
        "task_id",
        "start_date",
        "end_date",
        "task_group",
        "dag",
        "params",
    }
)


class MappedOperator(AbstractOperator):
    """A task that becomes several instances; its arguments are those of `.partial()`, its class is `operator_class`."""

    _is_mapped = True

    def __init__(
        self,
        *,
        operator_class: type[BaseOperator],
        expand_input: ExpandInput,
        partial_kwargs: dict[str, Any],
        task_id: str,
        dag: DAG | None,
        task_group: TaskGroup | None,
        params: Any = None,
        strict: bool = False,
    ) -> None:
        self.operator_class = operator_class
        self.expand_input = expand_input
        self.partial_kwargs = partial_kwargs
        self.task_id = task_id
        self._own_params = params or {}
        self._disallow_kwargs_override = strict
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        self._task_group = task_group
        if self.get_closest_mapped_task_group() is not None:
            raise NotImplementedError(
                f"task {task_id!r}: operator expansion in an expanded task group is not yet supported"
            )
        self._task_group = None
        if task_group is not None:
            task_group.add(self)
            dag = dag if dag is not None else task_group.dag
        if dag is not None:
            self.dag = dag
        if SetupTeardownContext.active:
            SetupTeardownContext.update_context_map(self)
        XComArg.apply_upstream_relationship(self, expand_input.value)
        for field in self.template_fields:
            XComArg.apply_upstream_relationship(self, partial_kwargs.get(field))

    def __repr__(self) -> str:
        return f"<Mapped({self.task_type}): {self.task_id}>"

    def __getattr__(self, name: str) -> Any:
        # What is not the task's own is an argument that its instances share, or their class's default.
        if name.startswith("__") or "partial_kwargs" not in self.__dict__:
            raise AttributeError(name)
        stored = {"_pre_execute_hook": "pre_execute", "_post_execute_hook": "post_execute"}.get(name, name)
        if stored in self.partial_kwargs:
            return self.partial_kwargs[stored]
        default = OperatorDefaults.__dict__.get(name)
        if isinstance(default, Fresh):
            return self.partial_kwargs.setdefault(name, default.make())
        value = getattr(self.operator_class, name, NOTSET)
        if value is not NOTSET and (isinstance(value, type) or not callable(value)):
            return value
        raise AttributeError(f"the mapped task {self.task_id!r} ({self.task_type}) has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in BASE_ARGUMENTS and name not in _OWN:
            self.partial_kwargs[name] = normalized(name, value)
        else:
            super().__setattr__(name, value)

    # ---------------------------------------------------------------------------------------------- what it is

    @property
    def template_fields(self) -> Any:  # type: ignore[override]
        """The fields of the operator class."""
        return self.operator_class.template_fields

    @property
    def template_ext(self) -> Any:  # type: ignore[override]
        """The file endings of the operator class."""
        return self.operator_class.template_ext

    @property
    def operator_extra_links(self) -> Any:
        """The links of the operator class."""
        return self.operator_class.operator_extra_links

    @property
    def inherits_from_empty_operator(self) -> bool:  # type: ignore[override]
        """Whether its instances do nothing."""
        return bool(self.operator_class.inherits_from_empty_operator)

    @property
    def inherits_from_skipmixin(self) -> bool:  # type: ignore[override]
        """Whether its instances may skip what follows."""
        return bool(self.operator_class.inherits_from_skipmixin)

    @property
    def _is_sensor(self) -> bool:  # type: ignore[override]
        return bool(self.operator_class._is_sensor)

    @property
    def task_type(self) -> str:
        """The name of the operator class."""
        return self.operator_class.__name__

    @property
    def operator_name(self) -> str:
        """The name to show for the class."""
        return getattr(self.operator_class, "custom_operator_name", None) or self.operator_class.__name__

    @property
    def task_display_name(self) -> str:
        """The name to show for the task."""
        return self.partial_kwargs.get("task_display_name") or self.task_id

    @property
    def start_date(self) -> Any:
        """Its own start date, or its DAG's."""
        own = self.partial_kwargs.get("start_date")
        return own if own is not None or self._dag is None else self._dag.start_date

    @start_date.setter
    def start_date(self, value: Any) -> None:
        self.partial_kwargs["start_date"] = normalized("start_date", value)

    @property
    def end_date(self) -> Any:
        """Its own end date, or its DAG's."""
        own = self.partial_kwargs.get("end_date")
        return own if own is not None or self._dag is None else self._dag.end_date

    @end_date.setter
    def end_date(self, value: Any) -> None:
        self.partial_kwargs["end_date"] = normalized("end_date", value)

    @property
    def params(self) -> Any:
        """The DAG's params, overridden by the task's own."""
        from gnomon.sdk.operator import _merge_params

        return _merge_params(self._dag, self._own_params)

    @property
    def has_on_execute_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.partial_kwargs.get("on_execute_callback"))

    @property
    def has_on_failure_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.partial_kwargs.get("on_failure_callback"))

    @property
    def has_on_success_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.partial_kwargs.get("on_success_callback"))

    @property
    def has_on_retry_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.partial_kwargs.get("on_retry_callback"))

    @property
    def has_on_skipped_callback(self) -> bool:
        """Whether there is such a callback."""
        return bool(self.partial_kwargs.get("on_skipped_callback"))

    def iter_mapped_dependencies(self) -> Iterator[Any]:
        """Yield the tasks whose results it expands over."""
        for operator, _ in self.expand_input.iter_references():
            yield operator

    # ---------------------------------------------------------------------------------------------- execution

    def prepare_for_execution(self) -> MappedOperator:
        """Return the operator itself; rendering makes the instance that runs."""
        return self

    def _expand_mapped_kwargs(self, context: Mapping[str, Any]) -> tuple[Mapping[str, Any], set[int]]:
        return self.expand_input.resolve(context)

    def _instance_kwargs(self, mapped_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if self._disallow_kwargs_override:
            prevent_duplicates(self.partial_kwargs, mapped_kwargs, fail_reason="unmappable or already specified")
        params = {**self._own_params, **(mapped_kwargs.get("params") or {})}
        return {**self.partial_kwargs, **mapped_kwargs, "params": params or None}

    def unmap(self, resolve: Mapping[str, Any]) -> BaseOperator:
        """Return the operator of one instance.

        Args:
            resolve: the arguments of that instance, from `_expand_mapped_kwargs`.
        """
        with warnings.catch_warnings():
            # What there was to warn of was said when the file was parsed.
            warnings.simplefilter("ignore", RemovedInAirflow4Warning)
            operator: BaseOperator = self.operator_class(
                task_id=self.task_id,
                dag=self._dag,
                task_group=self._task_group,
                _airflow_from_mapped=True,
                **self._instance_kwargs(resolve),
            )
        operator.is_setup, operator.is_teardown = self.is_setup, self.is_teardown
        operator._on_failure_fail_dagrun = self._on_failure_fail_dagrun
        operator.returns_dag_result = self.returns_dag_result
        operator.upstream_task_ids, operator.downstream_task_ids = self.upstream_task_ids, self.downstream_task_ids
        return operator

    def render_template_fields(self, context: Any, jinja_env: jinja2.Environment | None = None) -> None:
        """Make the operator of this instance, put it into the context and into `ti.task`, and render its fields."""
        mapped, seen = self._expand_mapped_kwargs(context)
        operator = self.unmap(mapped)
        context["task"] = context["ti"].task = operator
        if operator.params:
            from gnomon.sdk.params import process_params

            conf = getattr(context.get("dag_run"), "conf", None)
            context["params"] = process_params(operator.dag, operator, conf, suppress_exception=False)
        env = jinja_env if jinja_env is not None else operator.get_template_env()
        operator._do_render_template_fields(operator, operator.template_fields, context, env, seen)

    def expand_start_trigger_args(self, *, context: Mapping[str, Any]) -> Any:
        """Return the StartTriggerArgs of this instance."""
        args = self.operator_class.start_trigger_args
        if args is None:
            return None
        import dataclasses

        given = {**self.partial_kwargs, **self._expand_mapped_kwargs(context)[0]}
        return dataclasses.replace(
            args,
            trigger_kwargs=given.get("trigger_kwargs", args.trigger_kwargs),
            next_kwargs=given.get("next_kwargs", args.next_kwargs),
            timeout=given.get("trigger_timeout", args.timeout),
        )

    def expand_start_from_trigger(self, *, context: Mapping[str, Any]) -> bool:
        """Return whether this instance is deferred without a process."""
        given = {**self.partial_kwargs, **self._expand_mapped_kwargs(context)[0]}
        return bool(given.get("start_from_trigger", self.operator_class.start_from_trigger))


class DecoratedMappedOperator(MappedOperator):
    """A mapped @task: what it expands over are arguments of the function, not of the operator."""

    def __init__(self, *, multiple_outputs: bool, python_callable: Any, **kwargs: Any) -> None:
        self.python_callable = python_callable
        super().__init__(**kwargs)
        self.multiple_outputs = multiple_outputs
        XComArg.apply_upstream_relationship(self, self.partial_kwargs.get("op_kwargs"))

    @property
    def op_kwargs_expand_input(self) -> ExpandInput:
        """What it expands over."""
        return self.expand_input

    def _instance_kwargs(self, mapped_kwargs: Mapping[str, Any]) -> dict[str, Any]:
        partial = self.partial_kwargs.get("op_kwargs") or {}
        if self._disallow_kwargs_override:
            prevent_duplicates(partial, mapped_kwargs, fail_reason="mapping already partial")
        return {
            **self.partial_kwargs,
            "python_callable": self.python_callable,
            "op_kwargs": {**partial, **mapped_kwargs},
            "params": dict(self._own_params) or None,
        }
