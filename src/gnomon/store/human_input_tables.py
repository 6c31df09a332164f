"""The table of questions to people."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from gnomon.store.tables import metadata
from gnomon.store.types import Instant, Json, Key

#: One question per try; the row of the task instance's present try is the one that can be answered.
human_input = Table(
    "human_input",
    metadata,
    Column("ti_id", Key, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("try_number", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("body", Text),
    Column("options", Json, nullable=False),
    Column("defaults", Json),
    Column("multiple", Boolean, nullable=False),
    #: the fields of a form, as Params are serialized
    Column("params", Json, nullable=False),
    #: who may answer: [{"id", "name"}]; empty for anybody
    Column("assigned_users", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("responded_at", Instant),
    #: NULL when nobody answered in time and the defaults were taken
    Column("responded_by_id", String(250)),
    Column("responded_by_name", String(512)),
    Column("chosen_options", Json),
    Column("params_input", Json, nullable=False, default="{}"),
)
Index("ix_human_input_created", human_input.c.created_at)
