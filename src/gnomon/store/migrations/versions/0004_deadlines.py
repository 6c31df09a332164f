"""Deadlines of DAG runs, questions that only user code can answer, and what listeners are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deadline",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("dag_run_id", _KEY, nullable=False),
        sa.Column("alert_index", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=True),
        sa.Column("deadline_time", sa.BigInteger(), nullable=True),
        sa.Column("missed", sa.Boolean(), nullable=False),
        sa.Column("callback", sa.Text(), nullable=False),
        sa.Column("callback_id", _KEY, nullable=True),
        sa.Column("callback_state", sa.String(length=20), nullable=True),
        sa.Column("callback_output", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dag_run_id"], ["dag_run.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dag_run_id", "alert_index"),
    )
    op.create_index(op.f("ix_deadline_dag_run_id"), "deadline", ["dag_run_id"])
    op.create_index(op.f("ix_deadline_callback_id"), "deadline", ["callback_id"])
    open_ones = sa.text("NOT missed")
    op.create_index(
        "ix_deadline_due", "deadline", ["deadline_time"], sqlite_where=open_ones, postgresql_where=open_ones
    )
    op.create_table(
        "question",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("about", sa.String(length=100), nullable=False),
        sa.Column("classpath", sa.String(length=1000), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "dag_id", "about"),
    )
    op.create_index(op.f("ix_question_due"), "question", ["due"])
    op.create_table(
        "listened", sa.Column("hook", sa.String(length=100), nullable=False), sa.PrimaryKeyConstraint("hook")
    )
    op.create_table(
        "announcement",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("announcement")
    op.drop_table("listened")
    op.drop_table("question")
    op.drop_table("deadline")
