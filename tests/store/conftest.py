"""A store on each kind of database, and ways to put things into it that only the scheduler writes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from gnomon.store import tables
from gnomon.store.engine import Store, migrate, open_store
from gnomon.store.parses import Parse, Recorded
from gnomon.store.records import Run
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from gnomon.wire.execution import FileRef

if TYPE_CHECKING:
    from tests.fixtures.postgresql_server import PostgresServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_postgresql_url(postgresql: PostgresServer) -> str:
    """One PostgreSQL database for the whole suite: emptying it takes a tenth of the time of making one."""
    url = postgresql.url(postgresql.create())
    migrate(url)
    return url


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database with nothing in it."""
    if database_kind == "sqlite":
        file = tmp_path / "gnomon.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("shared_postgresql_url")
    with open_store(url) as store:
        with store.database.write() as conn:
            conn.execute(text(f"TRUNCATE {', '.join(tables.metadata.tables)} RESTART IDENTITY"))
        store.pools.ensure_default(128)
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with nothing in it; no connection may be left checked out."""
    store = open_store(database_url)
    yield store
    left = store.database.checked_out()
    store.close()
    assert left == 0


@pytest.fixture
def now() -> datetime:
    return NOW


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def file_ref(path: str = "a.py", source_hash: str = "h1", bundle: str = "dags-folder") -> FileRef:
    return FileRef(bundle, f"/project/dags/{path}", path, source_hash, bundle_root="/project/dags")


def serialized(dag_id: str = "a", *tasks: str | SerializedTask, **fields: object) -> SerializedDag:
    nodes = [SerializedTask(task_id=task) if isinstance(task, str) else task for task in tasks or ("t",)]
    return SerializedDag(dag_id=dag_id, tasks=nodes, timetable=TimetableSpec(kind="null"), **fields)  # type: ignore[arg-type]


def parse(*dags: SerializedDag, path: str = "a.py", source_hash: str = "h1", **fields: object) -> Parse:
    return Parse(file=file_ref(path, source_hash), dags=dags, **fields)  # type: ignore[arg-type]


@pytest.fixture
def a_dag(store: Store) -> Callable[..., Recorded]:
    """Record a DAG, by default `a` with one task `t`."""

    def record(dag_id: str = "a", *tasks: str | SerializedTask, **fields: object) -> Recorded:
        return store.dags.record_parse(parse(serialized(dag_id, *tasks, **fields), path=f"{dag_id}.py"), NOW)

    return record


@pytest.fixture
def a_run(store: Store, a_dag: Callable[..., Recorded]) -> Callable[..., Run]:
    """Create a run with task instances: `a_run("r1", t="success", u=None)`."""

    def create(run_id: str = "r1", dag_id: str = "a", at: datetime = NOW, **states: str | None) -> Run:
        if store.dags.get(dag_id) is None:
            a_dag(dag_id, *(states or {"t": None}))
        run = store.runs.create(dag_id, run_id, now=at, run_after=at, logical_date=at)
        for task_id, state in states.items():
            add_task_instance(store, run, task_id, state)
        return run

    return create


def add_task_instance(store: Store, run: Run, task_id: str, state: str | None, **values: object) -> int:
    """Insert a task instance as the scheduler would; return its number."""
    ti = tables.task_instance
    defaults: dict[str, object] = {
        "map_index": -1,
        "try_number": 0 if state is None else 1,
        "version_id": run.version_id,
    }
    if state in ("running", "success", "failed"):
        defaults["start_date"] = NOW
    if state in ("success", "failed", "skipped", "upstream_failed"):
        defaults["end_date"] = NOW
    row = {"dag_run_id": run.id, "task_id": task_id, "state": state, **defaults, **values}
    with store.database.write() as conn:
        number = conn.execute(ti.select().with_only_columns(ti.c.id).order_by(ti.c.id.desc())).scalar() or 0
        conn.execute(ti.insert().values(id=number + 1, **row))
    return number + 1


def set_run_state(store: Store, run: Run, state: str) -> None:
    """Put a run into a state as the scheduler would."""
    finished = state in ("success", "failed")
    values = {"state": state, "start_date": NOW, "end_date": NOW if finished else None}
    with store.database.write() as conn:
        conn.execute(tables.dag_run.update().where(tables.dag_run.c.id == run.id).values(**values))
