"""What is shown while things start."""

from __future__ import annotations

import io
import sys

import pytest

from gnomon.cli.events import ChangingLine, reasons


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_changing_line_fits_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ChangingLine() as line:
        line.draw("starting scheduler, triggerer, worker")
        line.draw("starting")
    assert terminal.getvalue().split("\r\x1b[K") == ["", "starting schedule …", "starting …", ""]
    assert all(len(part) <= 19 for part in terminal.getvalue().split("\r\x1b[K"))


def test_nothing_is_drawn_on_a_pipe(monkeypatch: pytest.MonkeyPatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with ChangingLine() as line:
        line.draw("starting")
    assert pipe.getvalue() == ""


def test_the_reasons_of_a_failure_are_its_errors_once_each():
    log = """{"event": "run ended", "level": "info"}
{"event": "the disk is full", "level": "error", "timestamp": "1"}
{"event": "the disk is full", "level": "error", "timestamp": "2"}
plain words
{"event": "died", "level": "error", "exception": "Traceback\\nOSError: x"}
"""
    assert reasons(log) == ["the disk is full", "plain words", "died", "Traceback", "OSError: x"]
    assert reasons("") == []
