"""Old rows: which may go, and their way into archive tables.

A row goes with its copy in one transaction of at most `BATCH` rows, so that neither is lost when the process dies, and
nobody else waits long for the database. What a run that has not ended needs stays, however old it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    inspect,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy import column as column_clause
from sqlalchemy import table as table_clause

from gnomon.store import tables as t
from gnomon.store.asset_tables import (
    asset_event,
    asset_queue,
    dag_run_asset_event,
    partition_arrival,
    partition_event,
)
from gnomon.store.database import Database
from gnomon.store.deadline_tables import deadline
from gnomon.store.state_tables import task_state
from gnomon.store.types import Instant, from_micros, to_micros

#: Rows of one transaction; a statement may have 32766 parameters, and a key at most five columns.
BATCH = 1000
#: What the name of every archive table begins with, as in Airflow.
PREFIX = "_airflow_deleted__"
#: Tables of Airflow whose rows do not pile up here, or which are not there.
WITHOUT_ROWS = (
    *("_xcom_archive", "callback", "callback_request", "celery_taskmeta", "celery_tasksetmeta"),
    *("connection_test_request", "partitioned_asset_key_log", "revoked_token", "session", "sla_miss", "task_fail"),
    "task_reschedule",
)
#: A process that was not heard of for so long is dead.
_DEAD_SECONDS = 300
_ACTIVE, _FINISHED = ("queued", "running"), ("success", "failed")

_run, _ti = t.dag_run, t.task_instance


@dataclass(frozen=True)
class Rule:
    """Which rows of a table may go."""

    name: str  # that of Airflow's table
    table: Table
    #: the time that is compared
    age: ColumnElement[Any]
    #: the same, for people
    recency: str
    dag_id: ColumnElement[Any] | None
    #: the table, with the runs that its rows belong to
    source: FromClause
    #: what else must be true
    where: tuple[ColumnElement[bool], ...] = ()
    #: tables that are cleaned before it
    first: tuple[str, ...] = ()
    keeps: str = ""


@dataclass(frozen=True)
class Cleaning:
    """What is to be cleaned."""

    before: datetime
    now: datetime
    dag_ids: Collection[str] = field(default=())
    exclude_dag_ids: Collection[str] = field(default=())


def _of_runs(name: str, table: Table, age: ColumnElement[Any], recency: str, **more: Any) -> Rule:
    """Return the rule of a table whose rows belong to a run."""
    source: FromClause = table.join(_run, _run.c.id == table.c.dag_run_id)
    keeps = "those of runs that dag_run keeps"
    return Rule(name, table, age, recency, _run.c.dag_id, source, (_may_go(),), keeps=keeps, **more)


def _may_go() -> ColumnElement[bool]:
    """A run that has ended, that no other needs, and that is not the last one of its kind of a DAG with a file."""
    newer, present = _run.alias("newer"), t.dag.alias("present")
    order, newer_order = (func.coalesce(r.c.logical_date, r.c.run_after) for r in (_run, newer))
    same = (newer.c.dag_id == _run.c.dag_id, newer.c.run_type == _run.c.run_type)
    followed = exists().where(*same, newer.c.run_after > _run.c.run_after, newer_order > order)
    lives = exists().where(present.c.dag_id == _run.c.dag_id, ~present.c.is_stale)
    return and_(
        _run.c.state.in_(_FINISHED),
        or_(_run.c.run_type == "manual", ~lives, followed),
        _run.c.id.not_in(_before_active()),
        _run.c.id.not_in(_before_active("success")),
        ~exists().where(t.callback.c.dag_run_id == _run.c.id),
    )


def _before_active(state: str | None = None) -> Select[Any]:
    """The run before each one that has not ended: what depends on the past looks at it."""
    active, past = _run.alias(), _run.alias()
    query = select(past.c.id).where(past.c.dag_id == active.c.dag_id, past.c.logical_date < active.c.logical_date)
    if state is not None:
        query = query.where(past.c.state == state)
    latest = query.order_by(past.c.logical_date.desc()).limit(1).correlate(active).scalar_subquery()
    return select(func.coalesce(latest, -1)).where(active.c.state.in_(_ACTIVE))


def _dag_rules() -> list[Rule]:
    version, run_of_dag, later = t.dag_version, _run.alias(), t.dag_version.alias()
    users = [
        version.c.id.not_in(select(user.c.version_id).where(user.c.version_id.is_not(None)))
        for user in (t.dag, _run, _ti, t.task_instance_history)
    ]
    newer = exists().where(later.c.dag_id == version.c.dag_id, later.c.version_number > version.c.version_number)
    unused = (t.dag.c.is_stale.is_(True), ~exists().where(run_of_dag.c.dag_id == t.dag.c.dag_id))
    present = exists().where(
        t.parsed_file.c.bundle_name == t.import_error.c.bundle_name,
        t.parsed_file.c.relative_path == t.import_error.c.filename,
    )
    error = t.import_error
    return [
        Rule("import_error", error, error.c.timestamp, "timestamp", None, error, (~present,), keeps="those of files"),
        Rule(
            *("dag_version", version, version.c.created_at, "created_at", version.c.dag_id, version),
            where=(newer, *users),
            first=("task_instance", "dag_run"),
            keeps="the last of each DAG, and those of runs and tasks",
        ),
        Rule(
            *("dag", t.dag, t.dag.c.last_parsed, "last_parsed_time", t.dag.c.dag_id, t.dag),
            where=unused,
            first=("dag_version", "deadline"),
            keeps="those with a file or runs",
        ),
    ]


def _run_rules() -> list[Rule]:
    history = t.task_instance_history
    of_history: FromClause = history.join(_ti, _ti.c.id == history.c.ti_id).join(_run, _run.c.id == _ti.c.dag_run_id)
    return [
        _of_runs("deadline", deadline, deadline.c.deadline_time, "deadline_time"),
        _of_runs("xcom", t.xcom, t.xcom.c.timestamp, "timestamp"),
        _of_runs("task_state_store", task_state, task_state.c.expires_at, "expires_at"),
        Rule(
            *("task_instance_history", history, func.coalesce(history.c.start_date, history.c.end_date), "start_date"),
            *(_run.c.dag_id, of_history, (_may_go(),)),
            keeps="those of runs that dag_run keeps",
        ),
        _of_runs(
            *("task_instance", _ti, func.coalesce(_ti.c.start_date, _ti.c.end_date), "start_date"),
            first=("task_instance_history", "xcom"),
        ),
        Rule(
            *("dag_run", _run, func.coalesce(_run.c.start_date, _run.c.end_date), "start_date", _run.c.dag_id, _run),
            where=(_may_go(),),
            first=("task_instance", "task_state_store", "deadline"),
            keeps="those that have not ended, that such ones need, and the last of each kind but manual of each DAG",
        ),
    ]


def _other_rules(now: datetime) -> list[Rule]:
    job, event, trigger, log = t.job, asset_event, t.trigger, t.event_log
    used = _run.join(dag_run_asset_event, _run.c.id == dag_run_asset_event.c.dag_run_id)
    by_active = select(dag_run_asset_event.c.event_id).select_from(used).where(_run.c.state.in_(_ACTIVE))
    queued = exists().where(asset_queue.c.asset_id == event.c.asset_id, asset_queue.c.created_at <= event.c.timestamp)
    waits = exists().where(_ti.c.id == trigger.c.ti_id, _ti.c.trigger_id == trigger.c.id)
    called = exists().where(deadline.c.callback_id == trigger.c.id, deadline.c.callback_state == "queued")
    dead = or_(job.c.state != "running", job.c.latest_heartbeat < to_micros(now) - _DEAD_SECONDS * 1_000_000)
    return [
        Rule(
            *("job", job, job.c.latest_heartbeat, "latest_heartbeat", None, job, (dead,)),
            keeps="processes that live",
        ),
        Rule("log", log, log.c.dttm, "dttm", log.c.dag_id, log),
        Rule(
            *("asset_event", event, event.c.timestamp, "timestamp", event.c.source_dag_id, event),
            where=(
                event.c.id.not_in(by_active),
                event.c.id.not_in(select(partition_event.c.event_id)),
                event.c.id.not_in(select(partition_arrival.c.event_id)),
                ~queued,
            ),
            keeps="those that a DAG waits with, or a run has that has not ended",
        ),
        Rule(
            *("trigger", trigger, trigger.c.created_at, "created_date", None, trigger, (~waits, ~called)),
            first=("task_instance",),
            keeps="those that a task waits for",
        ),
    ]


def rules(now: datetime) -> dict[str, Rule]:
    """Return all rules by the name of the table in Airflow, in the order in which they are to be followed."""
    return {rule.name: rule for rule in [*_run_rules(), *_other_rules(now), *_dag_rules()]}


def chosen(names: Collection[str], now: datetime) -> list[Rule]:
    """Return the rules of some tables, or of all if none is named, with those that have to go first."""
    known = rules(now)
    wanted: set[str] = set()

    def add(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for one in known[name].first:
                add(one)

    for name in names or known:
        add(name)
    return [rule for name, rule in known.items() if name in wanted]


class Cleaner:
    """Deletes old rows."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self, rule: Rule, cleaning: Cleaning) -> int:
        """Return how many rows may go."""
        query = select(func.count()).select_from(rule.source).where(*_conditions(rule, cleaning))
        with self._db.read() as conn:
            return int(conn.execute(query).scalar_one())

    def clean(self, rule: Rule, cleaning: Cleaning, *, archive: str | None, batch: int = BATCH) -> int:
        """Delete the rows that may go; return how many.

        Args:
            rule: of the table.
            cleaning: what is to be cleaned.
            archive: the table that takes them; None for no archive.
            batch: the rows of one transaction; more than `BATCH` are not taken.
        """
        keys = list(rule.table.primary_key)
        limit = max(1, min(batch, BATCH))
        locked = [rule.table] if rule.source is rule.table else [rule.table, _run]
        query = select(*keys).select_from(rule.source).where(*_conditions(rule, cleaning)).order_by(*keys)
        query = query.limit(limit).with_for_update(of=locked)
        last: Sequence[Any] | None = None
        total = 0
        while True:
            following = query if last is None else query.where(tuple_(*keys) > tuple_(*map(_bound, keys, last)))
            with self._db.write() as conn:
                found = conn.execute(following).all()
                # Fewer than there were if others changed some meanwhile: only none at all means the end.
                if not found:
                    return total
                _move(conn, rule.table, [tuple(row) for row in found], archive)
            total += len(found)
            last = found[-1]

    def archives(self, names: Collection[str] = ()) -> list[str]:
        """Return the archive tables, those of some tables of Airflow if they are named."""
        with self._db.read() as conn:
            present = [name for name in inspect(conn).get_table_names() if name.startswith(PREFIX)]
        return sorted(name for name in present if not names or _archived(name) in names)

    def rows(self, archive: str) -> Iterator[Sequence[Any]]:
        """Yield the names of the columns of an archive table, then its rows; times are in ISO format."""
        rule = rules(from_micros(0)).get(_archived(archive))
        times = {column.name for column in rule.table.c if isinstance(column.type, Instant)} if rule else set()
        with self._db.snapshot() as conn:
            result = conn.execution_options(yield_per=BATCH).execute(text(f"SELECT * FROM {_quoted(conn, archive)}"))
            names = list(result.keys())
            yield names
            is_time = [name in times for name in names]
            for row in result:
                yield [
                    from_micros(v).isoformat() if at and v is not None else v
                    for at, v in zip(is_time, row, strict=True)
                ]

    def drop(self, archive: str) -> None:
        """Drop an archive table."""
        if not archive.startswith(PREFIX):
            raise ValueError(f"{archive} is no archive table")
        with self._db.write() as conn:
            conn.execute(text(f"DROP TABLE {_quoted(conn, archive)}"))


