"""The tables of deadlines, of questions that only user code can answer, and of what listeners are told.

Part of the metadata of `store.tables`.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from gnomon.store.tables import metadata
from gnomon.store.types import Instant, Json, Key

#: One row per run and alert of its DAG; made when the run is, gone when the run succeeds in time.
deadline = Table(
    "deadline",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), nullable=False, index=True),
    #: which one of the DAG's alerts, counted from 0, and its name
    Column("alert_index", Integer, nullable=False),
    Column("name", String(250)),
    #: NULL while user code works it out, and when the alert does not apply to the run
    Column("deadline_time", Instant),
    Column("missed", Boolean, nullable=False, default=False),
    #: {"kind", "path", "kwargs", …} as sdk.deadline serializes it
    Column("callback", Json, nullable=False),
    #: of the trigger or of the row of `callback` that runs it, once missed
    Column("callback_id", Key, index=True),
    #: queued, success or failed, once missed
    Column("callback_state", String(20)),
    Column("callback_output", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("dag_run_id", "alert_index"),
)
Index(
    "ix_deadline_due",
    deadline.c.deadline_time,
    sqlite_where=text("NOT missed"),
    postgresql_where=text("NOT missed"),
)

#: What the control side has to know and only a class of a user can tell; answered by the dag-processor's parser.
question = Table(
    "question",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    #: next (the next run of a DAG), manual (the interval of a run by hand), between (the runs of a backfill), deadline (a custom reference)
    Column("kind", String(20), nullable=False),
    Column("dag_id", String(250), nullable=False),
    #: distinguishes questions of one kind about one DAG; a new one takes the place of the last
    Column("about", String(100), nullable=False, default=""),
    Column("classpath", String(1000), nullable=False),
    Column("question", Json, nullable=False),
    Column("answer", Json),
    #: in place of an answer; `due` then says when it is asked again, if at all
    Column("error", Text),
    Column("attempts", Integer, nullable=False, default=0),
    #: when to ask; NULL when it has been answered, or will not be asked again
    Column("due", Instant, index=True),
    #: whoever asked has seen the answer
    Column("taken", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("kind", "dag_id", "about"),
)

#: What listeners of plugins hear, by the names of their functions; the empty one says that it is known.
listened = Table("listened", metadata, Column("hook", String(100), primary_key=True))

#: What listeners are still to be told by the dag-processor; deleted when they have been.
announcement = Table(
    "announcement",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("kind", String(30), nullable=False),
    #: whose file is imported for it
    Column("dag_id", String(250)),
    Column("data", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)
