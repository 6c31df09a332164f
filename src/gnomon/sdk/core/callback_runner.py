"""Running a function that may yield metadata of assets, as the operators of Python functions do."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Protocol


class ExecutionCallableRunner(Protocol):
    """Makes something with `run` of a function and the outlet events of a task."""

    def __call__(self, func: Callable[..., Any], outlet_events: Any, *, logger: logging.Logger) -> Any:
        """Return it."""


AsyncExecutionCallableRunner = ExecutionCallableRunner


class _Runner:
    def __init__(self, func: Callable[..., Any], outlet_events: Any, logger: Any) -> None:
        self._func, self._events, self._logger = func, outlet_events, logger

    def run(self, *args: Any, **kwargs: Any) -> Any:
        if not inspect.isgeneratorfunction(self._func):
            return self._func(*args, **kwargs)
        generator = self._func(*args, **kwargs)
        while True:
            try:
                yielded = next(generator)
            except StopIteration as end:
                return end.value
            if not self._note(yielded):
                self._logger.warning("Ignoring unknown data of %r received from task", type(yielded))

    def _note(self, yielded: Any) -> bool:
        from gnomon.sdk.assets import Metadata

        if not isinstance(yielded, Metadata):
            return False
        self._events[yielded.asset].extra.update(yielded.extra)
        if yielded.alias:
            self._events[yielded.alias].add(yielded.asset, extra=yielded.extra)
        return True


class _AsyncRunner(_Runner):
    async def run(self, *args: Any, **kwargs: Any) -> Any:
        if not inspect.isasyncgenfunction(self._func):
            return await self._func(*args, **kwargs)
        results = []
        async for yielded in self._func(*args, **kwargs):
            self._note(yielded)
            results.append(yielded)
        return results


def create_executable_runner(func: Callable[..., Any], outlet_events: Any, *, logger: Any) -> Any:
    """Return what runs a function; metadata that a generator yields goes into `outlet_events`."""
    return _Runner(func, outlet_events, logger)


def create_async_executable_runner(func: Callable[..., Any], outlet_events: Any, *, logger: Any) -> Any:
    """Return what runs a coroutine function or an asynchronous generator."""
    return _AsyncRunner(func, outlet_events, logger)
