"""States, run types and rules, spelled as Airflow spells them on every wire and screen."""

from __future__ import annotations

from enum import StrEnum


class TaskInstanceState(StrEnum):
    """The states of a task instance; `None` in the database means "not scheduled yet"."""

    REMOVED = "removed"  #: The task left the DAG, or its map index is beyond the expanded length.
    SCHEDULED = "scheduled"  #: Its dependencies are met; it waits for a slot.
    QUEUED = "queued"  #: It holds its slots and was handed to an executor.
    RUNNING = "running"  #: A worker was told to go ahead; user code runs.
    SUCCESS = "success"  #: Finished well.
    RESTARTING = "restarting"  #: Cleared while running; its process is being ended.
    FAILED = "failed"  #: Finished badly, no try left.
    UP_FOR_RETRY = "up_for_retry"  #: Failed, waits for its retry delay.
    UP_FOR_RESCHEDULE = "up_for_reschedule"  #: A sensor that waits for its next poke.
    UPSTREAM_FAILED = "upstream_failed"  #: Never ran, because something upstream failed.
    SKIPPED = "skipped"  #: Never ran, by a branch or by its trigger rule.
    DEFERRED = "deferred"  #: Waits for a trigger.
    AWAITING_INPUT = "awaiting_input"  #: Waits for a person (human in the loop).


class DagRunState(StrEnum):
    """The states of a DAG run."""

    QUEUED = "queued"  #: Waits for `max_active_runs`, or its DAG is paused.
    RUNNING = "running"  #: Its tasks are planned.
    SUCCESS = "success"  #: All effective leaves succeeded or were skipped.
    FAILED = "failed"  #: An effective leaf failed, or nothing can move any more.


class DagRunType(StrEnum):
    """What created a run; the prefix of its run id."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"
    ASSET_TRIGGERED = "asset_triggered"
    ASSET_MATERIALIZATION = "asset_materialization"
    OPERATOR_TRIGGERED = "operator_triggered"


class TriggerRule(StrEnum):
    """When a task may run, given the states of its direct upstream tasks."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_SKIPPED = "none_skipped"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    ALL_SKIPPED = "all_skipped"
    ALWAYS = "always"


class WeightRule(StrEnum):
    """How a task's effective priority sums up its relatives' weights."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    ABSOLUTE = "absolute"


#: States in which a task instance will not move again by itself.
FINISHED = frozenset(
    {
        TaskInstanceState.SUCCESS,
        TaskInstanceState.FAILED,
        TaskInstanceState.SKIPPED,
        TaskInstanceState.UPSTREAM_FAILED,
        TaskInstanceState.REMOVED,
    }
)
#: Finished states that make a leaf, and so the run, fail.
FAILURES = frozenset({TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED})
#: States that occupy pool slots and count towards concurrency limits.
OCCUPYING = frozenset({TaskInstanceState.QUEUED, TaskInstanceState.RUNNING})
#: Run states that will not move again by themselves.
RUN_FINISHED = frozenset({DagRunState.SUCCESS, DagRunState.FAILED})
