"""Settings, processes, files and DAGs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _create_variable()
    _create_connection()
    _create_pool()
    _create_setting()
    _create_leader()
    _create_job()
    _create_event_log()
    _create_bundle()
    _create_parsed_file()
    _create_dag_version()
    _create_dag()
    _create_dag_tag()
    _create_dag_favorite()
    _create_import_error()
    _create_dag_warning()
    _create_indexes()


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "dag_warning",
        "import_error",
        "dag_favorite",
        "dag_tag",
        "dag",
        "dag_version",
        "parsed_file",
        "bundle",
        "event_log",
        "job",
        "leader",
        "setting",
        "pool",
        "connection",
        "variable",
    ):
        op.drop_table(table)


def _create_variable() -> None:
    op.create_table(
        "variable",
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_variable")),
    )


def _create_connection() -> None:
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


def _create_pool() -> None:
    op.create_table(
        "pool",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("include_deferred", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pool")),
    )


def _create_setting() -> None:
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )


def _create_leader() -> None:
    op.create_table(
        "leader",
        sa.Column("role", sa.String(length=50), nullable=False),
        sa.Column("holder", sa.String(length=250), nullable=False),
        sa.Column("epoch", _KEY, nullable=False),
        sa.Column("acquired_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_leader")),
    )


def _create_job() -> None:
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


def _create_event_log() -> None:
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


def _create_bundle() -> None:
    op.create_table(
        "bundle",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=True),
        sa.Column("last_refreshed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bundle")),
    )


def _create_parsed_file() -> None:
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


def _create_dag_version() -> None:
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


def _create_dag() -> None:
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


def _create_dag_tag() -> None:
    op.create_table(
        "dag_tag",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_tag_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "dag_id", name=op.f("pk_dag_tag")),
    )


def _create_dag_favorite() -> None:
    op.create_table(
        "dag_favorite",
        sa.Column("user_id", sa.String(length=250), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(
            ["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_favorite_dag_id_dag"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "dag_id", name=op.f("pk_dag_favorite")),
    )


def _create_import_error() -> None:
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


def _create_dag_warning() -> None:
    op.create_table(
        "dag_warning",
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("warning_type", sa.String(length=50), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], name=op.f("fk_dag_warning_dag_id_dag"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("dag_id", "warning_type", name=op.f("pk_dag_warning")),
    )


def _create_indexes() -> None:
    op.create_index(op.f("ix_job_job_type"), "job", ["job_type"], unique=False)
    op.create_index(op.f("ix_event_log_dag_id"), "event_log", ["dag_id"], unique=False)
    op.create_index(op.f("ix_event_log_dttm"), "event_log", ["dttm"], unique=False)
    op.create_index(
        "ix_dag_due",
        "dag",
        ["next_run_after"],
        unique=False,
        sqlite_where=sa.text("next_run_after IS NOT NULL"),
        postgresql_where=sa.text("next_run_after IS NOT NULL"),
    )
    op.create_index("ix_dag_file", "dag", ["bundle_name", "relative_fileloc"], unique=False)
    op.create_index(op.f("ix_dag_tag_dag_id"), "dag_tag", ["dag_id"], unique=False)
