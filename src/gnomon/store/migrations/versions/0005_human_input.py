"""Questions to people, and the states that tasks and assets keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.BIGINT().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
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


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("human_input")
