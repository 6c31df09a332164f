"""Airflow's `State`: all states by name, and sets of them."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gnomon.model.states import FAILURES, FINISHED, DagRunState, TaskInstanceState


class JobState(StrEnum):
    """States of a job."""

    RUNNING = "running"
    SUCCESS = "success"
    RESTARTING = "restarting"
    FAILED = "failed"


class TerminalTIState(StrEnum):
    """States in which a task instance ends."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    REMOVED = "removed"


class IntermediateTIState(StrEnum):
    """States in which a task instance waits."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RESTARTING = "restarting"
    UP_FOR_RETRY = "up_for_retry"
    UP_FOR_RESCHEDULE = "up_for_reschedule"
    DEFERRED = "deferred"
    AWAITING_INPUT = "awaiting_input"


class State:
    """All states by name."""

    SUCCESS = TaskInstanceState.SUCCESS
    RUNNING = TaskInstanceState.RUNNING
    FAILED = TaskInstanceState.FAILED
    NONE = None
    REMOVED = TaskInstanceState.REMOVED
    SCHEDULED = TaskInstanceState.SCHEDULED
    QUEUED = TaskInstanceState.QUEUED
    RESTARTING = TaskInstanceState.RESTARTING
    UP_FOR_RETRY = TaskInstanceState.UP_FOR_RETRY
    UP_FOR_RESCHEDULE = TaskInstanceState.UP_FOR_RESCHEDULE
    UPSTREAM_FAILED = TaskInstanceState.UPSTREAM_FAILED
    SKIPPED = TaskInstanceState.SKIPPED
    DEFERRED = TaskInstanceState.DEFERRED
    AWAITING_INPUT = TaskInstanceState.AWAITING_INPUT

    finished_dr_states: ClassVar[frozenset[DagRunState]] = frozenset({DagRunState.SUCCESS, DagRunState.FAILED})
    unfinished_dr_states: ClassVar[frozenset[DagRunState]] = frozenset({DagRunState.QUEUED, DagRunState.RUNNING})
    task_states: ClassVar[tuple[TaskInstanceState | None, ...]] = (None, *TaskInstanceState)
    dag_states: ClassVar[tuple[DagRunState, ...]] = tuple(DagRunState)
    finished: ClassVar[frozenset[TaskInstanceState]] = FINISHED
    unfinished: ClassVar[frozenset[TaskInstanceState | None]] = frozenset({None, *TaskInstanceState}) - FINISHED
    failed_states: ClassVar[frozenset[TaskInstanceState]] = FAILURES
    success_states: ClassVar[frozenset[TaskInstanceState]] = frozenset(
        {TaskInstanceState.SUCCESS, TaskInstanceState.SKIPPED}
    )
    running: ClassVar[frozenset[TaskInstanceState]] = frozenset({TaskInstanceState.RUNNING, TaskInstanceState.DEFERRED})


class DagRunTriggeredByType(StrEnum):
    """What made a run."""

    CLI = "cli"
    OPERATOR = "operator"
    REST_API = "rest_api"
    UI = "ui"
    TEST = "test"
    TIMETABLE = "timetable"
    ASSET = "asset"
    BACKFILL = "backfill"


class CallbackState(StrEnum):
    """States of a callback that an executor or a triggerer runs."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
