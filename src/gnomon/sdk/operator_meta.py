"""Making operators: default_args, and wiring once an operator is whole."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from gnomon.sdk.authoring import DagContext, TaskGroupContext
from gnomon.sdk.nesting import guarded

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.task_group import TaskGroup

#: default_args of the operators that are being made, the innermost last
_pending: list[Mapping[str, Any]] = []
_NO_DEFAULTS: Mapping[str, Any] = {}


def _arguments_of(init: Callable[..., Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Return (all names, required names) of an `__init__`."""
    function = init
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        return frozenset(), frozenset()
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    positional = code.co_varnames[1 : code.co_argcount]
    optional = set(positional[len(positional) - len(function.__defaults__ or ()) :]) | set(
        function.__kwdefaults__ or ()
    )
    return frozenset(names), frozenset(name for name in names if name not in optional)


def with_default_args(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap an `__init__` so that default_args fill in what its caller left out."""
    names, required = _arguments_of(init)

    @wraps(init)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError("Use keyword arguments when initializing operators")
        if _pending and (defaults := _pending[-1]):
            for name, value in defaults.items():
                if name in names and name not in kwargs:
                    kwargs[name] = value
        if not required <= kwargs.keys():
            missing = sorted(required - kwargs.keys())
            plural = "s" if len(missing) > 1 else ""
            raise TypeError(
                f"missing keyword argument{plural} {', '.join(map(repr, missing))}"
                f" ({type(self).__name__}{_named(kwargs)})"
            )
        init(self, **kwargs)

    wrapper.argument_names = names  # type: ignore[attr-defined]
    return wrapper


def _named(kwargs: Mapping[str, Any]) -> str:
    return f" {kwargs['task_id']!r}" if "task_id" in kwargs else ""


#: argument → default, of BaseOperator.__init__; filled in below the class
BASE_ARGUMENTS: dict[str, Any] = {}


class OperatorMeta(ABCMeta):
    """Makes operators: fills in default_args, and wires XComArgs once the operator is whole."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> OperatorMeta:
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if "__init__" in namespace:
            cls.__init__ = with_default_args(namespace["__init__"])  # type: ignore[misc]
        if "execute" in namespace and callable(namespace["execute"]):
            cls.execute = guarded(namespace["execute"])  # type: ignore[attr-defined]
        if BASE_ARGUMENTS:
            # A class attribute that hides a default must not hide the argument of the same name.
            hidden = [arg for arg in BASE_ARGUMENTS if arg in namespace and not hasattr(namespace[arg], "__get__")]
            if hidden:
                cls._hidden_arguments = frozenset(hidden) | cls._hidden_arguments  # type: ignore[attr-defined]
        return cls

    def __call__(cls, *args: Any, _airflow_from_mapped: bool = False, **kwargs: Any) -> Any:
        if args:
            raise TypeError("Use keyword arguments when initializing operators")
        dag = kwargs.get("dag") or DagContext.get_current()
        if dag is not None and not hasattr(dag, "task_dict"):
            raise TypeError(f"{cls.__name__}: dag has to be a DAG, not {type(dag).__name__}: {dag!r}")
        group = kwargs.get("task_group") or (TaskGroupContext.get_current(dag) if dag is not None else None)
        defaults = merged_default_args(dag, group, kwargs.get("default_args"))
        if defaults is not _NO_DEFAULTS and isinstance(extra := defaults.get("params"), Mapping):
            defaults = {name: value for name, value in defaults.items() if name != "params"}
            kwargs["params"] = {**_plain(extra), **_plain(kwargs.get("params"))}
        new: Any = cls.__new__
        plain = new is object.__new__
        self: Any = new(cls) if plain else new(cls, **kwargs)
        if _airflow_from_mapped:
            self._from_mapped = True
        _pending.append(defaults)
        try:
            self.__init__(**kwargs)
        finally:
            _pending.pop()
        if not _airflow_from_mapped:
            self._wire_xcomargs()
        return self


def _plain(params: Any) -> Mapping[str, Any]:
    return dict(params.items()) if params else {}


def merged_default_args(dag: DAG | None, group: TaskGroup | None, own: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return default_args: the DAG's, overridden by the group's, overridden by the operator's own."""
    from_dag = dag.default_args if dag is not None else None
    from_group = group.default_args if group is not None else None
    if not from_dag and not from_group and not own:
        return _NO_DEFAULTS
    return {**(from_dag or {}), **(from_group or {}), **(own or {})}
