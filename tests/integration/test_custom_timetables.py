"""Timetables that authors write themselves: asked by a real dag-processor, never imported by the scheduler."""

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
from sqlalchemy import select

from gnomon.api.backfilling import BackfillRequest, create_backfill
from gnomon.api.refusals import TriggerRefused
from gnomon.api.triggering import TriggerRequest, trigger_run
from gnomon.cli.dags import _coming
from gnomon.model.backfills import BackfillRefused
from gnomon.model.timetables import DataInterval
from gnomon.parsing.processor import DagProcessor
from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.deadline_tables import question
from gnomon.store.engine import Store, open_store
from gnomon.store.errors import Unavailable
from gnomon.store.reads.versions import VersionCache
from gnomon.wire import execution as wire
from tests.fixtures.loops import turning
from tests.fixtures.scheduling import Bench, bench

#: A timetable as Airflow's documentation teaches to write one: every second day, about the two days before.
_EVERY_SECOND_DAY = """
from datetime import timedelta
from pendulum import DateTime, UTC
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

class EverySecondDay(Timetable):
    def __init__(self, hour=0):
        self.hour = hour

    @property
    def summary(self):
        return f"every second day at {self.hour}"

    description = "Every second day"

    def serialize(self):
        return {"hour": self.hour}

    @classmethod
    def deserialize(cls, data):
        return cls(data["hour"])

    def infer_manual_data_interval(self, *, run_after):
        end = run_after.start_of("day")
        return DataInterval(start=end - timedelta(days=2), end=end)

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        if last_automated_data_interval is not None:
            start = last_automated_data_interval.end
        elif restriction.earliest is None:
            return None
        else:
            start = restriction.earliest.start_of("day").add(hours=self.hour)
        if not restriction.catchup:
            start = max(start, DateTime.now(UTC).start_of("day"))
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=start + timedelta(days=2))
"""
_DAG = """
from datetime import datetime, timezone
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from every_second_day import EverySecondDay

with DAG("odd", schedule=EverySecondDay(6), start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
         end_date=datetime(2024, 1, 8, tzinfo=timezone.utc), catchup=True, is_paused_upon_creation=False):
    EmptyOperator(task_id="nothing")
"""


pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def store(database_url: str, airflow_home: Path) -> Iterator[Store]:
    opened = open_store(database_url)
    yield opened
    opened.close()


@asynccontextmanager
async def engine(store: Store, home: Path) -> AsyncIterator[tuple[Bench, DagProcessor]]:
    """A scheduler and a dag-processor on one database."""
    (home / "dags").mkdir(exist_ok=True)

    def heard(topic: str) -> Any:
        return lambda loop, call: store.notifier.subscribe(loop, [topic], lambda notice: call(notice.payload))

    processor = DagProcessor(
        store.dags,
        lambda request: wire.Problem("not_found", "nothing is here"),
        outage=(Unavailable,),
        listen=heard("parse"),
        desk=store.questions,
        listen_for_questions=heard("question"),
    )
    async with bench(store) as made:
        await processor.start()
        try:
            yield made, processor
        finally:
            await processor.stop()


def save(home: Path, **files: str) -> None:
    (home / "dags").mkdir(exist_ok=True)
    for name, text in files.items():
        (home / "dags" / f"{name}.py").write_text(textwrap.dedent(text))


def rows(store: Store, query: Any) -> list[Any]:
    with store.database.read() as conn:
        return list(conn.execute(query))


def runs_of(store: Store, dag_id: str) -> list[Any]:
    r = t.dag_run.c
    return rows(store, select(t.dag_run).where(r.dag_id == dag_id).order_by(r.run_after, r.id))


def warning_of(store: Store, dag_id: str) -> str | None:
    w = t.dag_warning.c
    found = rows(store, select(w.message).where(w.dag_id == dag_id, w.warning_type == "timetable"))
    return found[0][0] if found else None


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2024, 1, number, hour, tzinfo=UTC)


