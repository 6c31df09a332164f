"""Task instances that somebody has marked by hand, as listeners are told of them."""

from __future__ import annotations

from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance


class MarkedTaskInstance(RuntimeTaskInstance):
    """A task instance that does not run: in Airflow 3 listeners get one of the database's here."""

    #: what `isinstance(…, airflow.models.TaskInstance)` looks at
    is_stored = True
