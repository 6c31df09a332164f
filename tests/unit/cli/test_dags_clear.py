from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gnomon.store import engine, tables
from gnomon.store.parses import Parse
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from gnomon.wire.execution import FileRef


@pytest.fixture
def three_runs(airflow_home):
    """Runs about the partitions a, b and c of the first three days of a year in Tokyo, all of them over."""
    engine.migrate()
    timetable = TimetableSpec(kind="null", timezone="Asia/Tokyo")
    dag = SerializedDag(dag_id="d", timetable=timetable, tasks=[SerializedTask(task_id="t")])
    file = FileRef(bundle="b", path="/dags/d.py", relative_path="d.py", source_hash="h", bundle_root="/dags")
    with engine.open_store() as store:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        store.dags.record_parse(Parse(file=file, dags=[dag]), at)
        for day, key in enumerate("abc", 1):
            date = (
                datetime(2025, 12, 30 + day, 15, tzinfo=UTC) if day < 2 else datetime(2026, 1, day - 1, 15, tzinfo=UTC)
            )
            run = store.runs.create("d", key * 2, now=at, run_after=at, partition_key=key, partition_date=date)
            with store.database.write() as conn:
                over = {"state": "success", "start_date": at, "end_date": at, "expanded": True}
                conn.execute(tables.dag_run.update().where(tables.dag_run.c.id == run.id).values(**over))
                row = {"id": day, "dag_run_id": run.id, "task_id": "t", "state": "success", "try_number": 1}
                conn.execute(tables.task_instance.insert().values(**row))


def cleared():
    with engine.open_store() as store:
        return {run.run_id for run in store.runs.all("d") if run.state == "queued"}


@pytest.mark.usefixtures("three_runs")
@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (("--run-id", "bb"), {"bb"}),
        (("--partition-key", "c"), {"cc"}),
        (("--partition-date-start", "2026-01-02"), {"bb", "cc"}),
        (("--partition-date-start", "2026-01-01", "--partition-date-end", "2026-01-02"), {"aa", "bb"}),
    ],
)
def test_runs_are_cleared_by_id_key_or_days_of_the_timetables_clock(airflow, options, runs):
    code, said, _ = airflow("dags", "clear", "d", *options, "--yes")
    assert (code, said) == (0, f"Cleared {len(runs)} task instance(s) across {len(runs)} Dag run(s).\n")
    assert cleared() == runs


@pytest.mark.usefixtures("three_runs")
def test_what_to_clear_has_to_be_said_in_one_way(airflow):
    for options in (
        (),
        ("--run-id", "aa", "--partition-key", "a"),
        ("--partition-key", "a", "--partition-date-end", "2026"),
    ):
        code, _, said = airflow("dags", "clear", "d", *options, "-y")
        assert (code, said[:52]) == (2, "Error: one of --run-id, --partition-key and --partit")
    wrong = ("--partition-date-start", "2026-01-03", "--partition-date-end", "2026-01-02")
    code, _, said = airflow("dags", "clear", "d", *wrong, "-y")
    assert (code, said) == (2, "Error: --partition-date-start must be on or before --partition-date-end\n")
    assert airflow("dags", "clear", "d", "--partition-key", "z", "-y")[1] == "No matching Dag runs found.\n"
    assert airflow("dags", "clear", "d", "--partition-key", "a")[0] == 1  # nobody is there to be asked
    assert cleared() == set()
