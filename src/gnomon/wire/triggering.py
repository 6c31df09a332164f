"""What the triggerer and its runner say to each other, over a socketpair of frames.

The runner is the process in which triggers, which are user code, share one event loop. It has no database: it is told
what to run, asks what it needs to know, and reports what fired.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.wire.execution import Json, Reply, Request


class TriggerOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The task instance that waits for a trigger."""

    id: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1


class TriggerTemplates(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to render arguments of a trigger that no process of its task has rendered."""

    #: the arguments to render, which are attributes of the trigger of the same names
    fields: list[str]
    #: the RunInfo, as a Workload has it
    run: bytes
    max_tries: int = 0
    #: as in the serialized DAG
    dag_params: dict[str, dict[str, Any]] = {}
    task_params: dict[str, dict[str, Any]] = {}


class StartTrigger(msgspec.Struct, kw_only=True, tag="start"):
    """Triggerer → runner: run this trigger; `log_path` is the log of the try that waits."""

    id: int
    classpath: str
    kwargs: Json
    owner: TriggerOwner | None = None
    log_path: str | None = None
    #: it watches these assets, [name, uri]: it may fire again and again; None for one that a task waits for
    watches: list[tuple[str, str]] | None = None
    templates: TriggerTemplates | None = None


class EventStored(msgspec.Struct, kw_only=True, tag="stored"):
    """Triggerer → runner: the last event of a watcher is stored, so that it may go on."""

    id: int


class CancelTrigger(msgspec.Struct, kw_only=True, tag="cancel"):
    """Triggerer → runner: end this trigger. `unwanted`: nobody waits any more, so it may end what it watches too."""

    id: int
    unwanted: bool = True


class Answered(msgspec.Struct, kw_only=True, tag="answer"):
    """Triggerer → runner: the reply to question `n`."""

    n: int
    body: Reply


class RunnerStarted(msgspec.Struct, kw_only=True, tag="started"):
    """Runner → triggerer, first message: its event loop runs."""

    pid: int


class TriggerFired(msgspec.Struct, kw_only=True, tag="fired"):
    """Runner → triggerer: the first event of a trigger; it has ended."""

    id: int
    payload: Json


class TriggerEmitted(msgspec.Struct, kw_only=True, tag="emitted"):
    """Runner → triggerer: an event of a watcher, which waits for `EventStored`."""

    id: int
    payload: Json


class TriggerFailed(msgspec.Struct, kw_only=True, tag="failed"):
    """Runner → triggerer: a trigger ended without an event."""

    id: int
    failure: str


class TriggerEnded(msgspec.Struct, kw_only=True, tag="ended"):
    """Runner → triggerer: a cancelled trigger has cleaned up."""

    id: int


class TriggerAsked(msgspec.Struct, kw_only=True, tag="ask"):
    """Runner → triggerer: question `n` of a trigger (0: of none in particular)."""

    n: int
    id: int
    body: Request


class LoopBlocked(msgspec.Struct, kw_only=True, tag="blocked"):
    """Runner → triggerer: a trigger has held up the event loop, and with it all others, for so long."""

    id: int
    seconds: float
    where: str = ""


ToRunner = StartTrigger | CancelTrigger | EventStored | Answered
FromRunner = RunnerStarted | TriggerFired | TriggerEmitted | TriggerFailed | TriggerEnded | TriggerAsked | LoopBlocked
