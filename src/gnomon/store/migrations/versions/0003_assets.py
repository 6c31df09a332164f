"""Assets, their events, and the runs that wait for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _create_assets()
    _create_references()
    _create_events()
    _create_queues()
    _create_partitions()
    _create_partition_answers()
    _create_watchers()


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "asset_watcher",
        "watcher",
        "partition_arrival",
        "partition_told",
        "partition_event",
        "partition_run",
        "dag_run_asset_event",
        "asset_queue",
        "asset_event_alias",
        "asset_event",
        "task_asset",
        "dag_schedule_reference",
        "dag_schedule_alias",
        "dag_schedule_asset",
        "asset_alias_asset",
        "asset_alias",
        "asset",
    ):
        op.drop_table(table)


def _create_assets() -> None:
    op.create_table(
        "asset",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("uri", sa.String(length=1500), nullable=False),
        sa.Column("group", sa.String(length=1500), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("name", "uri", name=op.f("uq_asset_name_uri")),
    )
    op.create_index(
        "ix_asset_active_name",
        "asset",
        ["name"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )
    op.create_index(
        "ix_asset_active_uri",
        "asset",
        ["uri"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "asset_alias",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.Column("group", sa.String(length=1500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_alias")),
        sa.UniqueConstraint("name", name=op.f("uq_asset_alias_name")),
    )
    op.create_table(
        "asset_alias_asset",
        sa.Column("alias_id", _KEY, nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"], ["asset_alias.id"], name=op.f("fk_asset_alias_asset_alias_id_asset_alias"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_alias_asset_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alias_id", "asset_id", name=op.f("pk_asset_alias_asset")),
    )
    op.create_index(op.f("ix_asset_alias_asset_asset_id"), "asset_alias_asset", ["asset_id"], unique=False)


def _create_references() -> None:
    op.create_table(
        "dag_schedule_asset",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_dag_schedule_asset_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_schedule_asset_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "asset_id", name=op.f("pk_dag_schedule_asset")),
    )
    op.create_index(op.f("ix_dag_schedule_asset_asset_id"), "dag_schedule_asset", ["asset_id"], unique=False)
    op.create_table(
        "dag_schedule_alias",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("alias_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"],
            ["asset_alias.id"],
            name=op.f("fk_dag_schedule_alias_alias_id_asset_alias"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_schedule_alias_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "alias_id", name=op.f("pk_dag_schedule_alias")),
    )
    op.create_index(op.f("ix_dag_schedule_alias_alias_id"), "dag_schedule_alias", ["alias_id"], unique=False)
    op.create_table(
        "dag_schedule_reference",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("value", sa.String(length=1500), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_schedule_reference_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "kind", "value", name=op.f("pk_dag_schedule_reference")),
    )
    op.create_index(op.f("ix_dag_schedule_reference_value"), "dag_schedule_reference", ["value"], unique=False)
    op.create_table(
        "task_asset",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_task_asset_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_task_asset_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", "task_id", "direction", "asset_id", name=op.f("pk_task_asset")),
    )
    op.create_index(op.f("ix_task_asset_asset_id"), "task_asset", ["asset_id"], unique=False)


def _create_events() -> None:
    op.create_table(
        "asset_event",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("source_dag_id", sa.String(length=250), nullable=True),
        sa.Column("source_task_id", sa.String(length=250), nullable=True),
        sa.Column("source_run_id", sa.String(length=250), nullable=True),
        sa.Column("source_map_index", sa.Integer(), nullable=False),
        sa.Column("partition_key", sa.String(length=250), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_event_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_event")),
    )
    op.create_index("ix_asset_event_asset_time", "asset_event", ["asset_id", "timestamp"], unique=False)
    op.create_index(op.f("ix_asset_event_timestamp"), "asset_event", ["timestamp"], unique=False)
    op.create_table(
        "asset_event_alias",
        sa.Column("alias_id", _KEY, nullable=False),
        sa.Column("event_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_id"], ["asset_alias.id"], name=op.f("fk_asset_event_alias_alias_id_asset_alias"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["asset_event.id"], name=op.f("fk_asset_event_alias_event_id_asset_event"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alias_id", "event_id", name=op.f("pk_asset_event_alias")),
    )
    op.create_index(op.f("ix_asset_event_alias_event_id"), "asset_event_alias", ["event_id"], unique=False)


def _create_queues() -> None:
    op.create_table(
        "asset_queue",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_queue_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_asset_queue_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", "asset_id", name=op.f("pk_asset_queue")),
    )
    op.create_index(op.f("ix_asset_queue_asset_id"), "asset_queue", ["asset_id"], unique=False)
    op.create_table(
        "dag_run_asset_event",
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("event_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_dag_run_asset_event_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["asset_event.id"],
            name=op.f("fk_dag_run_asset_event_event_id_asset_event"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dag_run_id", "event_id", name=op.f("pk_dag_run_asset_event")),
    )
    op.create_index(op.f("ix_dag_run_asset_event_event_id"), "dag_run_asset_event", ["event_id"], unique=False)


def _create_partitions() -> None:
    op.create_table(
        "partition_run",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("partition_key", sa.String(length=250), nullable=False),
        sa.Column("partition_date", sa.BigInteger(), nullable=True),
        sa.Column("definition", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_partition_run_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partition_run")),
        sa.UniqueConstraint("dag_id", "partition_key", name=op.f("uq_partition_run_dag_id_partition_key")),
    )
    op.create_table(
        "partition_event",
        sa.Column("partition_run_id", _KEY, nullable=False),
        sa.Column("event_id", _KEY, nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("source_key", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_partition_event_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["asset_event.id"], name=op.f("fk_partition_event_event_id_asset_event"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["partition_run_id"],
            ["partition_run.id"],
            name=op.f("fk_partition_event_partition_run_id_partition_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("partition_run_id", "event_id", name=op.f("pk_partition_event")),
    )
    op.create_index(op.f("ix_partition_event_asset_id"), "partition_event", ["asset_id"], unique=False)
    op.create_index(op.f("ix_partition_event_event_id"), "partition_event", ["event_id"], unique=False)


def _create_partition_answers() -> None:
    op.create_table(
        "partition_told",
        sa.Column("partition_run_id", _KEY, nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("date", sa.BigInteger(), nullable=True),
        sa.Column("date_error", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_partition_told_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["partition_run_id"],
            ["partition_run.id"],
            name=op.f("fk_partition_told_partition_run_id_partition_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("partition_run_id", "asset_id", name=op.f("pk_partition_told")),
    )
    op.create_index(op.f("ix_partition_told_asset_id"), "partition_told", ["asset_id"], unique=False)
    op.create_table(
        "partition_arrival",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("event_id", _KEY, nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("source_key", sa.String(length=250), nullable=False),
        sa.Column("date", sa.BigInteger(), nullable=True),
        sa.Column("definition", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_partition_arrival_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_partition_arrival_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["asset_event.id"],
            name=op.f("fk_partition_arrival_event_id_asset_event"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dag_id", "event_id", name=op.f("pk_partition_arrival")),
    )
    op.create_index(op.f("ix_partition_arrival_asset_id"), "partition_arrival", ["asset_id"], unique=False)
    op.create_index(op.f("ix_partition_arrival_event_id"), "partition_arrival", ["event_id"], unique=False)


def _create_watchers() -> None:
    op.create_table(
        "watcher",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("classpath", sa.String(length=1000), nullable=False),
        sa.Column("kwargs", sa.Text(), nullable=False),
        sa.Column("triggerer", sa.String(length=250), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watcher")),
        sa.UniqueConstraint("digest", name=op.f("uq_watcher_digest")),
    )
    op.create_index(op.f("ix_watcher_triggerer"), "watcher", ["triggerer"], unique=False)
    op.create_table(
        "asset_watcher",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("watcher_id", _KEY, nullable=False),
        sa.Column("name", sa.String(length=1500), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_watcher_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_asset_watcher_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["watcher_id"], ["watcher.id"], name=op.f("fk_asset_watcher_watcher_id_watcher"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_id", "asset_id", "watcher_id", name=op.f("pk_asset_watcher")),
    )
    op.create_index(op.f("ix_asset_watcher_asset_id"), "asset_watcher", ["asset_id"], unique=False)
    op.create_index(op.f("ix_asset_watcher_watcher_id"), "asset_watcher", ["watcher_id"], unique=False)