@turning
async def test_the_runs_are_those_that_the_class_asks_for(store: Store, airflow_home: Path) -> None:
    save(airflow_home, every_second_day=_EVERY_SECOND_DAY, odd=_DAG)
    async with engine(store, airflow_home) as (made, _):
        # The fourth would begin on the 7th at 6, and the fifth after the DAG's end date.
        await made.until(lambda: [run.state for run in runs_of(store, "odd")] == ["success"] * 4, 30)
        assert [(run.logical_date, run.data_interval_end, run.run_after) for run in runs_of(store, "odd")] == [
            (day(n, 6), day(n + 2, 6), day(n + 2, 6)) for n in (1, 3, 5, 7)
        ]
        await made.until(lambda: not store.questions.untaken())
        row = store.dags.get("odd")
        assert row is not None
        assert (row.next_run_after, row.timetable_summary, row.timetable_description) == (
            None, "every second day at 6", "Every second day",
        )  # fmt: skip


@turning
async def test_the_scheduler_never_imports_the_class(store: Store, airflow_home: Path) -> None:
    save(airflow_home, every_second_day=_EVERY_SECOND_DAY, odd=_DAG)
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "odd")) == 4, 30)
    assert "every_second_day" not in sys.modules


@turning
async def test_a_run_by_hand_has_the_interval_that_the_class_infers(store: Store, airflow_home: Path) -> None:
    save(airflow_home, every_second_day=_EVERY_SECOND_DAY, odd=_DAG.replace("=False", "=True"))
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: store.dags.get("odd") is not None, 30)
        request = TriggerRequest(dag_id="odd", now=clock.now(), logical_date=day(20, 15))
        run = await asyncio.to_thread(trigger_run, store, VersionCache(), request)
        assert (run.data_interval_start, run.data_interval_end) == (day(18), day(20))
        assert not rows(store, select(question).where(question.c.kind == "manual"))


@turning
async def test_a_class_in_the_dag_file_itself_may_name_its_runs(store: Store, airflow_home: Path) -> None:
    own = "\n    def generate_run_id(self, *, run_type, run_after, data_interval, **extra):\n"
    own += "        return f'own-{run_after:%Y%m%d}'\n"
    text = _EVERY_SECOND_DAY + own + _DAG.replace("from every_second_day import EverySecondDay\n", "")
    save(airflow_home, odd=text)
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "odd")) == 4, 30)
        assert [run.run_id for run in runs_of(store, "odd")][:2] == ["own-20240103", "own-20240105"]


@turning
async def test_a_subclass_of_a_schedule_that_comes_with_the_sdk_adds_to_it(store: Store, airflow_home: Path) -> None:
    save(
        airflow_home,
        skipping="""
        from datetime import datetime, timezone
        from airflow.sdk import DAG, CronTriggerTimetable
        from airflow.providers.standard.operators.empty import EmptyOperator

        class NotOnTheSecond(CronTriggerTimetable):
            def next_dagrun_info(self, *, last_automated_data_interval, restriction):
                info = super().next_dagrun_info(
                    last_automated_data_interval=last_automated_data_interval, restriction=restriction)
                if info is not None and info.run_after.day == 2:
                    return super().next_dagrun_info(
                        last_automated_data_interval=info.data_interval, restriction=restriction)
                return info

        with DAG("skipping", schedule=NotOnTheSecond("0 0 * * *", timezone="UTC"), catchup=True,
                 start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
                 end_date=datetime(2024, 1, 4, tzinfo=timezone.utc), is_paused_upon_creation=False):
            EmptyOperator(task_id="nothing")
        """,
    )
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "skipping")) == 3, 30)
        assert [run.logical_date for run in runs_of(store, "skipping")] == [day(1), day(3), day(4)]


@turning
async def test_one_that_raises_or_hangs_is_a_warning_and_holds_up_nobody(
    store: Store, airflow_home: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "2")
    bad = _EVERY_SECOND_DAY.replace("        if last_automated", "        {what}\n        if last_automated", 1)
    raises = bad.replace("{what}", "raise RuntimeError('the calendar is on fire')")
    hangs = bad.replace("{what}", "import time; time.sleep(600)")
    broken = _DAG.replace("every_second_day", "{module}").replace('"odd"', '"{module}_dag"')
    save(
        airflow_home,
        raises=raises, hangs=hangs, every_second_day=_EVERY_SECOND_DAY,
        dag_raises=broken.replace("{module}", "raises"), dag_hangs=broken.replace("{module}", "hangs"), odd=_DAG,
    )  # fmt: skip
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "odd")) == 4, 30)
        await made.until(lambda: warning_of(store, "raises_dag") is not None, 30)
        await made.until(lambda: warning_of(store, "hangs_dag") is not None, 30)
        assert "the calendar is on fire" in str(warning_of(store, "raises_dag"))
        assert "dagbag_import_timeout" in str(warning_of(store, "hangs_dag"))
        assert runs_of(store, "raises_dag") == runs_of(store, "hangs_dag") == []
        # Mended, it is asked anew.
        save(airflow_home, raises=_EVERY_SECOND_DAY)
        await made.until(lambda: len(runs_of(store, "raises_dag")) == 4, 30)
        assert warning_of(store, "raises_dag") is None


