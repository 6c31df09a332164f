"""The table of backfills; part of the same metadata as `gnomon.store.tables`. Their runs say whose they are themselves."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, text

from gnomon.store.tables import metadata
from gnomon.store.types import Instant, Json, Key

backfill = Table(
    "backfill",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("dag_id", String(250), nullable=False, index=True),
    Column("from_date", Instant, nullable=False),
    Column("to_date", Instant, nullable=False),
    #: NULL if none was given: a run that is made again then keeps its own
    Column("dag_run_conf", Json),
    #: no further run of it begins
    Column("is_paused", Boolean, nullable=False, default=False),
    #: none, failed or completed
    Column("reprocess_behavior", String(20), nullable=False),
    Column("max_active_runs", Integer, nullable=False),
    Column("triggering_user_name", String(512)),
    Column("created_at", Instant, nullable=False),
    #: when its last run ended, or it was cancelled
    Column("completed_at", Instant),
    Column("updated_at", Instant, nullable=False),
)
#: A DAG has at most one backfill that is not completed.
Index(
    "ix_backfill_active",
    backfill.c.dag_id,
    unique=True,
    sqlite_where=text("completed_at IS NULL"),
    postgresql_where=text("completed_at IS NULL"),
)
