"""@task_group: a function that makes tasks, as a function that makes a group of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from typing import Any

from gnomon.sdk.expand_input import (
    DictOfListsExpandInput,
    ListOfDictsExpandInput,
    MappedArgument,
    ensure_xcomarg_return_value,
    is_mappable,
)
from gnomon.sdk.task_group import MappedTaskGroup, TaskGroup


class _TaskGroupFactory:
    """What @task_group makes of a function: calling it makes a group of what the function makes."""

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        self.function = function
        self.kwargs = {"group_id": function.__name__, **kwargs}
        if self.kwargs.get("group_id") is None:
            self.kwargs["group_id"] = function.__name__
        self.kwargs.setdefault("add_suffix_on_collision", True)
        self.partial_kwargs: dict[str, Any] = {}
        self._partial_pending = False
        update_wrapper(self, function)

    def _parameters(self) -> Mapping[str, Any]:
        import inspect

        return inspect.signature(self.function).parameters

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._partial_pending = False
        return self._create(TaskGroup, args, {**self.partial_kwargs, **kwargs})

    def _create(
        self, kind: Callable[..., TaskGroup], args: Sequence[Any], kwargs: Mapping[str, Any], **more: Any
    ) -> Any:
        with kind(**more, **self.kwargs) as group:
            group.tooltip = group.tooltip or self.function.__doc__ or ""
            group.doc_md = group.doc_md or self.function.__doc__
            returned = self.function(*args, **kwargs)
        # What the function returns is what others are wired to; without that, it is the group.
        return group if returned is None else returned

    def override(self, **kwargs: Any) -> _TaskGroupFactory:
        """Return the factory with other group arguments."""
        return _TaskGroupFactory(self.function, **{**self.kwargs, **kwargs})

    def partial(self, **kwargs: Any) -> _TaskGroupFactory:
        """Return the factory with arguments that all instances share."""
        self._check_names("partial", kwargs)
        twice = sorted(self.partial_kwargs.keys() & kwargs.keys())
        if twice:
            raise TypeError(f"duplicate partial argument: {', '.join(twice)}")
        factory = _TaskGroupFactory(self.function, **self.kwargs)
        factory.partial_kwargs = {**self.partial_kwargs, **kwargs}
        factory._partial_pending = True
        return factory

    def expand(self, **kwargs: Any) -> Any:
        """Make a mapped group: one instance per combination of the elements of these arguments."""
        if not kwargs:
            raise TypeError("no arguments to expand against")
        self._check_names("expand", kwargs)
        twice = sorted(self.partial_kwargs.keys() & kwargs.keys())
        if twice:
            raise TypeError(f"mapping already partial argument: {', '.join(twice)}")
        ensure_xcomarg_return_value(kwargs)
        self._partial_pending = False
        expand_input = DictOfListsExpandInput(kwargs)
        arguments = {name: MappedArgument(expand_input, name) for name in kwargs}
        return self._create(MappedTaskGroup, (), {**self.partial_kwargs, **arguments}, expand_input=expand_input)

    def expand_kwargs(self, kwargs: Any) -> Any:
        """Make a mapped group: one instance per dict in a list."""
        from gnomon.sdk.mapping import check_expand_kwargs

        check_expand_kwargs(kwargs)
        ensure_xcomarg_return_value(kwargs)
        self._partial_pending = False
        expand_input = ListOfDictsExpandInput(kwargs)
        names = [name for name in self._parameters() if name not in self.partial_kwargs]
        arguments = {name: MappedArgument(expand_input, name) for name in names}
        return self._create(MappedTaskGroup, (), {**self.partial_kwargs, **arguments}, expand_input=expand_input)

    def _check_names(self, func: str, kwargs: Mapping[str, Any]) -> None:
        parameters = self._parameters()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return
        unknown = sorted(kwargs.keys() - parameters.keys())
        if unknown:
            raise TypeError(f"{func}() got an unexpected keyword argument {', '.join(map(repr, unknown))}")
        if func == "expand":
            for name, value in kwargs.items():
                if not is_mappable(value):
                    raise ValueError(
                        f"expand() got an unexpected type {type(value).__name__!r} for keyword argument {name!r}"
                    )

    def __del__(self) -> None:
        if getattr(self, "_partial_pending", False):
            import warnings

            warnings.warn(f"Partial task group {self.function.__name__!r} was never mapped!", stacklevel=1)


def task_group(function: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a function that makes tasks into one that makes a task group; takes the arguments of TaskGroup."""
    if callable(function):
        return _TaskGroupFactory(function, **kwargs)
    if function is not None:
        kwargs["group_id"] = function
    return lambda decorated: _TaskGroupFactory(decorated, **kwargs)
