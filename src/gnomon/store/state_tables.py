"""The tables of what task instances and assets keep."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from gnomon.store import asset_tables  # noqa: F401 - an asset's state refers to it
from gnomon.store.tables import metadata
from gnomon.store.types import Instant, Json, Key

task_state = Table(
    "task_state",
    metadata,
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", String(250), primary_key=True),
    Column("map_index", Integer, primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
    #: when `state-store clean` may delete it; NULL for never
    Column("expires_at", Instant),
)
Index(
    "ix_task_state_expires",
    task_state.c.expires_at,
    sqlite_where=text("expires_at IS NOT NULL"),
    postgresql_where=text("expires_at IS NOT NULL"),
)

asset_state = Table(
    "asset_state",
    metadata,
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
    #: who wrote it last: "task", "watcher" or "api", and the task instance if it was one
    Column("writer_kind", String(20)),
    Column("writer_dag_id", String(250)),
    Column("writer_run_id", String(250)),
    Column("writer_task_id", String(250)),
    Column("writer_map_index", Integer),
)
