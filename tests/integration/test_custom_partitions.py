"""Partition mappers and windows that authors write themselves: asked by a real dag-processor, not by the scheduler."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gnomon.api.refusals import TriggerRefused
from gnomon.api.triggering import TriggerRequest, trigger_run
from gnomon.parsing.processor import DagProcessor
from gnomon.service import clock
from gnomon.store import asset_tables as a
from gnomon.store import tables as t
from gnomon.store.deadline_tables import question
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import Unavailable
from gnomon.store.reads.versions import VersionCache
from gnomon.wire import execution as wire
from tests.fixtures.loops import turning
from tests.fixtures.scheduling import Bench, bench

#: A mapper and a window as Airflow's examples teach to write them, in a plugin.
_PLUGIN = """
import calendar
from datetime import datetime, timedelta
from airflow.partition_mappers.base import PartitionMapper
from airflow.partition_mappers.window import Window
from airflow.plugins_manager import AirflowPlugin

class Strip(PartitionMapper):
    def __init__(self, prefix, **kwargs):
        super().__init__(**kwargs)
        self.prefix = prefix

    def to_downstream(self, key):
        if key == "bad":
            raise ValueError("no such region")
        return key.removeprefix(self.prefix)

    def serialize(self):
        return {"prefix": self.prefix}

    @classmethod
    def deserialize(cls, data):
        return cls(data["prefix"])

class WorkingDays(Window):
    expected_decoded_type = datetime

    def to_upstream(self, start):
        days = calendar.monthrange(start.year, start.month)[1]
        return (day for n in range(days) if (day := start + timedelta(days=n)).weekday() < 5)

class Own(AirflowPlugin):
    name = "own"
    partition_mappers = [Strip]
    windows = [WorkingDays]
"""
_DAG = """
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable
from airflow.sdk import RollupMapper, StartOfMonthMapper
from airflow.providers.standard.operators.empty import EmptyOperator
from regions import Strip, WorkingDays

with DAG("sums", schedule=PartitionedAssetTimetable(assets=Asset("sales"), default_partition_mapper={mapper}),
         is_paused_upon_creation=False):
    EmptyOperator(task_id="nothing")
with DAG("source", schedule=None):
    EmptyOperator(task_id="nothing", outlets=[Asset("sales")])
