"""What stands for rows of the database, which user code never sees: `airflow.models.TaskInstance`, and runs for listeners."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.runtime.dag_run import DagRun, find_run
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from gnomon.sdk.settings import profile
from gnomon.sdk.states import DagRunTriggeredByType


class _OnlyInAirflow2(type):
    """In Airflow 3 a running task instance is none of the database's; listeners tell them apart by that."""

    def __instancecheck__(cls, instance: object) -> bool:
        if getattr(type(instance), "is_stored", False):
            return True  # one that somebody has marked
        return profile() == 2 and isinstance(instance, RuntimeTaskInstance)


class TaskInstance(RuntimeTaskInstance, metaclass=_OnlyInAirflow2):
    """`airflow.models.TaskInstance`: a name for type hints, and for what is asked of the class."""


class ToldRun(DagRun):
    """A run as listeners are told of it: with its DAG, as it is now.

    Args:
        run: The run as it was when somebody decided to tell of it.
        dag: Its DAG.
        state: What it is said to be.
    """

    def __init__(self, run: DagRun, dag: Any, state: str) -> None:
        now = find_run(run.dag_id, run_id=run.run_id) or run
        super().__init__(now._info, plain=True)
        self.dag = dag
        self.state = state

    @property
    def triggered_by(self) -> DagRunTriggeredByType | None:
        """What made the run, if that was noted."""
        return None if self._info.triggered_by is None else DagRunTriggeredByType(self._info.triggered_by)

    @property
    def version_number(self) -> int | None:
        """The number of the DAG's version that the run belongs to."""
        return self._info.version_number

    def get_dag(self) -> Any:
        """Return the DAG."""
        return self.dag

    def get_state(self) -> str:
        """Return the state that is told of."""
        return self.state
