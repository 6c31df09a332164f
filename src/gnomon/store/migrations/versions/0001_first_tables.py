"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _create_files_and_dags()
    _create_runs()
    _create_task_instances()
    _create_settings()
    _create_processes()


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "event_log",
        "job",
        "leader",
        "setting",
        "pool",
        "connection",
        "variable",
        "trigger_event",
        "trigger",
        "rendered_fields",
        "task_instance_history",
        "task_instance",
        "callback",
        "xcom",
        "skip_decision",
        "dag_run",
        "dag_warning",
        "import_error",
        "dag_favorite",
        "dag_tag",
        "dag",
        "dag_version",
        "parsed_file",
        "bundle",
    ):
        op.drop_table(table)


def _create_files_and_dags() -> None:
    op.create_table(
        "bundle",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=True),
        sa.Column("last_refreshed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bundle")),
    )
    op.create_table(
        "parsed_file",
        sa.Column("bundle_name", sa.String(length=250), nullable=False),
        sa.Column("relative_path", sa.String(length=2000), nullable=False),
        sa.Column("source_hash", sa.String(length=64), nullable=False),
        sa.Column("mtime", sa.Float(), nullable=False),
        sa.Column("size", _KEY, nullable=False),
        sa.Column("modules", sa.Text(), nullable=False),
        sa.Column("last_parsed", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_name", "relative_path", name=op.f("pk_parsed_file")),
    )
    op.create_table(
        "dag_version",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("version_number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("bundle_name", sa.String(length=250), nullable=False),
        sa.Column("bundle_version", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dag_version")),
        sa.UniqueConstraint("dag_id", "version_number", name=op.f("uq_dag_version_dag_id_version_number")),
    )
    op.create_table(
        "dag",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("dag_display_name", sa.String(length=2000), nullable=True),
        sa.Column("bundle_name", sa.String(length=250), nullable=False),
        sa.Column("bundle_version", sa.String(length=200), nullable=True),
        sa.Column("relative_fileloc", sa.String(length=2000), nullable=False),
        sa.Column("fileloc", sa.String(length=2000), nullable=False),
        sa.Column("bundle_root", sa.String(length=2000), nullable=False),
        sa.Column("source_hash", sa.String(length=64), nullable=False),
        sa.Column("version_id", _KEY, nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.Column("has_import_errors", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("owners", sa.String(length=2000), nullable=False),
        sa.Column("timetable_summary", sa.Text(), nullable=True),
        sa.Column("timetable_description", sa.Text(), nullable=True),
        sa.Column("timetable_type", sa.String(length=100), nullable=False),
        sa.Column("max_active_runs", sa.Integer(), nullable=False),
        sa.Column("max_active_tasks", sa.Integer(), nullable=False),
        sa.Column("max_consecutive_failed_dag_runs", sa.Integer(), nullable=False),
        sa.Column("last_parsed", sa.BigInteger(), nullable=True),
        sa.Column("last_parse_seconds", sa.Float(), nullable=True),
        sa.Column("next_run_after", sa.BigInteger(), nullable=True),
        sa.Column("next_logical_date", sa.BigInteger(), nullable=True),
        sa.Column("next_interval_start", sa.BigInteger(), nullable=True),
        sa.Column("next_interval_end", sa.BigInteger(), nullable=True),
        sa.Column("exceeds_max_non_backfill", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["dag_version.id"], name=op.f("fk_dag_version_id_dag_version"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("dag_id", name=op.f("pk_dag")),
    )
    op.create_index(
        "ix_dag_due",
        "dag",
        ["next_run_after"],
        unique=False,
        sqlite_where=sa.text("next_run_after IS NOT NULL"),
        postgresql_where=sa.text("next_run_after IS NOT NULL"),
    )
    op.create_index("ix_dag_file", "dag", ["bundle_name", "relative_fileloc"], unique=False)
    op.create_table(
        "dag_tag",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_tag_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "dag_id", name=op.f("pk_dag_tag")),
    )
    op.create_index(op.f("ix_dag_tag_dag_id"), "dag_tag", ["dag_id"], unique=False)
    op.create_table(
        "dag_favorite",
        sa.Column("user_id", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_favorite_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "dag_id", name=op.f("pk_dag_favorite")),
    )
    op.create_table(
        "import_error",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("bundle_name", sa.String(length=250), nullable=False),
        sa.Column("filename", sa.String(length=2000), nullable=False),
        sa.Column("stacktrace", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_error")),
        sa.UniqueConstraint("bundle_name", "filename", name=op.f("uq_import_error_bundle_name_filename")),
    )
    op.create_table(
        "dag_warning",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("warning_type", sa.String(length=50), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_warning_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", "warning_type", name=op.f("pk_dag_warning")),
    )


def _create_runs() -> None:
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
    op.create_index(
        "ix_dag_run_active",
        "dag_run",
        ["state", "dag_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_dag_run_dag_after", "dag_run", ["dag_id", "run_after"], unique=False)
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
    op.create_index(op.f("ix_callback_dag_run_id"), "callback", ["dag_run_id"], unique=False)


def _create_task_instances() -> None:
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
    op.create_index(
        "ix_task_instance_busy",
        "task_instance",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
        postgresql_where=sa.text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
    )
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
    op.create_table(
        "rendered_fields",
        sa.Column("ti_id", _KEY, nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ti_id"], ["task_instance.id"], name=op.f("fk_rendered_fields_ti_id_task_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ti_id", name=op.f("pk_rendered_fields")),
    )
    op.create_table(
        "trigger",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("ti_id", _KEY, nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("classpath", sa.String(length=1000), nullable=False),
        sa.Column("kwargs", sa.Text(), nullable=False),
        sa.Column("queue", sa.String(length=256), nullable=True),
        sa.Column("triggerer", sa.String(length=250), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger")),
    )
    op.create_index(op.f("ix_trigger_ti_id"), "trigger", ["ti_id"], unique=False)
    op.create_index(op.f("ix_trigger_triggerer"), "trigger", ["triggerer"], unique=False)
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


def _create_settings() -> None:
    op.create_table(
        "variable",
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_variable")),
    )
    op.create_table(
        "connection",
        sa.Column("conn_id", sa.String(length=250), nullable=False),
        sa.Column("conn_type", sa.String(length=500), nullable=False),
        sa.Column("host", sa.String(length=500), nullable=True),
        sa.Column("schema", sa.String(length=500), nullable=True),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("is_extra_encrypted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conn_id", name=op.f("pk_connection")),
    )
    op.create_table(
        "pool",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("include_deferred", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pool")),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )


def _create_processes() -> None:
    op.create_table(
        "leader",
        sa.Column("role", sa.String(length=50), nullable=False),
        sa.Column("holder", sa.String(length=250), nullable=False),
        sa.Column("epoch", _KEY, nullable=False),
        sa.Column("acquired_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_leader")),
    )
    op.create_table(
        "job",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("job_type", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("hostname", sa.String(length=500), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("executor_class", sa.String(length=500), nullable=True),
        sa.Column("unixname", sa.String(length=250), nullable=True),
        sa.Column("start_date", sa.BigInteger(), nullable=False),
        sa.Column("latest_heartbeat", sa.BigInteger(), nullable=False),
        sa.Column("end_date", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_job_type"), "job", ["job_type"], unique=False)
    op.create_table(
        "event_log",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("dttm", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=100), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.Column("try_number", sa.Integer(), nullable=True),
        sa.Column("logical_date", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.String(length=500), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_log")),
    )
    op.create_index(op.f("ix_event_log_dag_id"), "event_log", ["dag_id"], unique=False)
    op.create_index(op.f("ix_event_log_dttm"), "event_log", ["dttm"], unique=False)
