"""DAG runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, NonNegativeInt, model_validator

from gnomon.api.public.models.base import Body, CursorPage, Note, Response
from gnomon.api.public.models.dags import DagVersion
from gnomon.model.states import DagRunState, DagRunType


class DagRun(Response):
    """A DAG run."""

    dag_run_id: str
    dag_id: str
    logical_date: datetime | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    last_scheduling_decision: datetime | None
    run_type: DagRunType
    state: DagRunState
    triggered_by: str | None
    triggering_user_name: str | None
    conf: dict[str, Any] | None
    note: str | None
    dag_versions: list[DagVersion]
    bundle_version: str | None
    dag_display_name: str
    partition_key: str | None
    partition_date: datetime | None


class DagRunCollection(CursorPage):
    """A page of runs."""

    dag_runs: list[DagRun]


class SettableState(StrEnum):
    """The states that a person may set a run to."""

    QUEUED = "queued"
    SUCCESS = "success"
    FAILED = "failed"


class DagRunPatch(Body):
    """What may be changed of a run."""

    state: SettableState | None = None
    note: Note | None = None


class BulkDagRun(Body):
    """A run in a bulk request."""

    dag_run_id: str
    dag_id: str | None = None
    state: SettableState | None = None
    note: Note | None = None


class DagRunTrigger(Body):
    """A run to create. The logical date must be there, but may be null."""

    dag_run_id: str | None = Field(default=None, max_length=250)
    data_interval_start: AwareDatetime | None = None
    data_interval_end: AwareDatetime | None = None
    logical_date: AwareDatetime | None
    run_after: AwareDatetime | None = None
    conf: dict[str, Any] | None = None
    note: Note | None = None
    partition_key: str | None = Field(default=None, max_length=250)

    @model_validator(mode="after")
    def _interval_is_whole(self) -> DagRunTrigger:
        if (self.data_interval_start is None) != (self.data_interval_end is None):
            raise ValueError("data_interval_start and data_interval_end must be given together, or neither of them")
        return self


class DagRunClear(Body):
    """How to clear a run."""

    dry_run: bool = True
    only_failed: bool = False
    only_new: bool = False
    run_on_latest_version: bool | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> DagRunClear:
        if self.only_new and self.only_failed:
            raise ValueError("only_new and only_failed exclude each other")
        return self


class DagRunClearMany(DagRunClear):
    """Which runs to clear, and how."""

    dag_runs: Annotated[list[BulkDagRun], Field(min_length=1)]


class ClearPartitions(Body):
    """Which runs are to be about no partition any more; one way to say it."""

    run_id: str | None = None
    partition_key: str | None = None
    partition_date_start: datetime | None = None
    partition_date_end: datetime | None = None
    clear_task_instances: bool = False
    dry_run: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> ClearPartitions:
        start, end = self.partition_date_start, self.partition_date_end
        if sum((self.run_id is not None, self.partition_key is not None, start is not None or end is not None)) != 1:
            raise ValueError(
                "Exactly one of run_id, partition_key, or a partition date window (partition_date_start /"
                " partition_date_end) must be provided."
            )
        if start is not None and end is not None and start.replace(tzinfo=None) > end.replace(tzinfo=None):
            raise ValueError("partition_date_start must be on or before partition_date_end.")
        return self


class ClearedPartitions(Response):
    """What a clear of partitions did, or would do."""

    dag_runs_cleared: int
    task_instances_cleared: int
    dry_run: bool


Moment = AwareDatetime | None


class DagRunsBatch(Body):
    """The filters of a list, as a body."""

    order_by: str | None = None
    page_offset: NonNegativeInt = 0
    page_limit: NonNegativeInt = 100
    dag_ids: list[str] | None = None
    states: list[DagRunState | None] | None = None
    run_after_gte: Moment = None
    run_after_gt: Moment = None
    run_after_lte: Moment = None
    run_after_lt: Moment = None
    logical_date_gte: Moment = None
    logical_date_gt: Moment = None
    logical_date_lte: Moment = None
    logical_date_lt: Moment = None
    start_date_gte: Moment = None
    start_date_gt: Moment = None
    start_date_lte: Moment = None
    start_date_lt: Moment = None
    end_date_gte: Moment = None
    end_date_gt: Moment = None
    end_date_lte: Moment = None
    end_date_lt: Moment = None
    duration_gte: float | None = None
    duration_gt: float | None = None
    duration_lte: float | None = None
    duration_lt: float | None = None
    conf_contains: str | None = None
