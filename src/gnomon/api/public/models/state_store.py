"""What task instances and assets keep."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, JsonValue, field_validator

from gnomon.api.public.models.base import Body, Response
from gnomon.service.config import conf


class TaskState(Response):
    """A value that a task instance keeps."""

    key: str
    value: Any
    updated_at: datetime
    expires_at: datetime | None


class TaskStateCollection(Response):
    """A page of what a task instance keeps."""

    task_state_store: list[TaskState]
    total_entries: int


class Writer(Response):
    """Who wrote a value last."""

    kind: Literal["task", "watcher", "api"]
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None


class AssetState(Response):
    """A value that an asset keeps."""

    key: str
    value: Any
    updated_at: datetime
    last_updated_by: Writer | None


class AssetStateCollection(Response):
    """A page of what an asset keeps."""

    asset_state_store: list[AssetState]
    total_entries: int


class StateBody(Body):
    """A new value."""

    value: JsonValue

    @field_validator("value")
    @classmethod
    def _fits(cls, value: JsonValue) -> JsonValue:
        if value is None:
            raise ValueError("value cannot be null")
        try:
            size = len(json.dumps(value, allow_nan=False))
        except ValueError:
            raise ValueError("value holds NaN or an infinity, which JSON has not") from None
        limit = conf.getint("state_store", "max_value_storage_bytes", fallback=65535)
        if 0 < limit < size:
            raise ValueError(f"value has {size} bytes; [state_store] max_value_storage_bytes allows {limit}")
        return value


class TaskStateBody(StateBody):
    """A new value and how long it is kept: "default" for the configured time, null for ever."""

    expires_at: AwareDatetime | Literal["default"] | None = "default"