def archive_name(rule: Rule, now: datetime) -> str:
    """Return the name of the archive table of a table that is cleaned now."""
    return f"{PREFIX}{rule.name}__{now:%Y%m%d%H%M%S}"


def _archived(archive: str) -> str:
    """Return the table of Airflow whose rows an archive table has."""
    return archive.removeprefix(PREFIX).rpartition("__")[0]


def _conditions(rule: Rule, cleaning: Cleaning) -> list[ColumnElement[bool]]:
    # A time to come would make everything old, what is used at this moment too.
    old: list[ColumnElement[bool]] = [rule.age < to_micros(min(cleaning.before, cleaning.now)), *rule.where]
    if rule.dag_id is not None and cleaning.dag_ids:
        old.append(rule.dag_id.in_(cleaning.dag_ids))
    if rule.dag_id is not None and cleaning.exclude_dag_ids:
        old.append(func.coalesce(rule.dag_id, "").not_in(cleaning.exclude_dag_ids))
    return old


def _bound(key: ColumnElement[Any], value: Any) -> ColumnElement[Any]:
    return bindparam(None, value, type_=key.type)


def _move(conn: Connection, table: Table, keys: list[tuple[Any, ...]], archive: str | None) -> None:
    """Copy rows to the archive table, and delete them."""
    columns = list(table.primary_key)
    those = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)
    if archive is not None:
        name, names = _quoted(conn, archive), [one.name for one in table.c]
        conn.execute(text(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM {table.name} WHERE 1 = 0"))
        target = table_clause(archive, *map(column_clause, names))
        conn.execute(target.insert().from_select(names, select(table).where(those)))
    conn.execute(delete(table).where(those))


def _quoted(conn: Connection, name: str) -> str:
    return conn.dialect.identifier_preparer.quote(name)
