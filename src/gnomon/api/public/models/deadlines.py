"""Bodies about deadlines."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from gnomon.api.public.models.base import NumberAsUuid, Response


class Deadline(Response):
    """When a run is due, and whether it has missed that."""

    id: NumberAsUuid
    deadline_time: datetime
    missed: bool
    created_at: datetime
    dag_id: str
    dag_run_id: str
    alert_id: UUID | None = None
    alert_name: str | None = None


class DeadlineCollection(Response):
    """A page of deadlines."""

    deadlines: list[Deadline]
    total_entries: int


class DeadlineAlert(Response):
    """What a DAG says about when its runs are due."""

    id: UUID
    name: str | None = None
    reference_type: str
    #: seconds; None when a variable holds them
    interval: float | None = None
    created_at: datetime


class DeadlineAlertCollection(Response):
    """The alerts of a DAG."""

    deadline_alerts: list[DeadlineAlert]
    total_entries: int
