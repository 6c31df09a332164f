"""What somebody types at the terminal as the answer to a question."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from gnomon.cli import run_questions
from gnomon.cli.errors import CommandError
from gnomon.store.human_input import Question


def question(**changes: Any) -> Question:
    fields: dict[str, Any] = {
        "ti_id": 1,
        "try_number": 1,
        "subject": "Sure?",
        "body": "Think twice",
        "options": ["yes", "no"],
        "defaults": None,
        "multiple": False,
        "params": {},
        "assigned_users": [],
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Question(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "typed", "chosen"),
    [
        ({}, "1", ["yes"]),
        ({}, " no ", ["no"]),
        ({"defaults": ["no"]}, "", ["no"]),
        ({"multiple": True}, "2, yes", ["no", "yes"]),
        ({"options": ["10", "2"]}, "10", ["10"]),
    ],
)
def test_options_by_number_or_name(changes: dict[str, Any], typed: str, chosen: list[str]) -> None:
    assert run_questions._chosen(question(**changes), typed) == chosen


@pytest.mark.parametrize(("typed", "said"), [("3", "'3' is not one"), ("", "choose one"), ("1,2", "choose one")])
def test_what_cannot_be_chosen(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run_questions._chosen(question(), typed)


def test_somebody_at_a_terminal_is_asked_until_it_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as typing, os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        typing.write(b"maybe\n1\nAnn\nx\n4\n\n")
        form = {
            "name": {"value": None, "description": "yours", "schema": {"type": "string"}},
            "age": {"value": 1, "description": None, "schema": {"type": "integer"}},
            "size": {"value": "m", "description": None, "schema": {}},
        }
        answer = asyncio.run(run_questions._ask("t", question(params=form)))

    assert answer == (["yes"], {"name": "Ann", "age": 4, "size": "m"})
    shown = capsys.readouterr().out
    assert "t asks: Sure?\nThink twice\n  1  yes\n  2  no\n" in shown
    assert "'maybe' is not one of the options" in shown
    assert "name (yours): " in shown
    assert "age has to be JSON" in shown


def test_a_terminal_that_is_closed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as closed:
        monkeypatch.setattr(sys, "stdin", closed)
        with pytest.raises(CommandError, match="the terminal was closed"):
            asyncio.run(run_questions._line(""))
