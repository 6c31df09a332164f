"""Backfills."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from gnomon.api.public.models.base import Body, Response
from gnomon.model.backfills import ReprocessBehavior

#: A time without a timezone is one of UTC.
_Moment = Annotated[
    datetime, AfterValidator(lambda moment: moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
]
_Conf = Annotated[
    dict[str, Any] | None, BeforeValidator(lambda conf: json.loads(conf) if isinstance(conf, str) else conf)
]


class NewBackfill(Body):
    """A backfill to create."""

    dag_id: str
    from_date: _Moment
    to_date: _Moment
    run_backwards: bool = False
    dag_run_conf: dict[str, Any] | None = None
    reprocess_behavior: ReprocessBehavior = ReprocessBehavior.NONE
    max_active_runs: int = 10
    run_on_latest_version: bool | None = None


class Backfill(Response):
    """A backfill."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    dag_run_conf: _Conf
    is_paused: bool
    reprocess_behavior: ReprocessBehavior
    max_active_runs: int
    created_at: datetime
    completed_at: datetime | None
    updated_at: datetime
    dag_display_name: str


class BackfillCollection(Response):
    """A page of backfills."""

    backfills: list[Backfill]
    total_entries: int


class DryRunBackfill(Response):
    """A run that a backfill would make."""

    logical_date: datetime | None
    partition_key: str | None
    partition_date: datetime | None


class DryRunBackfillCollection(Response):
    """The runs that a backfill would make."""

    backfills: list[DryRunBackfill]
    total_entries: int
