"""Listeners: what plugins want to hear of tasks, runs, assets and import errors.

Without one of them `manager` is None, and that is all that a task looks at.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("airflow.listeners")

#: None as long as nobody listens
manager: ListenerManager | None = None


def __getattr__(name: str) -> Any:
    # pluggy is imported only by those who have listeners
    if name == "hookimpl":
        import pluggy

        return pluggy.HookimplMarker("airflow")
    if name == "hookspec":
        import pluggy

        return pluggy.HookspecMarker("airflow")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ListenerManager:
    """Knows the listeners, and calls them through `hook`."""

    def __init__(self) -> None:
        from pluggy import PluginManager

        self.pm = PluginManager("airflow")
        self.pm.add_hookspecs(importlib.import_module("gnomon.sdk.listener_specs"))

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens."""
        return bool(self.pm.get_plugins())

    @property
    def hook(self) -> Any:
        """The calls."""
        return self.pm.hook

    def add_hookspecs(self, spec_module: Any) -> None:
        """Add further calls."""
        self.pm.add_hookspecs(spec_module)

    def add_listener(self, listener: Any) -> None:
        """Add a module or an object with functions that are marked by `hookimpl`."""
        if not self.pm.is_registered(listener):
            self.pm.register(listener)

    def clear(self) -> None:
        """Remove all listeners."""
        for listener in self.pm.get_plugins():
            self.pm.unregister(listener)


def get_listener_manager() -> ListenerManager:
    """Return the manager of this process; one that nobody listens to, without listeners."""
    return manager if manager is not None else ListenerManager()


def integrate(plugins: Iterable[Any]) -> None:
    """Register the listeners of plugins."""
    global manager
    for plugin in plugins:
        for listener in plugin.listeners:
            manager = manager or ListenerManager()
            try:
                manager.add_listener(listener)
            except Exception:
                log.exception("a listener of the plugin %s cannot be used", plugin.name)


def forget() -> None:
    """Remove all listeners."""
    global manager
    manager = None


def is_heard(name: str) -> bool:
    """Return whether a listener wants to hear of something, for example `on_dag_run_failed`."""
    return manager is not None and bool(getattr(manager.hook, name).get_hookimpls())


def heard() -> list[str]:
    """Return the names of what listeners want to hear of."""
    if manager is None:
        return []
    specs = importlib.import_module("gnomon.sdk.listener_specs")
    return [name for name in vars(specs) if name.startswith(("on_", "before_")) and is_heard(name)]


def tell(name: str, **what: Any) -> None:
    """Tell whoever listens; what a listener raises is logged, and changes nothing else."""
    if manager is None:
        return
    try:
        getattr(manager.hook, name)(**what)
    except Exception:
        log.exception("a listener failed in %s", name)


class TaskRunnerMarker:
    """The component that `on_starting` and `before_stopping` are told of in a task's process."""


class Job:
    """The component that they are told of for a process that lives long: its row of the jobs."""

    id: int
    job_type: str
    state: str
    hostname: str
    pid: int
    unixname: str | None
    executor_class: str | None
    start_date: Any
    end_date: Any

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    def __repr__(self) -> str:
        return f"<{self.job_type} {self.id}>"
