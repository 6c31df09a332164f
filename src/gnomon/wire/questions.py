"""Questions that only a class of a user can answer, and its answers: dag-processor ↔ parser.

A custom timetable says when the next run is, a custom reference what a deadline is counted from. The control side must
not import them, so it writes a question into the database; the dag-processor hands it to its parser, where a process
forked for it imports the class, answers, and ends. Times are microseconds since the epoch.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.wire import execution
from gnomon.wire.execution import FileRef


class NextAsked(msgspec.Struct, frozen=True, tag="next", omit_defaults=True):
    """Asks when the next run is, within inclusive bounds; `last` is the data interval of the last automated run."""

    last: tuple[int, int] | None = None
    earliest: int | None = None
    latest: int | None = None
    catchup: bool = False


class ManualAsked(msgspec.Struct, frozen=True, tag="manual"):
    """Asks for the data interval of a run triggered at, or for, this time."""

    at: int


class DeadlineAsked(msgspec.Struct, frozen=True, tag="deadline"):
    """Asks from which moment the deadline of this run is counted."""

    run_id: str
    logical_date: int | None = None
    queued_at: int | None = None


Asked = NextAsked | ManualAsked | DeadlineAsked


class RunTold(msgspec.Struct, frozen=True, tag="run", omit_defaults=True):
    """A run: the answer to NextAsked, and to ManualAsked. `run_id` is set where the class makes names of its own."""

    start: int
    end: int
    run_after: int
    run_id: str | None = None


class NothingTold(msgspec.Struct, frozen=True, tag="nothing"):
    """There is no next run; the deadline does not apply."""


class MomentTold(msgspec.Struct, frozen=True, tag="moment"):
    """The moment that a deadline is counted from."""

    at: int


Told = RunTold | NothingTold | MomentTold


class Question(msgspec.Struct, kw_only=True, tag="question"):
    """dag-processor → parser: what is asked, and of which class."""

    id: int
    dag_id: str
    classpath: str
    #: what the class's `serialize` gave
    data: dict[str, Any] = {}
    #: where a class is found that a DAG file itself defines
    file: FileRef
    asked: Asked


class Answered(msgspec.Struct, kw_only=True, tag="answered"):
    """Parser → dag-processor: the answer, or in a sentence why there is none."""

    id: int
    told: Told | None = None
    error: str | None = None


class AskedOf(msgspec.Struct, frozen=True):
    """A question as the database keeps it."""

    data: dict[str, Any]
    asked: Asked


FromParser = execution.FromParser | Answered
ToParser = execution.ToParser | Question
