"""Jobs, executors and callbacks of Airflow's services, which Gnomon has in a form of its own."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.core.executor import BaseExecutor
from gnomon.sdk.exceptions import AirflowException


class BaseCallbackSink:
    """Takes callbacks of executors."""

    def send(self, callback: Any) -> None:
        """Take one; for subclasses."""
        raise NotImplementedError


class LocalExecutor(BaseExecutor):
    """Airflow's executor on this machine; Gnomon's worker runs tasks in its place."""

    is_local = True
    supports_callbacks = True

    def start(self) -> None:
        """Refuse: Gnomon's own local executor is started by its scheduler."""
        raise AirflowException(
            "LocalExecutor is started by the scheduler: set [core] executor and run `gnomon scheduler`"
        )


class SequentialExecutor(LocalExecutor):
    """Airflow's executor of one task at a time; in Gnomon a worker with one slot."""

    def __init__(self) -> None:
        super().__init__(parallelism=1)


class DebugExecutor(LocalExecutor):
    """Airflow's executor for debuggers; `dag.test()` runs a DAG in one process."""
