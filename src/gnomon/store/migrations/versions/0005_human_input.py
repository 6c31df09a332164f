"""Questions to people, and the states that tasks and assets keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _create_human_input()
    _create_task_state()
    _create_asset_state()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("asset_state", "task_state", "human_input"):
        op.drop_table(table)


def _create_human_input() -> None:
    op.create_table(
        "human_input",
        sa.Column("ti_id", _KEY, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("defaults", sa.Text(), nullable=True),
        sa.Column("multiple", sa.Boolean(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("assigned_users", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("responded_at", sa.BigInteger(), nullable=True),
        sa.Column("responded_by_id", sa.String(length=250), nullable=True),
        sa.Column("responded_by_name", sa.String(length=512), nullable=True),
        sa.Column("chosen_options", sa.Text(), nullable=True),
        sa.Column("params_input", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ti_id"], ["task_instance.id"], name=op.f("fk_human_input_ti_id_task_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ti_id", "try_number", name=op.f("pk_human_input")),
    )
    op.create_index("ix_human_input_created", "human_input", ["created_at"])


def _create_task_state() -> None:
    op.create_table(
        "task_state",
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("task_id", sa.String(length=250), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dag_run_id"], ["dag_run.id"], name=op.f("fk_task_state_dag_run_id_dag_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dag_run_id", "task_id", "map_index", "key", name=op.f("pk_task_state")),
    )
    op.create_index(
        "ix_task_state_expires",
        "task_state",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


def _create_asset_state() -> None:
    op.create_table(
        "asset_state",
        sa.Column("asset_id", _KEY, nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("writer_kind", sa.String(length=20), nullable=True),
        sa.Column("writer_dag_id", sa.String(length=250), nullable=True),
        sa.Column("writer_run_id", sa.String(length=250), nullable=True),
        sa.Column("writer_task_id", sa.String(length=250), nullable=True),
        sa.Column("writer_map_index", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_asset_state_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "key", name=op.f("pk_asset_state")),
    )