@turning
async def test_one_that_cannot_infer_an_interval_refuses_the_run_by_hand(store: Store, airflow_home: Path) -> None:
    text = _EVERY_SECOND_DAY.replace(
        "end = run_after.start_of", "raise KeyError('no calendar'); end = run_after.start_of"
    )
    save(airflow_home, every_second_day=text, odd=_DAG)
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: store.dags.get("odd") is not None, 30)
        request = TriggerRequest(dag_id="odd", now=clock.now(), logical_date=day(20))
        with pytest.raises(TriggerRefused, match="no calendar"):
            await asyncio.to_thread(trigger_run, store, VersionCache(), request)


@turning
async def test_a_question_outlives_the_processes_that_work_on_it(store: Store, airflow_home: Path) -> None:
    """Whoever is killed while a question is open, it is answered in the end."""
    flag = airflow_home / "go"
    slow = (
        f"import os, time\n        while not os.path.exists({str(flag)!r}): time.sleep(0.02)\n        if last_automated"
    )
    text = _EVERY_SECOND_DAY.replace("        if last_automated", f"        {slow}", 1)
    save(airflow_home, every_second_day=text, odd=_DAG)
    async with bench(store), _processor(store) as first:  # all of them are gone before there is an answer
        await _until(lambda: bool(rows(store, select(question))))
        pid = first.parser_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await _until(lambda: first.parser_pid not in (None, pid))
    assert rows(store, select(question.c.answer)) == [(None,)]
    flag.touch()
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "odd")) == 4, 30)


@asynccontextmanager
async def _processor(store: Store) -> AsyncIterator[DagProcessor]:
    processor = DagProcessor(
        store.dags, lambda request: wire.Problem("not_found", ""), outage=(Unavailable,), desk=store.questions
    )
    await processor.start()
    try:
        yield processor
    finally:
        await processor.stop()


async def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


#: Only says when to run, and names its runs.
_BARE = """
from datetime import datetime, timedelta, timezone
from airflow.sdk import DAG
from airflow.timetables.base import DagRunInfo, Timetable
from airflow.providers.standard.operators.empty import EmptyOperator

class Tides(Timetable):
    def infer_manual_data_interval(self, *, run_after):
        return None

    def next_dagrun_info_v2(self, *, last_dagrun_info, restriction):
        at = restriction.earliest
        if last_dagrun_info is not None:
            assert last_dagrun_info.data_interval is None
            at = last_dagrun_info.run_after + timedelta(hours=12, minutes=25)
        if restriction.latest is not None and at > restriction.latest:
            return None
        return DagRunInfo(run_after=at, data_interval=None)

    {naming}

with DAG("tides", schedule=Tides(), start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=True,
         end_date=datetime(2024, 1, 2, 1, tzinfo=timezone.utc), is_paused_upon_creation=False):
    EmptyOperator(task_id="nothing")
"""
_NAMING = """def generate_run_id(self, *, run_type, run_after, data_interval, **extra):
        return f"{run_type.value}-tide-{run_after:%d-%H:%M}-{'without' if data_interval is None else 'with'}"
"""


@turning
async def test_a_timetable_may_say_only_when(store: Store, airflow_home: Path) -> None:
    save(airflow_home, tides=_BARE.replace("{naming}", ""))
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: [run.state for run in runs_of(store, "tides")] == ["success"] * 3, 30)
        found = [(run.run_id, run.logical_date, run.data_interval_start) for run in runs_of(store, "tides")]
        assert found == [
            ("scheduled__2024-01-01T00:00:00+00:00", None, None),
            ("scheduled__2024-01-01T12:25:00+00:00", None, None),
            ("scheduled__2024-01-02T00:50:00+00:00", None, None),
        ]
        await made.until(lambda: not store.questions.untaken())
        assert warning_of(store, "tides") is None
        # An interval that the class does not infer is none.
        request = TriggerRequest(dag_id="tides", now=clock.now(), logical_date=day(20))
        run = await asyncio.to_thread(trigger_run, store, VersionCache(), request)
        assert (run.logical_date, run.data_interval_start) == (day(20), None)


