"""Assets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from gnomon.api.public.models.base import Body, Note, Response


class DagScheduleAssetReference(Response):
    """A DAG that waits for the asset."""

    dag_id: str
    created_at: datetime
    updated_at: datetime


class TaskAssetReference(Response):
    """A task with the asset as inlet or outlet."""

    dag_id: str
    task_id: str
    created_at: datetime
    updated_at: datetime


class LastAssetEvent(Response):
    """The newest event of an asset."""

    id: int | None = None
    timestamp: datetime | None = None


class AssetWatcher(Response):
    """What watches an asset."""

    name: str
    trigger_id: int
    created_date: datetime


class AssetAlias(Response):
    """An alias."""

    id: int
    name: str
    group: str


class Asset(Response):
    """An asset."""

    id: int
    name: str
    uri: str
    group: str
    extra: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime
    scheduled_dags: list[DagScheduleAssetReference]
    producing_tasks: list[TaskAssetReference]
    consuming_tasks: list[TaskAssetReference]
    aliases: list[AssetAlias]
    watchers: list[AssetWatcher]
    last_asset_event: LastAssetEvent | None = None


class AssetCollection(Response):
    """A page of assets."""

    assets: list[Asset]
    total_entries: int


class AssetAliasCollection(Response):
    """A page of aliases."""

    asset_aliases: list[AssetAlias]
    total_entries: int


class DagRunAssetReference(Response):
    """A run that an event went into; `triggering` if it is the newest of the run's events."""

    run_id: str
    dag_id: str
    logical_date: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    state: str
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    partition_key: str | None
    triggering: bool


class AssetEvent(Response):
    """An event of an asset."""

    id: int
    asset_id: int
    uri: str | None = None
    name: str | None = None
    group: str | None = None
    extra: dict[str, Any] | None = None
    source_task_id: str | None = None
    source_dag_id: str | None = None
    source_run_id: str | None = None
    source_map_index: int
    created_dagruns: list[DagRunAssetReference]
    timestamp: datetime
    partition_key: str | None = None


class AssetEventCollection(Response):
    """A page of events."""

    asset_events: list[AssetEvent]
    total_entries: int


class QueuedEvent(Response):
    """An asset that a DAG waits with."""

    dag_id: str
    asset_id: int
    created_at: datetime
    dag_display_name: str


class QueuedEventCollection(Response):
    """What DAGs wait with."""

    queued_events: list[QueuedEvent]
    total_entries: int


class AssetEventAccessControl(Body):
    """Which teams may consume an event; there are no teams yet."""

    consumer_teams: list[str] | None = None
    allow_global: bool = True


class AssetEventBody(Body):
    """An event to make."""

    asset_id: int
    partition_key: Annotated[str, StringConstraints(pattern=r"\S", max_length=250)] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    access_control: AssetEventAccessControl | None = None


class MaterializeBody(Body):
    """The run that is to make an asset."""

    dag_run_id: str | None = Field(default=None, max_length=250)
    data_interval_start: AwareDatetime | None = None
    data_interval_end: AwareDatetime | None = None
    logical_date: AwareDatetime | None = None
    run_after: AwareDatetime | None = None
    conf: dict[str, Any] | None = None
    note: Note | None = None
    partition_key: str | None = Field(default=None, max_length=250)

    @model_validator(mode="after")
    def _interval_is_whole(self) -> MaterializeBody:
        if (self.data_interval_start is None) != (self.data_interval_end is None):
            raise ValueError("data_interval_start and data_interval_end must be given together, or neither of them")
        return self
