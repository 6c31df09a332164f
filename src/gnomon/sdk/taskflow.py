"""@task: functions as tasks, and the machinery that providers build their own `@task.x` with."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar

from gnomon.model.states import TriggerRule
from gnomon.sdk.authoring import DagContext, TaskGroupContext
from gnomon.sdk.calls import is_async_callable, unwrap_partial
from gnomon.sdk.context_keys import KNOWN_CONTEXT_KEYS
from gnomon.sdk.expand_input import (
    DictOfListsExpandInput,
    ListOfDictsExpandInput,
    ensure_xcomarg_return_value,
    is_mappable,
)
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.xcomarg import XComArg

FParams = ParamSpec("FParams")
FReturn = TypeVar("FReturn")


def get_unique_task_id(task_id: str, dag: Any = None, task_group: Any = None) -> str:
    """Return `task_id`, with `__1`, `__2` … appended if the DAG has it already."""
    dag = dag or DagContext.get_current()
    if dag is None:
        return task_id
    group = task_group or TaskGroupContext.get_current(dag)
    full = group.child_id(task_id) if group is not None else task_id
    if full not in dag.task_dict:
        return task_id
    prefix = re.split(r"__\d+$", full)[0]
    core = re.split(r"__\d+$", task_id)[0]
    # Usually the next number is free; a memo of the last one keeps a loop over ten thousand calls linear.
    numbers = dag.__dict__.setdefault("_last_suffix", {})
    number = numbers.get(prefix, 0) + 1
    while f"{prefix}__{number}" in dag.task_dict:
        number += 1
    numbers[prefix] = number
    return f"{core}__{number}"


# ----------------------------------------------------------------------------------------------- operators


@functools.cache
def _shape(function: Any) -> tuple[Any, bool]:
    """Return (signature with the context's names made optional, whether it is trivial to bind)."""
    import inspect

    signature = inspect.signature(function)
    parameters = []
    optional = False
    for given in signature.parameters.values():
        parameter = given
        if parameter.name in KNOWN_CONTEXT_KEYS:
            if parameter.default not in (None, parameter.empty):
                raise ValueError(f"Context key parameter {parameter.name} can't have a default other than None")
            parameter = parameter.replace(default=None)
        elif (
            optional
            and parameter.default is parameter.empty
            and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ):
            # After an optional one, Python wants a default here; that it is needed is checked after binding.
            parameter = parameter.replace(default=_REQUIRED)
        optional = optional or (
            parameter.default is not parameter.empty
            and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        )
        parameters.append(parameter)
    return signature.replace(parameters=parameters), not parameters


_REQUIRED = object()


class DecoratedOperator(BaseOperator):
    """Base of the operators behind `@task.x`: holds the function and what it was called with.

    Args:
        python_callable: the function.
        op_args: its positional arguments (templated).
        op_kwargs: its keyword arguments (templated).
        kwargs_to_upstream: arguments that the next class takes besides.
        multiple_outputs: keep each value of a returned dict under its key as well.
    """

    template_fields: Collection[str] = ("op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}
    shallow_copy_attrs: Sequence[str] = ("python_callable",)

    op_args: Collection[Any] = ()

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kwargs_to_upstream: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not self._from_mapped:
            task_id = get_unique_task_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))
        self.python_callable = python_callable
        _check_call(python_callable, op_args or (), op_kwargs or {})
        self.op_args = op_args or ()
        self.op_kwargs = op_kwargs or {}
        super().__init__(task_id=task_id, **(kwargs_to_upstream or {}), **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return is_async_callable(self.python_callable)

    def execute(self, context: Any) -> Any:
        """Call the function through the next class and check what it returns."""
        returned = super().execute(context)
        return self._check_outputs(returned)

    def _check_outputs(self, returned: Any) -> Any:
        if self.multiple_outputs and returned is not None:
            if not isinstance(returned, Mapping):
                raise TypeError(f"Returned output was type {type(returned)} expected dictionary for multiple_outputs")
            for key in returned:
                if not isinstance(key, str):
                    raise TypeError(
                        f"Returned dictionary keys must be strings when using multiple_outputs, found {key}"
                        f" ({type(key)}) instead"
                    )
        return returned

    def get_python_source(self) -> str:
        """Return the source of the function, without its decorators."""
        from gnomon.sdk.source import function_source

        return function_source(self.python_callable)


def _check_call(function: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that a function can be called so, not counting what the context gives.

    Raises:
        TypeError: it cannot.
    """
    try:
        signature, trivial = _shape(function)
    except TypeError:  # not hashable
        signature, trivial = _shape.__wrapped__(function)
    if trivial and not args and not kwargs:
        return
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{getattr(function, '__name__', function)}(): {error}") from None
    bound.apply_defaults()
    missing = [name for name, value in bound.arguments.items() if value is _REQUIRED and name not in KNOWN_CONTEXT_KEYS]
    if missing:
        raise TypeError(
            f"{getattr(function, '__name__', function)}(): missing required argument(s): {', '.join(missing)}"
        )


# ----------------------------------------------------------------------------------------- what @task makes


_NO_MAPPINGS = frozenset({"str", "int", "float", "bool", "list", "tuple", "set", "bytes", "None", "Any"})


def infer_multiple_outputs(function: Any) -> bool:
    """Tell from its return type whether a function returns a dict with string keys."""
    import inspect
    import typing

    raw = getattr(unwrap_partial(function), "__annotations__", {}).get("return")
    if raw is None:
        return False
    # A name may be that of a TypedDict, which has to be looked up; a type of the builtins need not be.
    if isinstance(raw, str) and raw.split("[")[0] in _NO_MAPPINGS:
        return False
    try:
        kind = typing.get_type_hints(inspect.unwrap(unwrap_partial(function))).get("return", Any)
    except Exception:
        # Types that are imported only for a type checker cannot be looked up.
        return False
    try:
        return bool(issubclass(typing.get_origin(kind) or kind, Mapping))
    except TypeError:
        return False


class _TaskDecorator(Generic[FParams, FReturn]):
    """What `@task` makes of a function; calling it makes a task."""

    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    returns_dag_result: bool = False
    _airflow_is_task_decorator = True

    def __init__(
        self,
        function: Callable[FParams, FReturn],
        operator_class: type[BaseOperator],
        multiple_outputs: bool | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(function, type) or not callable(function):
            raise TypeError("@task has to be used on a function")
        self.function = function
        self.operator_class = operator_class
        self.kwargs = dict(kwargs or {})
        self.multiple_outputs = infer_multiple_outputs(function) if multiple_outputs is None else multiple_outputs
        self.kwargs.setdefault("task_id", getattr(function, "__name__", "task"))
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<@task {self.kwargs['task_id']}>"

    # ------------------------------------------------------------------------------------------------ calling

    def __call__(self, *args: Any, **kwargs: Any) -> XComArg:
        arguments = self._operator_arguments()
        # Always: provider packages take it from their arguments, whatever it is.
        arguments["multiple_outputs"] = self.multiple_outputs
        operator = self.operator_class(
            python_callable=self.function,
            op_args=args,
            op_kwargs={**arguments.pop("op_kwargs", {}), **kwargs},
            **arguments,
        )
        self._mark(operator)
        doc = self.function.__doc__
        if doc and not (operator.doc_md or operator.doc or operator.doc_rst or operator.doc_json or operator.doc_yaml):
            operator.doc_md = doc
        return XComArg(operator)

    def _operator_arguments(self) -> dict[str, Any]:
        arguments = dict(self.kwargs)
        arguments.pop("on_failure_fail_dagrun", None)
        if self.is_teardown:
            if "trigger_rule" in arguments:
                raise ValueError("Trigger rule not configurable for teardown tasks.")
            arguments["trigger_rule"] = TriggerRule.ALL_DONE_SETUP_SUCCESS
        return arguments

    def _mark(self, operator: Any) -> None:
        if self.is_setup:
            operator.is_setup = True
        if self.is_teardown:
            operator.is_teardown = True
            operator.on_failure_fail_dagrun = self.kwargs.get("on_failure_fail_dagrun", self.on_failure_fail_dagrun)
        if self.returns_dag_result:
            operator.returns_dag_result = True

    # ------------------------------------------------------------------------------------------------ mapping

    def partial(self, **kwargs: Any) -> _TaskDecorator[FParams, FReturn]:
        """Return the decorator with arguments of the function that all instances share."""
        self._check_names("partial", kwargs)
        known = self.kwargs.get("op_kwargs", {})
        _refuse_twice(known, kwargs, "duplicate partial")
        return self._with({"op_kwargs": {**known, **kwargs}})

    def override(self, **kwargs: Any) -> _TaskDecorator[FParams, FReturn]:
        """Return the decorator with other task arguments."""
        return self._with(kwargs)

    def _with(self, kwargs: Mapping[str, Any]) -> _TaskDecorator[FParams, FReturn]:
        made = copy.copy(self)
        made.kwargs = {**self.kwargs, **kwargs}
        if "multiple_outputs" in kwargs:
            made.multiple_outputs = bool(made.kwargs.pop("multiple_outputs"))
        return made

    def expand(self, **map_kwargs: Any) -> XComArg:
        """Make a mapped task: one instance per combination of the elements of these arguments.

        Raises:
            TypeError: there is no argument, or one is unknown or given already.
            ValueError: an argument is neither a list, a dict nor a task's result.
        """
        if not map_kwargs:
            raise TypeError("no arguments to expand against")
        self._check_names("expand", map_kwargs)
        _refuse_twice(self.kwargs.get("op_kwargs", {}), map_kwargs, "mapping already partial")
        self._refuse_always(map_kwargs)
        return self._expand(DictOfListsExpandInput(map_kwargs), strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:
        """Make a mapped task: one instance per dict in a list, or in a task's result."""
        from gnomon.sdk.mapping import check_expand_kwargs

        check_expand_kwargs(kwargs)
        self._refuse_always(kwargs)
        return self._expand(ListOfDictsExpandInput(kwargs), strict=strict)

    def _refuse_always(self, mapped: Any) -> None:
        if self.kwargs.get("trigger_rule") == TriggerRule.ALWAYS and any(XComArg.iter_xcom_references(mapped)):
            raise ValueError(
                "Task-generated mapping within a task using 'expand' is not allowed with trigger rule 'always'."
            )

    def _check_names(self, func: str, kwargs: Mapping[str, Any]) -> None:
        shadowed = sorted(KNOWN_CONTEXT_KEYS & kwargs.keys())
        if shadowed:
            plural = "s" if len(shadowed) > 1 else ""
            raise ValueError(f"cannot call {func}() on task context variable{plural} {', '.join(map(repr, shadowed))}")
        import inspect

        parameters = inspect.signature(self.function).parameters
        if func == "expand":
            for name, value in kwargs.items():
                if not is_mappable(value):
                    raise ValueError(
                        f"expand() got an unexpected type {type(value).__name__!r} for keyword argument {name!r}"
                    )
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return
        unknown = [name for name in kwargs if name not in parameters]
        if unknown:
            plural = "keyword arguments" if len(unknown) > 1 else "an unexpected keyword argument"
            raise TypeError(
                f"{func}() got {'unexpected ' if len(unknown) > 1 else ''}{plural} {', '.join(map(repr, unknown))}"
            )

    def _expand(self, expand_input: Any, *, strict: bool) -> XComArg:
        from gnomon.sdk.mapping import DecoratedMappedOperator, base_arguments

        ensure_xcomarg_return_value(expand_input.value)
        kwargs = self._operator_arguments()
        dag = kwargs.pop("dag", None) or DagContext.get_current()
        group = kwargs.pop("task_group", None) or (TaskGroupContext.get_current(dag) if dag is not None else None)
        params = kwargs.pop("params", None)
        shared, default_params = base_arguments(
            self.operator_class, dag, group, kwargs.pop("default_args", None), kwargs
        )
        task_id = get_unique_task_id(shared.pop("task_id"), dag, group)
        if group is not None:
            task_id = group.child_id(task_id)
        operator = DecoratedMappedOperator(
            operator_class=self.operator_class,
            expand_input=expand_input,
            partial_kwargs=shared,
            task_id=task_id,
            dag=dag,
            task_group=group,
            params={**default_params, **(params or {})},
            strict=strict,
            multiple_outputs=self.multiple_outputs,
            python_callable=self.function,
        )
        self._mark(operator)
        return XComArg(operator)


def _refuse_twice(one: Mapping[str, Any], other: Mapping[str, Any], reason: str) -> None:
    from gnomon.sdk.mapping import prevent_duplicates

    prevent_duplicates(one, other, fail_reason=reason)


class Task(Protocol, Generic[FParams, FReturn]):
    """What `@task` makes of a function, for type checkers."""

    function: Callable[FParams, FReturn]

    def __call__(self, *args: FParams.args, **kwargs: FParams.kwargs) -> XComArg: ...
    def partial(self, **kwargs: Any) -> Task[FParams, FReturn]: ...
    def expand(self, **kwargs: Any) -> XComArg: ...
    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg: ...
    def override(self, **kwargs: Any) -> Task[FParams, FReturn]: ...


class TaskDecorator(Protocol):
    """What `task_decorator_factory` returns, for type checkers."""

    def __call__(self, python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any: ...
    def override(self, **kwargs: Any) -> Any: ...


def task_decorator_factory(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    decorated_operator_class: type[BaseOperator],
    **kwargs: Any,
) -> Any:
    """Make a task out of a function, or return a decorator that does.

    Args:
        python_callable: the function, when the decorator is used without parentheses.
        multiple_outputs: keep each value of a returned dict under its key as well; told from the return type unless given.
        decorated_operator_class: the operator that runs the function.
        kwargs: arguments of that operator.

    Raises:
        TypeError: something else than a function was given positionally.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return _TaskDecorator(function, decorated_operator_class, multiple_outputs, kwargs)

    if python_callable is None:
        return decorate
    if not callable(python_callable):
        raise TypeError("No positional arguments allowed while using @task, use named arguments instead")
    return decorate(python_callable)
