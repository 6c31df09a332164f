"""Questions that only a class of a user can answer, and its answers: dag-processor ↔ parser.

A custom timetable says when the next run is, a custom reference what a deadline is counted from, a custom partition
mapper which runs an event is for. The control side must not import them, so it writes a question into the database; the
dag-processor hands it to its parser, where a process forked for it imports the class, answers, and ends. Times are
microseconds since the epoch.
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
    #: the last run had no data interval; `last` is the moment after which it ran, twice
    bare: bool = False


class ManualAsked(msgspec.Struct, frozen=True, tag="manual", omit_defaults=True):
    """Asks for the data interval of a run by hand, and its name."""

    #: infer the interval of a run triggered at, or for, this time
    at: int | None = None
    #: the interval, where it is given
    interval: tuple[int, int] | None = None
    #: None where no name is wanted
    run_after: int | None = None
    logical_date: int | None = None
    run_type: str = "manual"


class FollowingAsked(msgspec.Struct, frozen=True, tag="following"):
    """Asks for so many runs after this one, within no bounds."""

    last: tuple[int, int]
    bare: bool
    count: int


class BetweenAsked(msgspec.Struct, frozen=True, tag="between"):
    """Asks for all runs with logical dates in these bounds, both inclusive: those of a backfill."""

    earliest: int
    latest: int


class DeadlineAsked(msgspec.Struct, frozen=True, tag="deadline"):
    """Asks from which moment the deadline of this run is counted."""

    run_id: str
    logical_date: int | None = None
    queued_at: int | None = None


class KeyAsked(msgspec.Struct, frozen=True, array_like=True):
    """A partition of an asset: a key upstream in an arrival, one downstream otherwise."""

    #: what is to be told about: an event, or a run to come
    number: int
    name: str
    uri: str
    key: str
    #: the date of the run that made the event
    date: int | None = None


class PartitionsAsked(msgspec.Struct, frozen=True, tag="partitions"):
    """Asks what the mappers of a DAG make of keys."""

    #: the digest of how the DAG maps keys; mappers that do otherwise by now give no answer
    definition: str
    #: how many keys one may become, where the mapper does not say
    limit: int
    arrivals: list[KeyAsked] = []
    #: keys downstream, and what is expected for them
    runs: list[KeyAsked] = []


class TryAsked(msgspec.Struct, frozen=True, array_like=True):
    """A task instance that is about to begin a try, after `try_number` others."""

    ti: int
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    #: its weight with that of its relatives, as its weight_rule sums them up
    priority_weight: int
    state: str | None = None


class InstancesAsked(msgspec.Struct, frozen=True, tag="instances"):
    """Asks what policies and weight strategies decide on task instances of a run."""

    #: the RunInfo, as a Workload has it
    run: bytes
    tries: list[TryAsked]


Asked = NextAsked | ManualAsked | BetweenAsked | DeadlineAsked | PartitionsAsked | InstancesAsked | FollowingAsked


class RunTold(msgspec.Struct, frozen=True, tag="run", omit_defaults=True):
    """A run: the answer to NextAsked, and to ManualAsked. `run_id` is set where the class makes names of its own."""

    start: int
    end: int
    run_after: int
    run_id: str | None = None
    #: it has no data interval; start and end are `run_after`
    bare: bool = False


class RunsTold(msgspec.Struct, frozen=True, tag="runs"):
    """The runs, in order: the answer to BetweenAsked and FollowingAsked."""

    runs: list[RunTold]


class NothingTold(msgspec.Struct, frozen=True, tag="nothing"):
    """There is no next run; the deadline does not apply."""


class MomentTold(msgspec.Struct, frozen=True, tag="moment"):
    """The moment that a deadline is counted from."""

    at: int


class KeyTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a mapper says about a key downstream."""

    key: str
    date: int | None = None
    #: why it cannot say the date
    date_error: str | None = None
    #: the keys upstream that make it up; None where any one will do
    expected: list[str] | None = None
    #: why it cannot say what is expected
    error: str | None = None


class ArrivalTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a mapper makes of a key upstream: keys downstream, or a refusal (its kind, and why)."""

    keys: list[KeyTold] = []
    #: what becomes of the date of the run upstream
    carried: int | None = None
    refusal: tuple[str, str] | None = None


class PartitionsTold(msgspec.Struct, frozen=True, tag="partitions"):
    """The answer to PartitionsAsked, in its order."""

    arrivals: list[ArrivalTold] = []
    runs: list[KeyTold] = []


class TryTold(msgspec.Struct, frozen=True, array_like=True):
    """What was decided on a task instance."""

    ti: int
    try_number: int
    queue: str
    pool: str
    pool_slots: int
    priority_weight: int
    max_tries: int


class InstancesTold(msgspec.Struct, frozen=True, tag="instances"):
    """The answer to InstancesAsked, without instances of tasks that are gone."""

    tries: list[TryTold]


Told = RunTold | RunsTold | NothingTold | MomentTold | PartitionsTold | InstancesTold


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
