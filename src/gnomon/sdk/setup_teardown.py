"""Setup and teardown: `with setup_task >> teardown_task:` wires what is made inside between the two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar


class SetupTeardownContext:
    """The stack of `with setup:` blocks and the tasks made inside each."""

    active: ClassVar[bool] = False
    #: one (setups, teardowns, work) frame per block
    _frames: ClassVar[list[tuple[list[Any], list[Any], list[Any]]]] = []

    @classmethod
    def push_setup_teardown_task(cls, task: Any) -> None:
        """Enter the block of one task, or of a list of setups or of teardowns."""
        tasks = list(task) if isinstance(task, (list, tuple)) else [task]
        setups = [one for one in tasks if one.is_setup]
        teardowns = [one for one in tasks if one.is_teardown]
        for setup in list(setups):
            _extend(teardowns, (one for one in setup.downstream_list if one.is_teardown))
        for teardown in list(teardowns):
            _extend(setups, (one for one in teardown.upstream_list if one.is_setup))
        cls._frames.append((setups, teardowns, []))
        cls.active = True

    @classmethod
    def add_task(cls, task: Any) -> None:
        """Take a task into the current block, as `context.add_task(t)` does for one made outside of it."""
        cls.update_context_map(task)

    @classmethod
    def update_context_map(cls, item: Any) -> None:
        """Note that a task was made or wired inside the current block."""
        from gnomon.sdk.abstract_operator import AbstractOperator
        from gnomon.sdk.task_group import TaskGroup
        from gnomon.sdk.xcomarg import XComArg

        if not cls._frames:
            return
        if isinstance(item, (list, tuple)):
            for one in item:
                cls.update_context_map(one)
        elif isinstance(item, XComArg):
            _extend(cls._frames[-1][2], (task for task, _ in item.iter_references()))
        elif isinstance(item, TaskGroup):
            _extend(cls._frames[-1][2], item.iter_tasks())
        elif isinstance(item, AbstractOperator):
            _extend(cls._frames[-1][2], [item])

    @classmethod
    def set_work_task_roots_and_leaves(cls) -> None:
        """Leave the block: wire the setups before its work and the teardowns after it."""
        setups, teardowns, work = cls._frames.pop()
        cls.active = bool(cls._frames)
        own = {id(task) for task in (*setups, *teardowns)}
        inner = [task for task in work if id(task) not in own]
        ids = {task.task_id for task in inner}
        for task in inner:
            if setups and not task.upstream_task_ids & ids:
                task.set_upstream([setup for setup in setups if setup is not task])
        plain = [task for task in inner if not task.is_teardown]
        plain_ids = {task.task_id for task in plain}
        for task in plain:
            if teardowns and not task.downstream_task_ids & plain_ids:
                task.set_downstream([teardown for teardown in teardowns if teardown is not task])
        if cls._frames:
            _extend(cls._frames[-1][2], (*setups, *inner, *teardowns))


BaseSetupTeardownContext = SetupTeardownContext


class ContextWrapper(list[Any]):
    """A list of setups or teardowns that works as a context manager."""

    def __init__(self, tasks: Iterable[Any]) -> None:
        super().__init__(tasks)
        self.tasks = list(self)

    def __enter__(self) -> type[SetupTeardownContext]:
        from gnomon.sdk.exceptions import AirflowException

        setups = {bool(task.is_setup) for task in self}
        teardowns = {bool(task.is_teardown) for task in self}
        if not (setups == {True} or teardowns == {True}):
            raise AirflowException("the tasks of a setup/teardown context have to be all setups or all teardowns")
        SetupTeardownContext.push_setup_teardown_task([_operator(task) for task in self])
        return SetupTeardownContext

    def __exit__(self, *exc: object) -> None:
        SetupTeardownContext.set_work_task_roots_and_leaves()


context_wrapper = ContextWrapper


def _operator(task: Any) -> Any:
    return getattr(task, "operator", task)


def _extend(tasks: list[Any], more: Iterable[Any]) -> None:
    known = {id(task) for task in tasks}
    for task in more:
        if id(task) not in known:
            known.add(id(task))
            tasks.append(task)
