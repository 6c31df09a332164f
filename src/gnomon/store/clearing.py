"""The steps of a clear: what becomes of task instances, their tries and their runs when they are to go again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, case, delete, select, tuple_, update

from gnomon.model.states import TaskInstanceState as S
from gnomon.store import tables
from gnomon.store.database import Database
from gnomon.store.records import TASK_INSTANCE, Run, TaskInstance, Try
from gnomon.store.runs import requeue
from gnomon.wire.dag import decode

_run = tables.dag_run
_ti = tables.task_instance
_history = tables.task_instance_history
_version = tables.dag_version
_BATCH = 500


def batches(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Parts that fit into one statement: SQLite takes 32 766 parameters, older ones 999."""
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def clear_runs_in(db: Database, conn: Connection, runs: Sequence[Run], now: datetime, *, latest: bool) -> None:
    """Let whole runs go again in the caller's transaction, also those that never got to have task instances."""
    for batch in batches(runs):
        query = select(*TASK_INSTANCE).where(_ti.c.dag_run_id.in_([run.id for run in batch]))
        found = [
            TaskInstance(*row) for row in conn.execute(query.order_by(_ti.c.dag_run_id, _ti.c.id).with_for_update())
        ]
        clear_in(db, conn, found, batch, now, reset=True, latest=latest)


def clear_in(
    db: Database,
    conn: Connection,
    found: Sequence[TaskInstance],
    runs: Sequence[Run],
    now: datetime,
    *,
    reset: bool,
    latest: bool,
) -> None:
    """Let task instances go again in the caller's transaction; `runs` are those that they belong to."""
    _save_history(db, conn, [ti for ti in found if ti.try_number > 0])
    _restart(conn, [ti.id for ti in found if ti.state in (S.RUNNING, S.RESTARTING)], now)
    idle = [ti for ti in found if ti.state not in (S.RUNNING, S.RESTARTING)]
    _back_to_start(conn, idle, runs, now, latest=latest)
    _forget_decisions(conn, found)
    _reopen(conn, runs, now, reset=reset, latest=latest)


def as_try(ti: TaskInstance) -> Try:
    """Return the try that a task instance is at."""
    fields = {name: getattr(ti, name) for name in Try.__struct_fields__ if name != "ti_id"}
    return Try(ti_id=ti.id, **fields)


def _save_history(db: Database, conn: Connection, tis: Sequence[TaskInstance]) -> None:
    statement = db.insert(_history)
    replaced = {name: statement.excluded[name] for name in Try.__struct_fields__ if name not in ("ti_id", "try_number")}
    statement = statement.on_conflict_do_update(index_elements=[_history.c.ti_id, _history.c.try_number], set_=replaced)
    rows = [msgspec.structs.asdict(as_try(ti)) for ti in tis]
    if rows:
        conn.execute(statement, rows)


def _restart(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Running ones: the scheduler ends the process and lets the try count as one that may be repeated."""
    for batch in batches(ids):
        conn.execute(update(_ti).where(_ti.c.id.in_(batch)).values(state=S.RESTARTING, updated_at=now))


def _back_to_start(
    conn: Connection, tis: Sequence[TaskInstance], runs: Sequence[Run], now: datetime, *, latest: bool
) -> None:
    versions = _versions_to_run(conn, runs, latest=latest)
    retries = _retries(conn, set(versions.values()))
    alike: dict[tuple[int | None, int | None], list[int]] = {}
    for ti in tis:
        version = versions.get(ti.dag_run_id)
        alike.setdefault((version, retries.get(version, {}).get(ti.task_id)), []).append(ti.id)
    for (version, left), ids in alike.items():
        # A task that is no longer in the DAG gets no further try than those it was promised or has used.
        promised = case((_ti.c.max_tries > _ti.c.try_number, _ti.c.max_tries), else_=_ti.c.try_number)
        tries = promised if left is None else _ti.c.try_number + left
        changes = {**_UNSTARTED, "max_tries": tries, "updated_at": now}
        if version is not None:
            changes["version_id"] = version
        for batch in batches(ids):
            conn.execute(update(_ti).where(_ti.c.id.in_(batch)).values(**changes))
    for batch in batches([ti.id for ti in tis]):
        for table in (tables.trigger, tables.trigger_event):
            conn.execute(delete(table).where(table.c.ti_id.in_(batch)))


#: What a task instance has before it is scheduled. `seq` goes on counting, so that what was handed over is void.
_UNSTARTED: dict[str, Any] = {
    "state": None,
    "scheduled_at": None,
    "queued_at": None,
    "start_date": None,
    "end_date": None,
    "first_start": None,
    "reschedules": 0,
    "wake_at": None,
    "worker": None,
    "hostname": None,
    "pid": None,
    "trigger_id": None,
    "next_method": None,
    "next_kwargs": None,
    "error": None,
}


def _versions_to_run(conn: Connection, runs: Iterable[Run], *, latest: bool) -> dict[int, int | None]:
    """Which DAG version each run goes on with: its own, unless the latest is asked for or its own is gone."""
    dag = tables.dag
    current: dict[str, int | None] = {}
    chosen: dict[int, int | None] = {}
    for run in runs:
        if latest or run.version_id is None:
            if run.dag_id not in current:
                query = select(dag.c.version_id).where(dag.c.dag_id == run.dag_id)
                current[run.dag_id] = conn.execute(query).scalar()
            chosen[run.id] = current[run.dag_id] or run.version_id
        else:
            chosen[run.id] = run.version_id
    return chosen


def _retries(conn: Connection, versions: Collection[int | None]) -> dict[int | None, dict[str, int]]:
    wanted = [version for version in versions if version is not None]
    rows: Iterable[Row[Any]] = conn.execute(select(_version.c.id, _version.c.data).where(_version.c.id.in_(wanted)))
    return {row.id: {task.task_id: task.retries for task in decode(row.data).tasks} for row in rows}


def _forget_decisions(conn: Connection, tis: Sequence[TaskInstance]) -> None:
    """A branch that runs again decides again; what others decided about it stays."""
    skip = tables.skip_decision
    deciders = [(ti.dag_run_id, ti.task_id, ti.map_index) for ti in tis]
    for batch in batches(deciders):
        conn.execute(delete(skip).where(tuple_(skip.c.dag_run_id, skip.c.by_task_id, skip.c.by_map_index).in_(batch)))


def _reopen(conn: Connection, runs: Sequence[Run], now: datetime, *, reset: bool, latest: bool) -> None:
    if not reset:
        return
    ids = [run.id for run in runs]
    for batch in batches(ids):
        counted = {"clear_number": _run.c.clear_number + 1, "queued_at": now, "updated_at": now}
        conn.execute(update(_run).where(_run.c.id.in_(batch)).values(**counted))
        requeue(conn, list(batch), now)
    versions = _versions_to_run(conn, runs, latest=latest)
    for run in runs:
        version = versions[run.id]
        if version is not None and version != run.version_id:
            # `expanded` False: the scheduler adds the tasks that this version has more, and removes the others.
            conn.execute(update(_run).where(_run.c.id == run.id).values(version_id=version, expanded=False))
