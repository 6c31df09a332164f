"""Runs what users hang on a task: callbacks, pre- and post-execute hooks; also as generators that yield metadata."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("airflow.task")


def as_list(callbacks: Any) -> list[Callable[..., Any]]:
    """Return the callbacks of one kind, whether one, several or none are given."""
    if not callbacks:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def run_callbacks(kind: str, callbacks: Any, context: Any) -> None:
    """Call each callback with the context; one that raises is logged and does not stop the others."""
    for callback in as_list(callbacks):
        try:
            call(callback, context, context)
        except Exception:
            log.exception("The %s %s failed; the state of the task is not affected", kind, name_of(callback))


def call(function: Callable[..., Any], context: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `function`; what a generator function yields is noted as metadata of outlets, and its result returned."""
    if not inspect.isgeneratorfunction(function):
        return function(*args, **kwargs)
    generator = function(*args, **kwargs)
    try:
        while True:
            _note(next(generator), context)
    except StopIteration as end:
        return end.value


def _note(metadata: Any, context: Any) -> None:
    asset = getattr(metadata, "asset", None)
    if asset is None:
        log.warning("A %s was yielded; only Metadata means something here", type(metadata).__name__)
        return
    events = context["outlet_events"]
    events[asset].extra.update(metadata.extra or {})
    if getattr(metadata, "alias", None):
        events[metadata.alias].add(asset, extra=metadata.extra)


def name_of(callback: Any) -> str:
    """Return a callback's name for a log line."""
    return getattr(callback, "__qualname__", None) or type(callback).__qualname__
