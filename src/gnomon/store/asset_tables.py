"""The tables of assets; part of the same metadata as `gnomon.store.tables`.

An asset that no DAG names any more stays with its history, but is not active. Among the active ones a name belongs to
one URI and a URI to one name.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from gnomon.store.tables import metadata
from gnomon.store.types import Instant, Json, Key

asset = Table(
    "asset",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("name", String(1500), nullable=False),
    Column("uri", String(1500), nullable=False),
    Column("group", String(1500), nullable=False, default="asset"),
    Column("extra", Json, nullable=False, default="{}"),
    Column("is_active", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("name", "uri"),
)
Index(
    "ix_asset_active_name",
    asset.c.name,
    unique=True,
    sqlite_where=text("is_active"),
    postgresql_where=text("is_active"),
)
Index(
    "ix_asset_active_uri", asset.c.uri, unique=True, sqlite_where=text("is_active"), postgresql_where=text("is_active")
)

asset_alias = Table(
    "asset_alias",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("name", String(1500), nullable=False, unique=True),
    Column("group", String(1500), nullable=False, default="asset"),
)

#: The assets that tasks have resolved an alias to.
asset_alias_asset = Table(
    "asset_alias_asset",
    metadata,
    Column("alias_id", Key, ForeignKey("asset_alias.id", ondelete="CASCADE"), primary_key=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
)


def _of_dag() -> Column[str]:
    return Column("dag_id", String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True)


#: What the schedules of DAGs name.
dag_schedule_asset = Table(
    "dag_schedule_asset",
    metadata,
    _of_dag(),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
dag_schedule_alias = Table(
    "dag_schedule_alias",
    metadata,
    _of_dag(),
    Column("alias_id", Key, ForeignKey("asset_alias.id", ondelete="CASCADE"), primary_key=True, index=True),
)
#: `kind` is "name" or "uri": an asset that some other DAG defines.
dag_schedule_reference = Table(
    "dag_schedule_reference",
    metadata,
    _of_dag(),
    Column("kind", String(4), primary_key=True),
    Column("value", String(1500), primary_key=True, index=True),
)

#: `direction` is "in" or "out".
task_asset = Table(
    "task_asset",
    metadata,
    _of_dag(),
    Column("task_id", String(250), primary_key=True),
    Column("direction", String(3), primary_key=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

asset_event = Table(
    "asset_event",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), nullable=False),
    Column("timestamp", Instant, nullable=False, index=True),
    Column("extra", Json, nullable=False, default="{}"),
    Column("source_dag_id", String(250)),
    Column("source_task_id", String(250)),
    Column("source_run_id", String(250)),
    Column("source_map_index", Integer, nullable=False, default=-1),
    Column("partition_key", String(250)),
)
Index("ix_asset_event_asset_time", asset_event.c.asset_id, asset_event.c.timestamp)

asset_event_alias = Table(
    "asset_event_alias",
    metadata,
    Column("alias_id", Key, ForeignKey("asset_alias.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", Key, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True, index=True),
)

#: What a DAG waits with: assets updated since its last run. `updated_at` is the time of the newest event.
asset_queue = Table(
    "asset_queue",
    metadata,
    _of_dag(),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

dag_run_asset_event = Table(
    "dag_run_asset_event",
    metadata,
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", Key, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True, index=True),
)

#: A run to come of a DAG that waits for partitions. `definition` is a digest of how keys were mapped for it.
partition_run = Table(
    "partition_run",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("dag_id", String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), nullable=False),
    Column("partition_key", String(250), nullable=False),
    Column("partition_date", Instant),
    Column("definition", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("dag_id", "partition_key"),
)

#: Which event brought which upstream key of which asset.
partition_event = Table(
    "partition_event",
    metadata,
    Column("partition_run_id", Key, ForeignKey("partition_run.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", Key, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("source_key", String(250), nullable=False),
)

#: What a user's mapper says of a run to come and one of its assets.
partition_told = Table(
    "partition_told",
    metadata,
    Column("partition_run_id", Key, ForeignKey("partition_run.id", ondelete="CASCADE"), primary_key=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
    #: the keys upstream that make it up; NULL where any one will do
    Column("expected", Json),
    Column("date", Instant),
    #: why there is no date, and why it is not known what is expected
    Column("date_error", Text),
    Column("error", Text),
)

#: An event for a DAG whose mapper is a user's: it waits to be asked which runs it is for.
partition_arrival = Table(
    "partition_arrival",
    metadata,
    _of_dag(),
    Column("event_id", Key, ForeignKey("asset_event.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("source_key", String(250), nullable=False),
    Column("date", Instant),
    Column("definition", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
)

#: A trigger that watches for assets, shared by all that describe the same one.
watcher = Table(
    "watcher",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("classpath", String(1000), nullable=False),
    #: encrypted JSON
    Column("kwargs", Text, nullable=False),
    Column("triggerer", String(250), index=True),
    Column("created_at", Instant, nullable=False),
)

#: Which DAG lets which asset be watched by what.
asset_watcher = Table(
    "asset_watcher",
    metadata,
    _of_dag(),
    Column("asset_id", Key, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("watcher_id", Key, ForeignKey("watcher.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("name", String(1500), nullable=False),
)
