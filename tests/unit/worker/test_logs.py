"""What a task logs and prints, as lines of its log."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.service import task_logs
from gnomon.service.masking import masker
from gnomon.worker import logs


@contextmanager
def _task_log(folder: Path) -> Iterator[Path]:
    """An open log, with logging and printing set up as in a task's process."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.stdout, sys.stderr, sys.excepthook)
    path = folder / "deep" / "down" / "attempt=1.log"
    logs.install()
    logs.open_log(str(path))
    try:
        yield path
    finally:
        logs.close_log()
        logging.captureWarnings(False)
        root.handlers[:], level, sys.stdout, sys.stderr, sys.excepthook = before
        root.setLevel(level)


def _entries(path: Path) -> list[dict[str, Any]]:
    return task_logs.read_all(path)


def test_a_record_has_time_level_logger_and_place(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        logging.getLogger("my.task").warning("%d things", 3)
        (entry,) = _entries(log)
        assert entry["event"] == "3 things"
        assert (entry["level"], entry["logger"], entry["filename"]) == ("warning", "my.task", "test_logs.py")
        assert datetime.fromisoformat(entry["timestamp"]).utcoffset() == timedelta(0)


def test_lines_are_there_as_soon_as_they_are_printed_and_half_a_line_when_it_ends(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        print("a\nb", end="")
        assert [e["event"] for e in _entries(log)] == ["a"]
        print("c")
        sys.stderr.write("no end")
        logs.close_log()
        assert [(e["event"], e["logger"]) for e in _entries(log)] == [
            ("a", "task.stdout"),
            ("bc", "task.stdout"),
            ("no end", "task.stderr"),
        ]


def test_an_exception_is_logged_with_its_causes_and_frames(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        try:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise ValueError("outer") from error
        except ValueError:
            logging.getLogger().exception("it failed")
        (entry,) = _entries(log)
        outer, inner = entry["error_detail"]
        assert (outer["exc_type"], outer["exc_value"], inner["exc_type"]) == ("ValueError", "outer", "KeyError")
        assert outer["frames"][0]["name"] == "test_an_exception_is_logged_with_its_causes_and_frames"


def test_secrets_are_hidden_everywhere(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        masker.add("s3cr3t-value")
        print("p s3cr3t-value")
        try:
            raise ValueError("s3cr3t-value")
        except ValueError:
            logging.getLogger().exception("l %s", "s3cr3t-value")
        assert b"s3cr3t" not in log.read_bytes()
        assert [e["event"] for e in _entries(log)] == ["p ***", "l ***"]


def test_a_record_that_cannot_be_written_does_not_hurt_the_task(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        logging.getLogger().info("%d", "not a number")
        print("lone surrogate \udc80 in a file name")
        first, second = _entries(log)
        assert "failed" in first["event"]
        assert "\\udc80" in second["event"]


def test_warnings_are_logged(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        assert "DeprecationWarning: old" in _entries(log)[0]["event"]
        assert _entries(log)[0]["logger"] == "py.warnings"


def test_stdout_can_do_what_libraries_expect(tmp_path: Path) -> None:
    with _task_log(tmp_path):
        assert (sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty()) == (1, 2, False)
        assert (sys.stdout.encoding, sys.stdout.writable()) == ("utf-8", True)
        assert isinstance(sys.stdout.buffer, io.FileIO)
        with pytest.raises(TypeError, match="must be str"):
            sys.stdout.write(b"bytes")  # type: ignore[arg-type]


def test_what_is_printed_without_a_log_is_dropped(tmp_path: Path) -> None:
    with _task_log(tmp_path) as log:
        logs.close_log()
        print("nowhere")
        logging.getLogger().error("nowhere")
        assert _entries(log) == []


def test_raw_output_is_cut_into_lines_and_masked(tmp_path: Path) -> None:
    masker.add("s3cr3t-value")
    raw = logs.RawOutput(str(tmp_path / "a.log"))
    raw.feed(b"one\ntw")
    raw.feed(b"o s3cr3t-value\r\n\xff\nrest")
    raw.redirect(str(tmp_path / "b.log"))
    raw.feed(b"x" * (logs.MAX_RAW_LINE + 1))
    raw.end()
    assert [e["event"] for e in _entries(tmp_path / "a.log")] == ["one", "two ***", "\\xff", "rest"]
    assert len(_entries(tmp_path / "b.log")[0]["event"]) == logs.MAX_RAW_LINE + 1
