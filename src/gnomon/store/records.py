"""Rows as values: what the verbs hand out. Fields are named as the columns are; JSON stays text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Table

from gnomon.store import tables
from gnomon.store.backfill_tables import backfill


def columns(record: type[msgspec.Struct], table: Table) -> list[Any]:
    """Return the columns of `table` in the order of the record's fields, for `record(*row)`."""
    return [table.c[name] for name in record.__struct_fields__]


class Variable(msgspec.Struct, frozen=True):
    """A variable, its value decrypted."""

    key: str
    value: str
    is_encrypted: bool = False
    description: str | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, its password and extra decrypted."""

    conn_id: str
    conn_type: str
    host: str | None = None
    schema: str | None = None
    login: str | None = None
    password: str | None = None
    port: int | None = None
    extra: str | None = None
    description: str | None = None


class Pool(msgspec.Struct, frozen=True):
    """A pool; -1 slots mean no limit."""

    name: str
    slots: int
    description: str | None = None
    include_deferred: bool = False


class PoolUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A pool and the slots taken in it, by state."""

    pool: Pool
    running: int = 0
    queued: int = 0
    scheduled: int = 0
    deferred: int = 0

    @property
    def occupied(self) -> int:
        """Slots that nobody else can have."""
        return self.running + self.queued + (self.deferred if self.pool.include_deferred else 0)

    @property
    def open(self) -> float:
        """Slots left; infinite for a pool without a limit."""
        return float("inf") if self.pool.slots == -1 else self.pool.slots - self.occupied


class Dag(msgspec.Struct, frozen=True):
    """A DAG as the last parse and the scheduler left it."""

    dag_id: str
    dag_display_name: str | None
    bundle_name: str
    bundle_version: str | None
    relative_fileloc: str
    fileloc: str
    bundle_root: str
    source_hash: str
    version_id: int | None
    is_paused: bool
    is_stale: bool
    has_import_errors: bool
    description: str | None
    owners: str
    timetable_summary: str | None
    timetable_description: str | None
    timetable_type: str
    max_active_runs: int
    max_active_tasks: int
    max_consecutive_failed_dag_runs: int
    last_parsed: datetime | None
    last_parse_seconds: float | None
    next_run_after: datetime | None
    next_logical_date: datetime | None
    next_interval_start: datetime | None
    next_interval_end: datetime | None
    exceeds_max_non_backfill: bool


class Run(msgspec.Struct, frozen=True):
    """A DAG run. `conf` is JSON text."""

    id: int
    dag_id: str
    run_id: str
    run_type: str
    state: str
    version_id: int | None
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    last_scheduling_decision: datetime | None
    conf: str
    triggered_by: str | None
    triggering_user_name: str | None
    clear_number: int
    backfill_id: int | None
    partition_key: str | None
    partition_date: datetime | None
    bundle_version: str | None
    note: str | None
    expanded: bool
    updated_at: datetime


class Backfill(msgspec.Struct, frozen=True):
    """A backfill. `dag_run_conf` is JSON text, None if none was given."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    dag_run_conf: str | None
    is_paused: bool
    reprocess_behavior: str
    max_active_runs: int
    triggering_user_name: str | None
    created_at: datetime
    completed_at: datetime | None
    updated_at: datetime


class TaskInstance(msgspec.Struct, frozen=True):
    """A task instance; state None is "not scheduled yet". `next_kwargs` is JSON text."""

    id: int
    dag_run_id: int
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    max_tries: int
    seq: int
    operator: str
    pool: str
    pool_slots: int
    queue: str
    priority_weight: int
    executor: str | None
    scheduled_at: datetime | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    first_start: datetime | None
    reschedules: int
    wake_at: datetime | None
    worker: str | None
    hostname: str | None
    pid: int | None
    trigger_id: int | None
    next_method: str | None
    next_kwargs: str | None
    error: str | None
    rendered_map_index: str | None
    note: str | None
    version_id: int | None
    updated_at: datetime | None


class Try(msgspec.Struct, frozen=True):
    """A try that is over, or the one that goes on."""

    ti_id: int
    try_number: int
    state: str | None
    max_tries: int
    queued_at: datetime | None
    scheduled_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    hostname: str | None
    pid: int | None
    error: str | None
    version_id: int | None


class Job(msgspec.Struct, frozen=True):
    """A process of Gnomon."""

    id: int
    job_type: str
    state: str
    hostname: str
    pid: int
    executor_class: str | None
    unixname: str | None
    start_date: datetime
    latest_heartbeat: datetime
    end_date: datetime | None


class ParsedFileRecord(msgspec.Struct, frozen=True):
    """A DAG file as it was parsed last. `modules` is a JSON list of the project files that it imported."""

    bundle_name: str
    relative_path: str
    source_hash: str
    mtime: float
    size: int
    modules: str
    last_parsed: datetime
    seconds: float


DAG = columns(Dag, tables.dag)
RUN = columns(Run, tables.dag_run)
BACKFILL = columns(Backfill, backfill)
TASK_INSTANCE = columns(TaskInstance, tables.task_instance)
TRY = columns(Try, tables.task_instance_history)
JOB = columns(Job, tables.job)
POOL = columns(Pool, tables.pool)
PARSED_FILE = columns(ParsedFileRecord, tables.parsed_file)
