"""Where an author is while a DAG file runs: inside which DAG, which task group, which module."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.task_group import TaskGroup


class DagContext:
    """The stack of `with DAG(…)` blocks, and the DAGs that register themselves when their block ends."""

    #: (DAG, module) pairs of blocks that ended while `current_autoregister_module_name` was being imported
    autoregistered_dags: ClassVar[set[tuple[DAG, ModuleType]]] = set()
    #: set by whoever imports a DAG file, to the name of the module
    current_autoregister_module_name: ClassVar[str | None] = None
    _stack: ClassVar[list[DAG]] = []

    @classmethod
    def push(cls, dag: DAG) -> None:
        """Enter a DAG's block."""
        cls._stack.append(dag)
        TaskGroupContext.push(dag.task_group)

    @classmethod
    def pop(cls) -> DAG | None:
        """Leave the innermost block; its DAG registers itself."""
        if not cls._stack:
            return None
        dag = cls._stack.pop()
        TaskGroupContext.pop()
        module = sys.modules.get(cls.current_autoregister_module_name or "")
        if dag.auto_register and module is not None:
            cls.autoregistered_dags.add((dag, module))
        return dag

    @classmethod
    def get_current(cls) -> DAG | None:
        """Return the innermost DAG, or None outside of all blocks."""
        return cls._stack[-1] if cls._stack else None

    # names of Airflow 2
    push_context_managed_dag = push
    pop_context_managed_dag = pop
    get_current_dag = get_current


class TaskGroupContext:
    """The stack of task groups."""

    active: ClassVar[bool] = False
    _stack: ClassVar[list[TaskGroup]] = []

    @classmethod
    def push(cls, group: TaskGroup) -> None:
        """Enter a group's block."""
        cls._stack.append(group)
        cls.active = True

    @classmethod
    def pop(cls) -> TaskGroup | None:
        """Leave the innermost block."""
        cls.active = len(cls._stack) > 1
        return cls._stack.pop() if cls._stack else None

    @classmethod
    def get_current(cls, dag: DAG | None) -> TaskGroup | None:
        """Return the innermost group that belongs to `dag`, or its root group."""
        if cls._stack and (dag is None or cls._stack[-1].dag is dag):
            return cls._stack[-1]
        return dag.task_group if dag is not None else None

    push_context_managed_task_group = push
    pop_context_managed_task_group = pop
    get_current_task_group = get_current


def current_dag(explicit: Any = None) -> DAG | None:
    """Return the DAG that was given, or the one whose block we are in."""
    return explicit if explicit is not None else DagContext.get_current()