@turning
async def test_every_run_is_named_by_a_timetable_that_names_runs(store: Store, airflow_home: Path) -> None:
    save(airflow_home, tides=_BARE.replace("{naming}", _NAMING))
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: len(runs_of(store, "tides")) == 3, 30)
        assert runs_of(store, "tides")[1].run_id == "scheduled-tide-01-12:25-without"

        def trigger(**fields: Any) -> Any:
            request = TriggerRequest(dag_id="tides", now=clock.now(), run_after=day(5, 3), **fields)
            return trigger_run(store, VersionCache(), request)

        run = await asyncio.to_thread(trigger)
        assert (run.run_id, run.logical_date) == ("manual-tide-05-03:00-without", None)
        interval = DataInterval(day(1), day(2))
        run = await asyncio.to_thread(trigger, logical_date=day(21), data_interval=interval)
        assert (run.run_id, run.data_interval_start) == ("manual-tide-05-03:00-with", day(1))
        run = await asyncio.to_thread(trigger, run_id="mine")
        assert run.run_id == "mine"
        assert not rows(store, select(question).where(question.c.kind == "manual"))


@turning
async def test_next_execution_asks_the_class_for_more_than_one(store: Store, airflow_home: Path) -> None:
    paused = {"every_second_day": _EVERY_SECOND_DAY, "odd": _DAG.replace("=False", "=True")}
    endless = _BARE.replace("{naming}", "").replace("=False", "=True")
    save(airflow_home, **paused, tides=endless)
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: all(getattr(store.dags.get(d), "next_run_after", None) for d in ("odd", "tides")), 30)
        shown = await asyncio.to_thread(_next_executions, store, "odd")
        assert shown == [(day(1, 6), day(3, 6)), (day(3, 6), day(5, 6)), (day(5, 6), day(7, 6))]
        shown = await asyncio.to_thread(_next_executions, store, "tides")
        assert shown == [
            (None, day(1)),
            (None, datetime(2024, 1, 1, 12, 25, tzinfo=UTC)),
            (None, datetime(2024, 1, 2, 0, 50, tzinfo=UTC)),
        ]


def _next_executions(store: Store, dag_id: str) -> list[tuple[Any, Any]]:
    found = _coming(store.dags.get(dag_id), store.dags.latest_version(dag_id), 3)
    return [(row["logical_date"], row["run_after"]) for row in found]


@turning
async def test_a_backfill_has_the_dates_that_the_class_gives(store: Store, airflow_home: Path) -> None:
    own = "\n    def generate_run_id(self, *, run_type, run_after, data_interval, **extra):\n        return 'own'\n"
    save(airflow_home, every_second_day=_EVERY_SECOND_DAY + own, odd=_DAG.replace("=False", "=True"))
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: store.dags.get("odd") is not None, 30)
        request = BackfillRequest(dag_id="odd", from_date=day(3), to_date=day(8), now=clock.now(), backwards=True)
        done = await asyncio.to_thread(create_backfill, store, VersionCache(), request)
        assert (done.created, done.backfill.completed_at) == (3, None)
        found = runs_of(store, "odd")
        assert [(run.logical_date, run.data_interval_end, run.backfill_sort_ordinal) for run in found] == [
            (day(n, 6), day(n + 2, 6), ordinal) for n, ordinal in ((3, 3), (5, 2), (7, 1))
        ]
        assert found[0].run_id == "backfill__2024-01-05T06:00:00+00:00"
        assert not rows(store, select(question).where(question.c.kind == "between"))


@turning
async def test_a_backfill_of_a_class_that_raises_is_refused(store: Store, airflow_home: Path) -> None:
    broken = _EVERY_SECOND_DAY.replace("if restriction.latest is not None", "if 1 / 0")
    save(airflow_home, every_second_day=broken, odd=_DAG.replace("=False", "=True"))
    async with engine(store, airflow_home) as (made, _):
        await made.until(lambda: store.dags.get("odd") is not None, 30)
        request = BackfillRequest(dag_id="odd", from_date=day(3), to_date=day(8), now=clock.now())
        with pytest.raises(BackfillRefused, match="division by zero"):
            await asyncio.to_thread(create_backfill, store, VersionCache(), request)
        assert runs_of(store, "odd") == []
