"""@dag: a function that makes tasks, as a function that makes a DAG."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from gnomon.sdk.dag import DAG


def dag(dag_id_or_func: Any = None, __DAG_class: type[DAG] = DAG, **decorator_kwargs: Any) -> Any:
    """Make a function that makes tasks into one that makes a DAG; takes the arguments of DAG.

    The DAG has the function's name unless dag_id is given, its docstring as documentation, and its arguments as params.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., DAG]:
        @wraps(function)
        def factory(*args: Any, **kwargs: Any) -> DAG:
            import inspect

            bound = inspect.signature(function).bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = dict(decorator_kwargs)
            arguments.setdefault("dag_id", function.__name__)
            if function.__doc__ and not arguments.get("doc_md"):
                arguments["doc_md"] = function.__doc__
            made = __DAG_class(**arguments)
            made.fileloc = function.__code__.co_filename
            with made:
                function(**{name: made.param(name, value) for name, value in bound.arguments.items()})
            return made

        return factory

    if callable(dag_id_or_func):
        return decorate(dag_id_or_func)
    if dag_id_or_func is not None:
        decorator_kwargs["dag_id"] = dag_id_or_func
    return decorate
