from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest

from gnomon.store import tables as t
from gnomon.store.engine import open_store

OLD = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def old_log(airflow):
    """Three old entries of the audit log, of DAGs a, b and none."""
    airflow("db", "migrate")
    with open_store() as store, store.database.write() as conn:
        for dag_id in ("a", "b", None):
            conn.execute(t.event_log.insert().values(dttm=OLD + timedelta(days=1), event="e", dag_id=dag_id))


@pytest.mark.usefixtures("old_log")
def test_a_dry_run_deletes_nothing(airflow):
    before = ("--clean-before-timestamp", "2025-06-01")
    code, said, _ = airflow("db", "clean", *before, "--dry-run", "--verbose")
    assert code == 0
    (log,) = [line.split("|") for line in said.splitlines() if line.startswith("log ")]
    assert [cell.strip() for cell in log] == ["log", "dttm", "3", ""]
    assert "dag_run" in said
    assert "that have not ended" in said
    assert airflow("db", "clean", *before, "-t", "log", "-y")[1].startswith("log: deleted 3 rows; copies are in ")


@pytest.mark.usefixtures("old_log")
def test_what_was_deleted_can_be_exported_and_dropped(airflow, tmp_path):
    before = ("--clean-before-timestamp", "2025-06-01 00:00:00+01:00")
    assert airflow("db", "clean", *before, "-t", "log,import_error", "--dag-ids", "a", "-y")[::2] == (
        0,
        "import_error: left alone, because its rows belong to no DAG and --dag-ids is given.\n",
    )
    assert airflow("db", "clean", *before, "-t", "log", "--exclude-dag-ids", "b", "--skip-archive", "-y")[1] == (
        "log: deleted 1 row\n"
    )
    code, said, _ = airflow("db", "export-archived", "--output-path", str(tmp_path), "--drop-archives", "-y")
    assert (code, said.splitlines()[-1]) == (0, "Total exported tables: 1, Total dropped tables: 1")
    (file,) = tmp_path.glob("_airflow_deleted__log__*.csv")
    with file.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["dag_id"], row["dttm"], row["event"]) == ("a", "2025-01-02T00:00:00+00:00", "e")
    assert airflow("db", "drop-archived")[1] == "Total dropped tables: 0\n"
    with open_store() as store, store.database.read() as conn:
        assert [row.dag_id for row in conn.execute(t.event_log.select())] == ["b"]


def test_what_cannot_be_done_is_said_in_one_sentence(airflow, tmp_path):
    before = ("--clean-before-timestamp", "2025-06-01")
    code, _, said = airflow("db", "clean", *before, "-t", "dagrun", "-y")
    assert (code, said.splitlines()[0][:46]) == (2, "Error: --tables: there is no table 'dagrun'; d")
    code, _, said = airflow("db", "clean", *before, "--dag-ids", "a,b", "--exclude-dag-ids", "b", "-y")
    assert (code, said) == (2, "Error: --dag-ids and --exclude-dag-ids both have 'b'\n")
    code, said, note = airflow("db", "clean", *before, "-t", "celery_taskmeta", "-y")
    assert (code, said, note) == (
        0,
        "",
        "celery_taskmeta: no rows to clean, Gnomon keeps none in such a table.\n",
    )
    missing = str(tmp_path / "none")
    code, _, said = airflow("db", "export-archived", "--output-path", missing)
    assert (code, said) == (2, f"Error: --output-path: there is no folder {missing}\n")
    code, _, said = airflow("db", "export-archived", "--output-path", str(tmp_path), "--export-format", "xml")
    assert (code, said) == (2, "Error: --export-format: 'xml' is not csv, the only format there is\n")


@pytest.mark.usefixtures("old_log")
@pytest.mark.parametrize(("answer", "left"), [("delete rows", 0), ("yes", 3)])
def test_words_are_asked_for_before_rows_go(airflow, monkeypatch, answer, left):
    before = ("--clean-before-timestamp", "2025-06-01", "-t", "log")
    code, _, said = airflow("db", "clean", *before)
    assert (code, said.splitlines()[0]) == (1, "Error: there is nobody to ask whether rows may be lost")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    assert airflow("db", "clean", *before)[0] == (1 if left else 0)
    with open_store() as store, store.database.read() as conn:
        assert len(conn.execute(t.event_log.select()).all()) == left
