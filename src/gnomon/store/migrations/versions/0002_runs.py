"""DAG runs and task instances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _create_dag_run()
    _create_task_instance()
    _create_task_instance_history()
    _create_skip_decision()
    _create_xcom()
    _create_rendered_fields()
    _create_trigger()
    _create_trigger_event()
    _create_callback()
    _create_indexes()


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "callback",
        "trigger_event",
        "trigger",
        "rendered_fields",
        "xcom",
        "skip_decision",
        "task_instance_history",
        "task_instance",
        "dag_run",
    ):
        op.drop_table(table)


def _create_dag_run() -> None:
    op.create_table(
        "dag_run",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("run_id", sa.String(length=250), nullable=False),
        sa.Column("run_type", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version_id", _KEY, nullable=True),
        sa.Column("logical_date", sa.BigInteger(), nullable=True),
        sa.Column("data_interval_start", sa.BigInteger(), nullable=True),
        sa.Column("data_interval_end", sa.BigInteger(), nullable=True),
        sa.Column("run_after", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=True),
        sa.Column("start_date", sa.BigInteger(), nullable=True),
        sa.Column("end_date", sa.BigInteger(), nullable=True),
        sa.Column("last_scheduling_decision", sa.BigInteger(), nullable=True),
        sa.Column("conf", sa.Text(), nullable=False),
        sa.Column("triggered_by", sa.String(length=50), nullable=True),
        sa.Column("triggering_user_name", sa.String(length=512), nullable=True),
        sa.Column("clear_number", sa.Integer(), nullable=False),
        sa.Column("backfill_id", _KEY, nullable=True),
        sa.Column("backfill_sort_ordinal", sa.Integer(), nullable=True),
        sa.Column("partition_key", sa.String(length=250), nullable=True),
        sa.Column("partition_date", sa.BigInteger(), nullable=True),
        sa.Column("bundle_version", sa.String(length=200), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("span_context", sa.Text(), nullable=True),
        sa.Column("expanded", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running') OR end_date IS NOT NULL", name=op.f("ck_dag_run_finished_has_end")
        ),
        sa.CheckConstraint("state IN ('queued', 'running', 'success', 'failed')", name=op.f("ck_dag_run_state")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["dag_version.id"], name=op.f("fk_dag_run_version_id_dag_version"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dag_run")),
        sa.UniqueConstraint("dag_id", "logical_date", name=op.f("uq_dag_run_dag_id_logical_date")),
        sa.UniqueConstraint("dag_id", "run_id", name=op.f("uq_dag_run_dag_id_run_id")),
    )


def _create_task_instance() -> None:
    op.create_table(
        "task_instance",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("max_tries", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("operator", sa.String(length=1000), nullable=False),
        sa.Column("pool", sa.String(length=256), nullable=False),
        sa.Column("pool_slots", sa.Integer(), nullable=False),
        sa.Column("queue", sa.String(length=256), nullable=False),
        sa.Column("priority_weight", sa.Integer(), nullable=False),
        sa.Column("executor", sa.String(length=1000), nullable=True),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("queued_at", sa.BigInteger(), nullable=True),
        sa.Column("start_date", sa.BigInteger(), nullable=True),
        sa.Column("end_date", sa.BigInteger(), nullable=True),
        sa.Column("first_start", sa.BigInteger(), nullable=True),
        sa.Column("reschedules", sa.Integer(), nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.String(length=250), nullable=True),
        sa.Column("hostname", sa.String(length=1000), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("trigger_id", _KEY, nullable=True),
        sa.Column("next_method", sa.String(length=1000), nullable=True),
        sa.Column("next_kwargs", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("rendered_map_index", sa.String(length=250), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version_id", _KEY, nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IS NULL OR state IN ('removed', 'scheduled', 'queued', 'running', 'success', 'restarting', 'failed', 'up_for_retry', 'up_for_reschedule', 'upstream_failed', 'skipped', 'deferred', 'awaiting_input')",
            name=op.f("ck_task_instance_state"),
        ),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_task_instance_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_instance")),
        sa.UniqueConstraint(
            "dag_run_id", "task_id", "map_index", name=op.f("uq_task_instance_dag_run_id_task_id_map_index")
        ),
    )


def _create_task_instance_history() -> None:
    op.create_table(
        "task_instance_history",
        sa.Column("ti_id", _KEY, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("max_tries", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=True),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("start_date", sa.BigInteger(), nullable=True),
        sa.Column("end_date", sa.BigInteger(), nullable=True),
        sa.Column("hostname", sa.String(length=1000), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("version_id", _KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["ti_id"],
            ["task_instance.id"],
            name=op.f("fk_task_instance_history_ti_id_task_instance"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ti_id", "try_number", name=op.f("pk_task_instance_history")),
    )


def _create_skip_decision() -> None:
    op.create_table(
        "skip_decision",
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("by_task_id", sa.String(length=250), nullable=False),
        sa.Column("by_map_index", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_skip_decision_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "dag_run_id", "task_id", "map_index", "by_task_id", "by_map_index", name=op.f("pk_skip_decision")
        ),
    )


def _create_xcom() -> None:
    op.create_table(
        "xcom",
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_xcom_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_run_id", "task_id", "map_index", "key", name=op.f("pk_xcom")),
    )


def _create_rendered_fields() -> None:
    op.create_table(
        "rendered_fields",
        sa.Column("ti_id", _KEY, nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ti_id"], ["task_instance.id"], name=op.f("fk_rendered_fields_ti_id_task_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ti_id", name=op.f("pk_rendered_fields")),
    )


def _create_trigger() -> None:
    op.create_table(
        "trigger",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("ti_id", _KEY, nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("classpath", sa.String(length=1000), nullable=False),
        sa.Column("kwargs", sa.Text(), nullable=False),
        sa.Column("templates", sa.Text(), nullable=True),
        sa.Column("queue", sa.String(length=256), nullable=True),
        sa.Column("triggerer", sa.String(length=250), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger")),
    )


def _create_trigger_event() -> None:
    op.create_table(
        "trigger_event",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("trigger_id", _KEY, nullable=False),
        sa.Column("ti_id", _KEY, nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_event")),
        sa.UniqueConstraint("trigger_id", name=op.f("uq_trigger_event_trigger_id")),
    )


def _create_callback() -> None:
    op.create_table(
        "callback",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("ti_id", _KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_callback_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback")),
    )


def _create_indexes() -> None:
    op.create_index(
        "ix_dag_run_active",
        "dag_run",
        ["state", "dag_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_dag_run_dag_after", "dag_run", ["dag_id", "run_after"], unique=False)
    op.create_index(
        "ix_task_instance_busy",
        "task_instance",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
        postgresql_where=sa.text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
    )
    op.create_index(op.f("ix_trigger_ti_id"), "trigger", ["ti_id"], unique=False)
    op.create_index(op.f("ix_trigger_triggerer"), "trigger", ["triggerer"], unique=False)
    op.create_index(op.f("ix_callback_dag_run_id"), "callback", ["dag_run_id"], unique=False)
