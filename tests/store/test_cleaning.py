from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from gnomon.store import tables as t
from gnomon.store.asset_tables import asset, asset_event, asset_queue, partition_arrival
from gnomon.store.cleaning import PREFIX, WITHOUT_ROWS, Cleaner, Cleaning, archive_name, chosen, rules
from gnomon.store.engine import Store
from gnomon.store.records import Run

from .conftest import NOW, add_task_instance, parse, serialized

OLD = NOW - timedelta(days=100)
BEFORE = NOW - timedelta(days=50)
CLEANING = Cleaning(BEFORE, NOW)


@pytest.fixture
def cleaner(store: Store) -> Iterator[Cleaner]:
    cleaner = Cleaner(store.database)
    yield cleaner
    for name in cleaner.archives():
        cleaner.drop(name)


@pytest.fixture
def old_run(store: Store, a_dag: Callable[..., object]) -> Callable[..., Run]:
    """Make a run of long ago with one task that pushed an XCom."""

    def make(
        run_id: str, *, dag_id: str = "a", state: str = "success", at: datetime = OLD, run_type: str = "scheduled"
    ) -> Run:
        if store.dags.get(dag_id) is None:
            a_dag(dag_id)
        run = store.runs.create(dag_id, run_id, now=at, run_after=at, logical_date=at, run_type=run_type)
        ended = at if state in ("success", "failed") else None
        with store.database.write() as conn:
            values = {"state": state, "start_date": at, "end_date": ended}
            conn.execute(t.dag_run.update().where(t.dag_run.c.id == run.id).values(**values))
        ti_id = add_task_instance(store, run, "t", "success", start_date=at, end_date=at)
        with store.database.write() as conn:
            conn.execute(t.task_instance_history.insert().values(ti_id=ti_id, try_number=1, start_date=at))
            xcom = {"dag_run_id": run.id, "task_id": "t", "map_index": -1, "key": "k", "value": "1", "timestamp": at}
            conn.execute(t.xcom.insert().values(**xcom))
        return run

    return make


def days(count: int) -> datetime:
    return OLD + timedelta(days=count)


def run_ids(store: Store) -> set[str]:
    return {run.run_id for run in store.runs.all()}


def rows_of(store: Store, table: object) -> int:
    with store.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[call-overload]


def clean(cleaner: Cleaner, *names: str, archived: bool = True, **how: object) -> dict[str, int]:
    cleaning = Cleaning(**{"before": BEFORE, "now": NOW, **how})  # type: ignore[arg-type]
    return {
        rule.name: cleaner.clean(rule, cleaning, archive=archive_name(rule, NOW) if archived else None, batch=2)
        for rule in chosen(names, NOW)
    }


def test_old_runs_go_with_their_rows_but_the_last_one_stays(
    store: Store, cleaner: Cleaner, old_run: Callable[..., Run]
) -> None:
    for day in range(5):
        old_run(f"r{day}", at=days(day))
    old_run("by hand", at=days(10), run_type="manual")
    old_run("young", dag_id="b", at=NOW - timedelta(days=1))
    old_run("only", dag_id="c")
    assert {rule.name: cleaner.count(rule, CLEANING) for rule in chosen(["dag_run"], NOW)} == {
        "deadline": 0,
        "xcom": 5,
        "task_state_store": 0,
        "task_instance_history": 5,
        "task_instance": 5,
        "dag_run": 5,
    }
    gone = clean(cleaner, "dag_run")
    assert (gone["dag_run"], gone["task_instance"], gone["task_instance_history"], gone["xcom"]) == (5, 5, 5, 5)
    assert run_ids(store) == {"r4", "young", "only"}
    assert rows_of(store, t.xcom) == rows_of(store, t.task_instance) == rows_of(store, t.task_instance_history) == 3
    assert clean(cleaner, "dag_run")["dag_run"] == 0


