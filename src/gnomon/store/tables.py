"""The tables. `gnomon.store.migrations` brings a database to them; a test proves that both agree.

States are stored as their names; a task instance that is not scheduled yet has the state NULL.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gnomon.store.types import Instant, Json, Key

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# ------------------------------------------------------------------------------------------- DAGs and files

bundle = Table(
    "bundle",
    metadata,
    Column("name", String(250), primary_key=True),
    Column("active", Boolean, nullable=False, default=True),
    Column("version", String(200)),
    Column("last_refreshed", Instant),
)

parsed_file = Table(
    "parsed_file",
    metadata,
    Column("bundle_name", String(250), primary_key=True),
    Column("relative_path", String(2000), primary_key=True),
    Column("source_hash", String(64), nullable=False),
    Column("mtime", Float, nullable=False),
    Column("size", Key, nullable=False),
    Column("modules", Json, nullable=False, default="[]"),
    Column("last_parsed", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
)

dag = Table(
    "dag",
    metadata,
    Column("dag_id", String(250), primary_key=True),
    Column("dag_display_name", String(2000)),
    Column("bundle_name", String(250), nullable=False),
    Column("bundle_version", String(200)),
    Column("relative_fileloc", String(2000), nullable=False),
    Column("fileloc", String(2000), nullable=False),
    Column("bundle_root", String(2000), nullable=False, default=""),
    Column("source_hash", String(64), nullable=False),
    Column("version_id", Key, ForeignKey("dag_version.id", ondelete="SET NULL")),
    Column("is_paused", Boolean, nullable=False),
    Column("is_stale", Boolean, nullable=False, default=False),
    Column("has_import_errors", Boolean, nullable=False, default=False),
    Column("description", Text),
    Column("owners", String(2000), nullable=False, default=""),
    Column("timetable_summary", Text),
    Column("timetable_description", Text),
    Column("timetable_type", String(100), nullable=False, default="null"),
    Column("max_active_runs", Integer, nullable=False),
    Column("max_active_tasks", Integer, nullable=False),
    Column("max_consecutive_failed_dag_runs", Integer, nullable=False, default=0),
    Column("last_parsed", Instant),
    Column("last_parse_seconds", Float),
    #: the next automated run, as create_runs worked it out; NULL when there is none
    Column("next_run_after", Instant),
    Column("next_logical_date", Instant),
    Column("next_interval_start", Instant),
    Column("next_interval_end", Instant),
    Column("exceeds_max_non_backfill", Boolean, nullable=False, default=False),
)
Index(
    "ix_dag_due",
    dag.c.next_run_after,
    sqlite_where=text("next_run_after IS NOT NULL"),
    postgresql_where=text("next_run_after IS NOT NULL"),
)
Index("ix_dag_file", dag.c.bundle_name, dag.c.relative_fileloc)

dag_version = Table(
    "dag_version",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("dag_id", String(250), nullable=False),
    Column("version_number", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("data", Json, nullable=False),
    Column("source", Text),
    Column("bundle_name", String(250), nullable=False),
    Column("bundle_version", String(200)),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("dag_id", "version_number"),
)

dag_tag = Table(
    "dag_tag",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("dag_id", String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True, index=True),
)

dag_favorite = Table(
    "dag_favorite",
    metadata,
    Column("user_id", String(250), primary_key=True),
    Column("dag_id", String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True),
)

import_error = Table(
    "import_error",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("bundle_name", String(250), nullable=False),
    Column("filename", String(2000), nullable=False),
    Column("stacktrace", Text, nullable=False),
    Column("timestamp", Instant, nullable=False),
    UniqueConstraint("bundle_name", "filename"),
)

dag_warning = Table(
    "dag_warning",
    metadata,
    Column("dag_id", String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True),
    Column("warning_type", String(50), primary_key=True),
    Column("message", Text, nullable=False),
    Column("timestamp", Instant, nullable=False),
)

# --------------------------------------------------------------------------------------------- runs and tasks

dag_run = Table(
    "dag_run",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("dag_id", String(250), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("run_type", String(50), nullable=False),
    Column("state", String(20), nullable=False),
    Column("version_id", Key, ForeignKey("dag_version.id", ondelete="SET NULL")),
    Column("logical_date", Instant),
    Column("data_interval_start", Instant),
    Column("data_interval_end", Instant),
    Column("run_after", Instant, nullable=False),
    Column("queued_at", Instant),
    Column("start_date", Instant),
    Column("end_date", Instant),
    Column("last_scheduling_decision", Instant),
    Column("conf", Json, nullable=False, default="{}"),
    Column("triggered_by", String(50)),
    Column("triggering_user_name", String(512)),
    Column("clear_number", Integer, nullable=False, default=0),
    Column("backfill_id", Key),
    Column("backfill_sort_ordinal", Integer),
    Column("partition_key", String(250)),
    Column("partition_date", Instant),
    Column("bundle_version", String(200)),
    Column("note", Text),
    Column("span_context", Json),
    #: task instances exist; until then the scheduler still has to make them
    Column("expanded", Boolean, nullable=False, default=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("dag_id", "run_id"),
    UniqueConstraint("dag_id", "logical_date"),
    CheckConstraint("state IN ('queued', 'running', 'success', 'failed')", name="state"),
    CheckConstraint("state IN ('queued', 'running') OR end_date IS NOT NULL", name="finished_has_end"),
)
Index(
    "ix_dag_run_active",
    dag_run.c.state,
    dag_run.c.dag_id,
    sqlite_where=text("state IN ('queued', 'running')"),
    postgresql_where=text("state IN ('queued', 'running')"),
)
Index("ix_dag_run_dag_after", dag_run.c.dag_id, dag_run.c.run_after)

task_instance = Table(
    "task_instance",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), nullable=False),
    Column("task_id", String(250), nullable=False),
    Column("map_index", Integer, nullable=False, default=-1),
    Column("state", String(20)),
    Column("try_number", Integer, nullable=False, default=0),
    Column("max_tries", Integer, nullable=False, default=0),
    #: how many times it was handed to an executor; (id, seq) names one piece of execution for ever
    Column("seq", Integer, nullable=False, default=0),
    Column("operator", String(1000), nullable=False, default=""),
    Column("pool", String(256), nullable=False, default="default_pool"),
    Column("pool_slots", Integer, nullable=False, default=1),
    Column("queue", String(256), nullable=False, default="default"),
    Column("priority_weight", Integer, nullable=False, default=1),
    Column("executor", String(1000)),
    Column("scheduled_at", Instant),
    Column("queued_at", Instant),
    Column("start_date", Instant),
    Column("end_date", Instant),
    #: start of the first piece of this try (a sensor's timeout counts from it), and its reschedules
    Column("first_start", Instant),
    Column("reschedules", Integer, nullable=False, default=0),
    #: when it moves again: end of the retry delay, next poke, timeout of the deferral
    Column("wake_at", Instant),
    #: the worker incarnation that holds it
    Column("worker", String(250)),
    Column("hostname", String(1000)),
    Column("pid", Integer),
    Column("trigger_id", Key),
    Column("next_method", String(1000)),
    Column("next_kwargs", Json),
    Column("error", Text),
    Column("rendered_map_index", String(250)),
    Column("note", Text),
    Column("version_id", Key),
    Column("updated_at", Instant),
    UniqueConstraint("dag_run_id", "task_id", "map_index"),
    CheckConstraint(
        "state IS NULL OR state IN ('removed', 'scheduled', 'queued', 'running', 'success', 'restarting', 'failed',"
        " 'up_for_retry', 'up_for_reschedule', 'upstream_failed', 'skipped', 'deferred', 'awaiting_input')",
        name="state",
    ),
)
Index(
    "ix_task_instance_busy",
    task_instance.c.state,
    sqlite_where=text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
    postgresql_where=text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')"),
)

#: Finished tries (and pieces before a clear), as the UI's list of tries shows them.
task_instance_history = Table(
    "task_instance_history",
    metadata,
    Column("ti_id", Key, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("try_number", Integer, primary_key=True),
    Column("state", String(20)),
    Column("max_tries", Integer, nullable=False, default=0),
    Column("queued_at", Instant),
    Column("scheduled_at", Instant),
    Column("start_date", Instant),
    Column("end_date", Instant),
    Column("hostname", String(1000)),
    Column("pid", Integer),
    Column("error", Text),
    Column("version_id", Key),
)

#: Task instances that a branch or short-circuit skipped, so that they are skipped again after a clear.
skip_decision = Table(
    "skip_decision",
    metadata,
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", String(250), primary_key=True),
    Column("map_index", Integer, primary_key=True),
    #: the task that decided
    Column("by_task_id", String(250), primary_key=True),
    Column("by_map_index", Integer, primary_key=True, default=-1),
)

xcom = Table(
    "xcom",
    metadata,
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", String(250), primary_key=True),
    Column("map_index", Integer, primary_key=True),
    Column("key", String(512), primary_key=True),
    Column("value", Json, nullable=False),
    #: its length, if a mapped task can expand over it
    Column("length", Integer),
    Column("timestamp", Instant, nullable=False),
)

rendered_fields = Table(
    "rendered_fields",
    metadata,
    Column("ti_id", Key, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("fields", Json, nullable=False),
)

#: A trigger that some deferred task instance waits for.
trigger = Table(
    "trigger",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("ti_id", Key, index=True),
    Column("seq", Integer),
    Column("classpath", String(1000), nullable=False),
    #: encrypted JSON
    Column("kwargs", Text, nullable=False),
    #: JSON of a TriggerTemplates, where arguments have to be rendered first
    Column("templates", Text),
    Column("queue", String(256)),
    Column("triggerer", String(250), index=True),
    Column("created_at", Instant, nullable=False),
)

#: What fired: the scheduler resumes the task instance and deletes the row in one transaction.
trigger_event = Table(
    "trigger_event",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("trigger_id", Key, nullable=False, unique=True),
    Column("ti_id", Key),
    Column("seq", Integer),
    #: JSON of the event's payload, or NULL when the trigger failed
    Column("payload", Json),
    #: traceback, when the trigger failed
    Column("failure", Text),
    Column("created_at", Instant, nullable=False),
)

#: User callbacks owed; deleted when a worker has run them.
callback = Table(
    "callback",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("kind", String(50), nullable=False),
    Column("dag_run_id", Key, ForeignKey("dag_run.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ti_id", Key),
    Column("reason", Text, nullable=False, default=""),
    Column("created_at", Instant, nullable=False),
)

# ------------------------------------------------------------------------------------ variables, connections, pools

variable = Table(
    "variable",
    metadata,
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    Column("is_encrypted", Boolean, nullable=False, default=False),
    Column("description", Text),
)

connection = Table(
    "connection",
    metadata,
    Column("conn_id", String(250), primary_key=True),
    Column("conn_type", String(500), nullable=False),
    Column("host", String(500)),
    Column("schema", String(500)),
    Column("login", Text),
    Column("password", Text),
    Column("port", Integer),
    Column("extra", Text),
    Column("description", Text),
    Column("is_encrypted", Boolean, nullable=False, default=False),
    Column("is_extra_encrypted", Boolean, nullable=False, default=False),
)

pool = Table(
    "pool",
    metadata,
    Column("name", String(256), primary_key=True),
    #: -1 is infinite
    Column("slots", Integer, nullable=False),
    Column("description", Text),
    Column("include_deferred", Boolean, nullable=False, default=False),
)

# ------------------------------------------------------------------------------------------ processes and audit

#: Who leads; each write of the leader checks the epoch, so a deposed leader can write nothing.
leader = Table(
    "leader",
    metadata,
    Column("role", String(50), primary_key=True),
    Column("holder", String(250), nullable=False),
    Column("epoch", Key, nullable=False),
    Column("acquired_at", Instant, nullable=False),
)

#: The processes, as the jobs page and `jobs check` show them.
job = Table(
    "job",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("job_type", String(30), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("hostname", String(500), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("executor_class", String(500)),
    Column("unixname", String(250)),
    Column("start_date", Instant, nullable=False),
    Column("latest_heartbeat", Instant, nullable=False),
    Column("end_date", Instant),
)

event_log = Table(
    "event_log",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("dttm", Instant, nullable=False, index=True),
    Column("event", String(100), nullable=False),
    Column("dag_id", String(250), index=True),
    Column("run_id", String(250)),
    Column("task_id", String(250)),
    Column("map_index", Integer),
    Column("try_number", Integer),
    Column("logical_date", Instant),
    Column("owner", String(500)),
    Column("extra", Text),
)

#: Small facts of the installation: the hash of the Fernet key, the schema's owner version.
setting = Table(
    "setting",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
