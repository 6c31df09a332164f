"""Task instances, their tries, logs and XComs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, field_validator, model_validator

from gnomon.api.public.models.admin import Job
from gnomon.api.public.models.base import Body, CursorPage, Note, NumberAsUuid, Response
from gnomon.api.public.models.dags import DagVersion
from gnomon.model.states import TaskInstanceState


class Trigger(Response):
    """What a deferred task instance waits for."""

    id: int
    classpath: str
    kwargs: str
    created_date: datetime
    queue: str | None
    triggerer_id: int | None


class TaskInstanceTry(Response):
    """One try of a task instance."""

    task_id: str
    dag_id: str
    dag_run_id: str
    map_index: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    state: TaskInstanceState | None
    try_number: int
    max_tries: int
    task_display_name: str
    dag_display_name: str
    hostname: str | None
    unixname: str | None
    pool: str
    pool_slots: int
    queue: str | None
    priority_weight: int | None
    operator: str | None
    operator_name: str | None
    queued_when: datetime | None
    scheduled_when: datetime | None
    pid: int | None
    executor: str | None
    executor_config: str
    dag_version: DagVersion | None


class TaskInstance(TaskInstanceTry):
    """A task instance."""

    id: NumberAsUuid
    logical_date: datetime | None
    run_after: datetime
    note: str | None
    rendered_map_index: str | None
    rendered_fields: dict[str, Any] = Field(default_factory=dict)
    trigger: Trigger | None
    triggerer_job: Job | None


class TaskInstanceCollection(CursorPage):
    """A page of task instances."""

    task_instances: list[TaskInstance]


class TaskInstanceTryCollection(Response):
    """The tries of a task instance."""

    task_instances: list[TaskInstanceTry]
    total_entries: int


class NewTask(Response):
    """A task that has no instance in this run yet."""

    task_id: str
    task_display_name: str


class ClearedCollection(Response):
    """What a clear concerns, or would concern."""

    task_instances: list[TaskInstance | NewTask]
    total_entries: int


class Dependency(Response):
    """Why a task instance does not run yet."""

    name: str
    reason: str


class DependencyCollection(Response):
    """All that a task instance waits for."""

    dependencies: list[Dependency]


class TaskInstancesBatch(Body):
    """The filters of a list, as a body."""

    dag_ids: list[str] | None = None
    dag_run_ids: list[str] | None = None
    task_ids: list[str] | None = None
    state: list[TaskInstanceState | None] | None = None
    run_after_gte: AwareDatetime | None = None
    run_after_gt: AwareDatetime | None = None
    run_after_lte: AwareDatetime | None = None
    run_after_lt: AwareDatetime | None = None
    logical_date_gte: AwareDatetime | None = None
    logical_date_gt: AwareDatetime | None = None
    logical_date_lte: AwareDatetime | None = None
    logical_date_lt: AwareDatetime | None = None
    start_date_gte: AwareDatetime | None = None
    start_date_gt: AwareDatetime | None = None
    start_date_lte: AwareDatetime | None = None
    start_date_lt: AwareDatetime | None = None
    end_date_gte: AwareDatetime | None = None
    end_date_gt: AwareDatetime | None = None
    end_date_lte: AwareDatetime | None = None
    end_date_lt: AwareDatetime | None = None
    duration_gte: float | None = None
    duration_gt: float | None = None
    duration_lte: float | None = None
    duration_lt: float | None = None
    pool: list[str] | None = None
    queue: list[str] | None = None
    executor: list[str] | None = None
    page_offset: NonNegativeInt = 0
    page_limit: NonNegativeInt = 100
    order_by: str | None = None


class ClearTaskInstances(Body):
    """Which task instances to clear, and how."""

    dry_run: bool = True
    start_date: AwareDatetime | None = None
    end_date: AwareDatetime | None = None
    only_failed: bool = True
    only_running: bool = False
    reset_dag_runs: bool = True
    task_ids: Annotated[list[str | tuple[str, int]], Field(min_length=1)] | None = None
    dag_run_id: str | None = None
    include_upstream: bool = False
    include_downstream: bool = False
    include_future: bool = False
    include_past: bool = False
    run_on_latest_version: bool | None = None
    prevent_running_task: bool = False
    note: Note | None = None

    @model_validator(mode="after")
    def _one_scope(self) -> ClearTaskInstances:
        if {"only_failed", "only_running"} <= self.model_fields_set and self.only_failed and self.only_running:
            raise ValueError("only_failed and only_running exclude each other")
        if self.dag_run_id and (self.start_date or self.end_date):
            raise ValueError("dag_run_id excludes start_date and end_date")
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError("end_date is before start_date")
        return self


class TaskInstancePatch(Body):
    """What may be changed of a task instance."""

    new_state: Literal["success", "failed", "skipped"] | None = None
    note: Note | None = None
    include_upstream: bool = False
    include_downstream: bool = False
    include_future: bool = False
    include_past: bool = False

    @field_validator("new_state", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class BulkTaskInstance(TaskInstancePatch):
    """A task instance in a bulk request."""

    task_id: str
    map_index: int | None = None
    dag_id: str | None = None
    dag_run_id: str | None = None


# ---------------------------------------------------------------------------------------------------- logs


class ExtraLinkCollection(Response):
    """The links of a task instance by name."""

    extra_links: dict[str, str | None]
    total_entries: int


class ExternalLogUrl(Response):
    """Where a log is read in a browser."""

    url: str


class TaskInstanceLog(Response):
    """A part of a log, and where to go on from."""

    content: list[dict[str, Any]]
    continuation_token: str | None


# --------------------------------------------------------------------------------------------------- XComs

#: Keys that our and Airflow's serializers give a meaning: a value with one of them could name a class to load.
_RESERVED = frozenset({"__classname__", "__type", "__class__", "__data__", "__version__", "__var"})


def _check_plain(value: Any, path: str = "value") -> Any:
    if isinstance(value, str) and value[:1] in "{[":
        try:
            _check_plain(json.loads(value), path)
        except (json.JSONDecodeError, RecursionError):
            pass
    elif isinstance(value, dict):
        if reserved := sorted(_RESERVED & value.keys()):
            raise ValueError(f"{path} has the reserved key {reserved[0]!r}")
        for key, item in value.items():
            _check_plain(item, f"{path}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_plain(item, f"{path}[{place}]")
    return value


class XCom(Response):
    """An XCom entry without its value, as lists show it."""

    key: str
    timestamp: datetime
    logical_date: datetime | None
    map_index: int
    task_id: str
    dag_id: str
    run_id: str
    dag_display_name: str
    task_display_name: str
    run_after: datetime


class XComNative(XCom):
    """An XCom entry with its value."""

    value: Any


class XComCollection(Response):
    """A page of XCom entries."""

    xcom_entries: list[XCom]
    total_entries: int


class XComUpdate(Body):
    """A new value."""

    value: Any
    map_index: int = -1

    @field_validator("value")
    @classmethod
    def _is_plain(cls, value: Any) -> Any:
        return _check_plain(value)


class XComCreate(XComUpdate):
    """A new entry."""

    key: str = Field(max_length=512)