def test_archives_hold_what_went_and_can_be_read_and_dropped(
    store: Store, cleaner: Cleaner, old_run: Callable[..., Run]
) -> None:
    for day in range(4):
        old_run(f"r{day}", at=days(day))
    clean(cleaner, "dag_run")
    names = [
        f"{PREFIX}{name}__20260301120000" for name in ("dag_run", "task_instance", "task_instance_history", "xcom")
    ]
    assert cleaner.archives() == names
    assert cleaner.archives(["xcom", "log"]) == names[3:]
    header, *found = cleaner.rows(names[0])
    runs = [dict(zip(header, row, strict=True)) for row in found]
    assert sorted(run["run_id"] for run in runs) == ["r0", "r1", "r2"]
    assert next(run["start_date"] for run in runs if run["run_id"] == "r0") == OLD.isoformat()
    for name in names[:2]:
        cleaner.drop(name)
    assert cleaner.archives() == names[2:]
    with pytest.raises(ValueError, match="dag_run is no archive table"):
        cleaner.drop("dag_run")


def test_nothing_is_kept_without_an_archive(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    old_run("r0")
    old_run("r1", at=days(1))
    assert clean(cleaner, "dag_run", archived=False)["dag_run"] == 1
    assert (run_ids(store), cleaner.archives()) == ({"r1"}, [])


@pytest.mark.parametrize("state", ["queued", "running"])
def test_what_a_run_that_has_not_ended_needs_stays(
    store: Store, cleaner: Cleaner, old_run: Callable[..., Run], state: str
) -> None:
    for day, ended in enumerate(["success", "failed", "success", "failed", "failed"]):
        old_run(f"r{day}", at=days(day), state=ended)
    old_run("goes on", at=days(20), state=state)
    old_run("last", at=days(30))
    clean(cleaner)
    # The run before it, and the one before that succeeded: what depends on the past looks at them.
    assert run_ids(store) == {"r2", "r4", "goes on", "last"}
    assert rows_of(store, t.xcom) == rows_of(store, t.task_instance) == 4
    assert store.dags.latest_version("a") is not None


@pytest.mark.parametrize("name", ["dag_run", "xcom"])
def test_a_run_that_is_cleared_at_the_same_moment_stays(
    store: Store, cleaner: Cleaner, old_run: Callable[..., Run], name: str
) -> None:
    runs = [old_run(f"r{day}", at=days(day)) for day in range(3)]
    (rule,) = (rule for rule in chosen([name], NOW) if rule.name == name)
    with ThreadPoolExecutor(1) as others:
        with store.database.write() as conn:
            cleared = {"state": "queued", "end_date": None}
            conn.execute(t.dag_run.update().where(t.dag_run.c.id == runs[0].id).values(**cleared))
            cleaning = others.submit(cleaner.clean, rule, CLEANING, archive=None)
            assert not wait([cleaning], timeout=0.3).done  # it waits for the row, or for its turn to write
        assert cleaning.result(30) == 1
    assert {run.run_id for run in store.runs.all() if run.state == "queued"} == {"r0"}
    assert len(store.xcoms.list("a", "r0", "t", -1)) == 1
    assert store.xcoms.list("a", "r1", "t", -1) == []


def test_a_run_with_a_callback_that_is_owed_stays(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    run = old_run("r0")
    old_run("r1", at=days(1))
    with store.database.write() as conn:
        conn.execute(t.callback.insert().values(kind="dag", dag_run_id=run.id, created_at=OLD))
    assert clean(cleaner, "dag_run")["dag_run"] == 0


def test_dags_can_be_chosen_and_left_out(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    for dag_id in ("a", "b", "c"):
        for day in range(2):
            old_run(f"{dag_id}{day}", dag_id=dag_id, at=days(day))
    assert clean(cleaner, "dag_run", dag_ids=["a"])["dag_run"] == 1
    assert clean(cleaner, "dag_run", exclude_dag_ids=["b"])["dag_run"] == 1
    assert run_ids(store) == {"a1", "b0", "b1", "c1"}


def test_a_time_to_come_does_not_make_everything_old(
    store: Store, cleaner: Cleaner, old_run: Callable[..., Run]
) -> None:
    old_run("r0", at=NOW + timedelta(seconds=1))
    old_run("r1", at=NOW + timedelta(seconds=2))
    job = store.jobs.start("SchedulerJob", hostname="h", pid=1, now=NOW - timedelta(seconds=5))
    gone = clean(cleaner, before=NOW + timedelta(days=1))
    assert (gone["dag_run"], gone["job"]) == (0, 0)
    store.jobs.end(job, NOW)
    assert clean(cleaner, before=NOW + timedelta(days=1))["job"] == 1


def test_a_dag_without_a_file_goes_after_its_runs(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    for dag_id in ("a", "b"):
        old_run(f"{dag_id}1", dag_id=dag_id)
    with store.database.write() as conn:
        conn.execute(t.dag.update().values(last_parsed=OLD, is_stale=t.dag.c.dag_id == "a"))
        conn.execute(t.dag_version.update().values(created_at=OLD))
    gone = clean(cleaner)
    assert (gone["dag_run"], gone["dag"], gone["dag_version"]) == (1, 1, 0)
    assert [dag.dag_id for dag in store.dags.all(include_stale=True)] == ["b"]


def test_versions_go_that_nothing_uses(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    old_run("r0")
    for number, task in enumerate(("u", "v")):
        store.dags.record_parse(parse(serialized("a", task), source_hash=f"h{number + 2}"), NOW)
        if task == "u":
            old_run("r1", at=days(1))
    with store.database.write() as conn:
        conn.execute(t.dag_version.update().values(created_at=OLD))
        versions = conn.execute(select(func.count()).select_from(t.dag_version)).scalar_one()
    assert versions == 3
    assert clean(cleaner, "dag_version")["dag_version"] == 1  # that of r0; r1 has the second, the DAG the third


def test_import_errors_of_files_stay(store: Store, cleaner: Cleaner) -> None:
    store.dags.record_parse(parse(path="broken.py", error="SyntaxError"), OLD)
    with store.database.write() as conn:
        gone = {"bundle_name": "b", "filename": "gone.py", "stacktrace": "x", "timestamp": OLD}
        conn.execute(t.import_error.insert().values(**gone))
    assert clean(cleaner, "import_error") == {"import_error": 1}
    assert [path for _, path, _ in store.dags.import_errors()] == ["broken.py"]


def test_asset_events_that_a_dag_waits_with_stay(store: Store, cleaner: Cleaner, a_dag: Callable[..., object]) -> None:
    a_dag("a")
    with store.database.write() as conn:
        for number in (1, 2, 3):
            made = {"created_at": OLD, "updated_at": OLD}
            conn.execute(asset.insert().values(id=number, name=f"n{number}", uri=f"u{number}", **made))
            event = {"id": number, "asset_id": number, "timestamp": days(1), "source_dag_id": "a"}
            conn.execute(asset_event.insert().values(event))
        conn.execute(asset_queue.insert().values(dag_id="a", asset_id=2, created_at=days(1), updated_at=days(1)))
        # Its partition is being asked for.
        arrival = {"dag_id": "a", "event_id": 3, "asset_id": 3, "source_key": "k", "definition": "", "created_at": OLD}
        conn.execute(partition_arrival.insert().values(arrival))
    assert clean(cleaner, "asset_event") == {"asset_event": 1}
    with store.database.read() as conn:
        assert sorted(conn.execute(select(asset_event.c.asset_id)).scalars()) == [2, 3]


def test_logs_and_triggers(store: Store, cleaner: Cleaner, old_run: Callable[..., Run]) -> None:
    run = old_run("r0", state="running")
    waiting = add_task_instance(store, run, "u", "deferred")
    with store.database.write() as conn:
        for ti_id in (waiting, 999):
            row = {"ti_id": ti_id, "classpath": "x.Y", "kwargs": "{}", "created_at": OLD}
            made = conn.execute(t.trigger.insert().values(**row).returning(t.trigger.c.id)).scalar_one()
            conn.execute(t.task_instance.update().where(t.task_instance.c.id == ti_id).values(trigger_id=made))
        for dag_id in (None, "a", "b"):
            conn.execute(t.event_log.insert().values(dttm=OLD, event="e", dag_id=dag_id))
    assert clean(cleaner, "trigger")["trigger"] == 1
    assert clean(cleaner, "log", exclude_dag_ids=["b"]) == {"log": 2}
    assert rows_of(store, t.trigger) == rows_of(store, t.event_log) == 1


def test_tables_go_in_an_order_in_which_nothing_is_lost() -> None:
    known = list(rules(NOW))
    for rule in rules(NOW).values():
        assert all(known.index(name) < known.index(rule.name) for name in rule.first)
    assert not set(known) & set(WITHOUT_ROWS)
    assert [rule.name for rule in chosen(["task_instance"], NOW)] == ["xcom", "task_instance_history", "task_instance"]