"""
_STRIP = _DAG.replace("{mapper}", "Strip('eu:')")
_MONTH = _DAG.replace(
    "{mapper}", "RollupMapper(upstream_mapper=StartOfMonthMapper(input_format='%Y-%m-%d'), window=WorkingDays())"
)


@pytest.fixture
def store(database_url: str, airflow_home: Path) -> Iterator[Store]:
    opened = open_store(database_url)
    yield opened
    opened.close()


@asynccontextmanager
async def processor(store: Store) -> AsyncIterator[DagProcessor]:
    """A dag-processor with the parser that is asked."""

    def heard(topic: str) -> Any:
        return lambda loop, call: store.notifier.subscribe(loop, [topic], lambda notice: call(notice.payload))

    made = DagProcessor(
        store.dags,
        lambda request: wire.Problem("not_found", "nothing is here"),
        outage=(Unavailable,),
        listen=heard("parse"),
        desk=store.questions,
        listen_for_questions=heard("question"),
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def engine(store: Store) -> AsyncIterator[Bench]:
    """A scheduler and a dag-processor on one database; the DAG is there."""
    async with bench(store) as made, processor(store):
        await made.until(lambda: store.dags.get("sums") is not None, 30)
        yield made


def save(home: Path, *, dag: str = _STRIP, plugin: str = _PLUGIN) -> None:
    for folder, name, text in (("plugins", "regions", plugin), ("dags", "sums", dag)):
        (home / folder).mkdir(exist_ok=True)
        (home / folder / f"{name}.py").write_text(textwrap.dedent(text))


def emit(store: Store, *keys: str | None) -> None:
    """Update the asset, as a request does."""
    (asset,) = store.assets.find(name="sales")
    for key in keys:
        store.assets.emit(asset["id"], clock.now(), partition_key=key)


def rows(store: Store, query: Any) -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(query))


def runs(store: Store) -> list[tuple[str, datetime | None, str]]:
    r = t.dag_run.c
    query = select(r.partition_key, r.partition_date, r.state).where(r.dag_id == "sums").order_by(r.id)
    return [tuple(row) for row in rows(store, query)]


def done(store: Store, *keys: str) -> Callable[[], bool]:
    return lambda: sorted((run[0], run[2]) for run in runs(store)) == sorted((key, "success") for key in keys)


def waiting(store: Store) -> int:
    return int(rows(store, select(func.count()).select_from(a.partition_arrival))[0][0])


def working_days() -> list[str]:
    days = [datetime(2024, 2, n, tzinfo=UTC) for n in range(1, 30)]
    return [f"{day:%Y-%m-%d}" for day in days if day.weekday() < 5]


@turning
async def test_the_runs_are_those_of_the_keys_that_a_mapper_gives(store: Store, airflow_home: Path) -> None:
    save(airflow_home)
    async with engine(store) as made:
        emit(store, "eu:shoes", "eu:hats", "us:hats", "bad", None)
        await made.until(done(store, "shoes", "hats", "us:hats"), 30)
        await made.until(lambda: waiting(store) == 0)
        log = rows(store, select(t.event_log.c.event, t.event_log.c.extra).where(t.event_log.c.dag_id == "sums"))
        assert [event for event, _ in log] == ["missing partition key", "failed to map partition_key"]
        assert "'bad' of the asset 'sales' cannot be mapped: ValueError: no such region" in log[1].extra
        # Each event is consumed by one run, and by one only.
        consumed = select(a.dag_run_asset_event.c.event_id, a.asset_event.c.partition_key)
        consumed = consumed.join(a.asset_event, a.asset_event.c.id == a.dag_run_asset_event.c.event_id)
        assert sorted(row.partition_key for row in rows(store, consumed)) == ["eu:hats", "eu:shoes", "us:hats"]
        assert rows(store, select(question)) == []
    assert "regions" not in sys.modules


@turning
async def test_a_window_says_what_a_run_waits_for(store: Store, airflow_home: Path) -> None:
    save(airflow_home, dag=_MONTH)
    async with engine(store) as made:
        days = working_days()
        emit(store, *days[:-1])
        await made.until(lambda: waiting(store) == 0, 30)
        assert runs(store) == []
        (told,) = rows(store, select(a.partition_told.c.expected))
        assert told.expected == "[" + ",".join(f'"{day}"' for day in days) + "]"
        emit(store, days[-1])
        await made.until(done(store, "2024-02"), 30)
        assert runs(store)[0][1] == datetime(2024, 2, 1, tzinfo=UTC)


@turning
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_class_in_the_dag_file_may_map_one_key_to_many_and_knows_dates(
    store: Store, airflow_home: Path
) -> None:
    own = """
    from datetime import datetime, timezone
    from airflow.partition_mappers.base import PartitionMapper

    class Halves(PartitionMapper):
        def to_downstream(self, key):
            return [f"{key}-h{n}" for n in (1, 2)] if key != "all" else [str(n) for n in range(4)]

        def to_partition_date(self, key):
            return datetime(int(key[:4]), 1 if key[-1] == "1" else 7, 1, tzinfo=timezone.utc)
    """
    save(airflow_home, dag=textwrap.dedent(own) + _DAG.replace("{mapper}", "Halves(max_downstream_keys=3)"))
    async with engine(store) as made:
        emit(store, "2024", "all")
        await made.until(done(store, "2024-h1", "2024-h2"), 30)
        dates = [datetime(2024, month, 1, tzinfo=UTC) for month in (1, 7)]
        assert sorted(date for _, date, _ in runs(store) if date is not None) == dates
        (refused,) = rows(store, select(t.event_log).where(t.event_log.c.event == "partition fan-out exceeded"))
        assert "would make 4 runs; 3 are allowed" in refused.extra

        # By hand, the same class says which date a key has.
        by_hand = TriggerRequest(dag_id="sums", now=clock.now(), partition_key="2023-h2")
        run = await asyncio.to_thread(trigger_run, store, VersionCache(), by_hand)
        assert run.partition_date == datetime(2023, 7, 1, tzinfo=UTC)
        by_hand = TriggerRequest(dag_id="sums", now=clock.now(), partition_key="never")
        with pytest.raises(TriggerRefused, match="'never' is invalid for this timetable's mappers: ValueError"):
            await asyncio.to_thread(trigger_run, store, VersionCache(), by_hand)


@turning
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_one_that_cannot_say_what_is_expected_is_asked_again_when_it_is_mended(
    store: Store, airflow_home: Path
) -> None:
    save(airflow_home, dag=_MONTH, plugin=_PLUGIN.replace("        days = cal", "        1 / 0\n        days = cal"))
    async with engine(store) as made:
        emit(store, *working_days())
        await made.until(lambda: bool(rows(store, select(a.partition_told))), 30)
        (told,) = rows(store, select(a.partition_told))
        assert "ZeroDivisionError" in told.error
        assert (waiting(store), runs(store)) == (0, [])
        save(airflow_home, dag=_MONTH)
        await made.until(done(store, "2024-02"), 30)


@turning
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_one_that_hangs_is_a_warning_and_keeps_its_events(
    store: Store, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "2")
    hangs = _PLUGIN.replace('if key == "bad"', 'import time; time.sleep(600)\n        if key == "bad"')
    save(airflow_home, plugin=hangs)
    async with engine(store) as made:
        emit(store, "eu:shoes")
        warning = select(t.dag_warning.c.message).where(t.dag_warning.c.dag_id == "sums")
        await made.until(lambda: bool(rows(store, warning)), 30)
        assert "dagbag_import_timeout" in rows(store, warning)[0][0]
        assert (waiting(store), runs(store)) == (1, [])
        save(airflow_home)
        await made.until(done(store, "shoes"), 30)
        assert rows(store, warning) == []


@turning
async def test_events_outlive_the_processes_that_work_on_them(store: Store, airflow_home: Path) -> None:
    """Whoever is killed while a question is open, each event counts once in the end."""
    flag = airflow_home / "go"
    slow = (
        f'import os, time\n        while not os.path.exists({str(flag)!r}): time.sleep(0.02)\n        if key == "bad"'
    )
    save(airflow_home, plugin=_PLUGIN.replace('if key == "bad"', slow))
    async with bench(store) as made, processor(store) as first:
        await made.until(lambda: store.dags.get("sums") is not None, 30)
        emit(store, "eu:shoes", "us:hats")
        await made.until(lambda: bool(rows(store, select(question))), 30)
        pid = first.parser_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await made.until(lambda: first.parser_pid not in (None, pid), 30)
    assert waiting(store) == 2
    flag.touch()
    async with processor(store):  # it answers while no scheduler is there to hear of it
        end = clock.monotonic() + 30
        while not rows(store, select(question).where(question.c.answer.is_not(None))):
            assert clock.monotonic() < end, "there was no answer"
            await asyncio.sleep(0.02)
    async with bench(store) as made:
        await made.until(lambda: len(runs(store)) == 2, 30)
    async with engine(store) as made:
        await made.until(done(store, "shoes", "us:hats"), 30)
        assert waiting(store) == 0


@turning
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_comes_while_a_question_is_open_is_asked_with_the_next(store: Store, airflow_home: Path) -> None:
    save(airflow_home)
    async with engine(store) as made:
        for number in range(250):
            emit(store, f"eu:{number % 120}-{number}")
            if number % 50 == 0:
                await asyncio.sleep(0.05)
        await made.until(lambda: len(runs(store)) == 250, 60)
        assert waiting(store) == 0
