"""Where logs of tries are, and reading them while they grow or after a crash."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.service import task_logs


def test_the_layout_is_airflow_3s(airflow_home: Path) -> None:
    run = "manual__2026-01-01T00:00:00+00:00"
    plain = task_logs.try_log_path("d", run, "t", -1, 2)
    mapped = task_logs.try_log_path("d", run, "t", 0, 1, folder="/logs")
    assert plain == f"{airflow_home}/logs/dag_id=d/run_id={run}/task_id=t/attempt=2.log"
    assert mapped == f"/logs/dag_id=d/run_id={run}/task_id=t/map_index=0/attempt=1.log"


def test_base_log_folder_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", "/somewhere/else")
    assert task_logs.try_log_path("d", "r", "t", -1, 1).startswith("/somewhere/else/dag_id=d/")


@given(st.text(min_size=1))
def test_a_run_id_stays_one_folder(run_id: str) -> None:
    path = task_logs.try_log_path("d", run_id, "t", -1, 1, folder="/logs")
    assert path.count("/") == 5
    assert "\0" not in path


def test_raw_lines_torn_lines_and_blank_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b'{"event": "one", "level": "info"}\nraw \xff\n\n{"no": "event"}\n{"event": "torn')
    assert task_logs.read_all(log) == [
        {"event": "one", "level": "info"},
        {"event": "raw \ufffd"},
        {"event": '{"no": "event"}'},
        {"event": '{"event": "torn'},
    ]


def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    assert task_logs.read_all(tmp_path / "none") == []
    assert list(task_logs.read(tmp_path / "none")) == []


@given(
    st.lists(st.text().map(lambda text: text.replace("\n", " ").replace("\r", " "))),
    st.lists(st.integers(0, 2000), max_size=5),
)
def test_a_reader_that_follows_a_growing_log_sees_each_line_once(events: list[str], cuts: list[int]) -> None:
    data = b"".join(msgspec.json.encode({"event": event}) + b"\n" for event in events)
    seen: list[str] = []
    offset = 0
    with tempfile.NamedTemporaryFile() as file:
        for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            Path(file.name).write_bytes(data[:end])
            for after, entry in task_logs.read(file.name, offset):
                offset = after
                seen.append(entry["event"])
    assert seen == events
