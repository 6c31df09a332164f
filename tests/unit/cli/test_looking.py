"""What logs, events and process states look like to people."""

from __future__ import annotations

import json

import pytest

from gnomon.cli import dev_look, events
from gnomon.cli.run_view import entry_lines
from gnomon.cli.supervise import how_it_ended


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (200, "3m 20s"), (3600, "1h"), (7500, "2h 5m"), (90000, "1d 1h")],
)
def test_durations(seconds, text):
    assert dev_look.duration(seconds) == text


def test_a_json_line_is_read_as_time_process_message_and_fields():
    line = json.dumps(
        {"timestamp": "2026-01-02T03:04:05.6Z", "level": "warning", "event": "look", "dag_id": "d", "component": "x"}
    )
    assert dev_look.readable("scheduler", line) == "03:04:05 scheduler     | warning: look dag_id=d"


def test_a_traceback_stands_below_its_line():
    line = json.dumps({"timestamp": "2026-01-02T03:04:05Z", "level": "error", "event": "died", "exception": "a\nb"})
    assert dev_look.readable("worker", line).splitlines() == [
        "03:04:05 worker        | error: died",
        "         worker        |   a",
        "         worker        |   b",
    ]


@pytest.mark.parametrize("line", ["plain text", "{not json", '{"no": "event"}'])
def test_other_lines_are_shown_as_they_are(line):
    assert dev_look.readable("worker", line).endswith(f"| {line}")


def test_only_whole_lines_are_read_and_a_new_file_is_begun_anew(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("one\ntwo\nhal")
    lines, offset = dev_look.tail(path, 0)
    assert lines == ["one", "two"]
    with path.open("a") as file:
        file.write("f\n")
    assert dev_look.tail(path, offset) == (["half"], 13)
    path.write_text("new\n")
    assert dev_look.tail(path, 13) == (["new"], 4)


def test_a_death_is_told_with_its_reason():
    why = '{"event": "the database is away"}\n'
    event = {"event": "died", "part": "scheduler", "how": "exit code 1", "delay": 0.5, "why": why}
    assert events.line(event) == "scheduler ended (exit code 1), starts again in 0.5 s: the database is away"


@pytest.mark.parametrize(("code", "text"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL")])
def test_how_a_process_ended(code, text):
    assert how_it_ended(code) == text


def test_a_traceback_of_user_code_begins_with_user_code():
    import gnomon.worker

    frames = [
        {"filename": gnomon.worker.__file__, "lineno": 1, "name": "run"},
        {"filename": "/dags/d.py", "lineno": 6, "name": "divide"},
    ]
    entry = {
        "timestamp": "2026-01-02T03:04:05Z",
        "level": "error",
        "event": "Task failed",
        "error_detail": [{"exc_type": "ZeroDivisionError", "exc_value": "division by zero", "frames": frames}],
    }
    assert entry_lines(entry) == [
        "03:04:05 ERROR Task failed",
        '  File "/dags/d.py", line 6, in divide',
        "ZeroDivisionError: division by zero",
    ]
