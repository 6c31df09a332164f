"""The legal moves of task instances and DAG runs, in one table each.

```
            ┌──────────────── retry delay over ────────────────┐
            ▼                                                  │
none ─▶ scheduled ─▶ queued ─▶ running ─▶ success / failed / skipped / up_for_retry
  │         ▲           │         │  ├─▶ up_for_reschedule ─▶ scheduled (next poke)
  │         └─ rescued ─┘         │  └─▶ deferred ─▶ scheduled (trigger fired, timed out)
  │                               └─▶ restarting ─▶ none (its process has ended)
  └─▶ skipped / upstream_failed / removed / success (inline)
```

A task with a start trigger goes from none, scheduled, up_for_retry or up_for_reschedule straight to deferred.

A person may also mark or clear: those moves come from outside the scheduler and are legal from any state.
"""

from __future__ import annotations

from gnomon.model.states import DagRunState as Run
from gnomon.model.states import TaskInstanceState as Ti


class IllegalMove(Exception):
    """A decision asked for a move that the table does not have: a bug, never a user's mistake."""


_ENDINGS = frozenset({Ti.SUCCESS, Ti.FAILED, Ti.SKIPPED, Ti.UPSTREAM_FAILED, Ti.REMOVED})

LEGAL: dict[Ti | None, frozenset[Ti | None]] = {
    None: frozenset({Ti.SCHEDULED, Ti.DEFERRED, Ti.SUCCESS, Ti.SKIPPED, Ti.UPSTREAM_FAILED, Ti.REMOVED, Ti.FAILED}),
    Ti.SCHEDULED: frozenset({Ti.QUEUED, Ti.SKIPPED, Ti.UPSTREAM_FAILED, Ti.REMOVED, Ti.FAILED, Ti.DEFERRED, None}),
    Ti.QUEUED: frozenset({Ti.RUNNING, Ti.SCHEDULED, Ti.FAILED, Ti.UP_FOR_RETRY, Ti.SKIPPED, None}),
    Ti.RUNNING: frozenset(
        {
            *(Ti.SUCCESS, Ti.FAILED, Ti.SKIPPED, Ti.UP_FOR_RETRY, Ti.UP_FOR_RESCHEDULE, Ti.DEFERRED),
            *(Ti.AWAITING_INPUT, Ti.RESTARTING),
        }
    ),
    Ti.UP_FOR_RETRY: frozenset(
        {Ti.SCHEDULED, Ti.DEFERRED, Ti.SKIPPED, Ti.UPSTREAM_FAILED, Ti.FAILED, Ti.REMOVED, None}
    ),
    Ti.UP_FOR_RESCHEDULE: frozenset(
        {Ti.SCHEDULED, Ti.DEFERRED, Ti.SKIPPED, Ti.UPSTREAM_FAILED, Ti.FAILED, Ti.REMOVED, None}
    ),
    Ti.DEFERRED: frozenset({Ti.SCHEDULED, Ti.SUCCESS, Ti.FAILED, Ti.SKIPPED, Ti.UP_FOR_RETRY, None}),
    Ti.AWAITING_INPUT: frozenset({Ti.SCHEDULED, Ti.FAILED, Ti.SKIPPED, None}),
    Ti.RESTARTING: frozenset({None, Ti.UP_FOR_RETRY}),
    # A branch that is cleared alone skips its finished neighbours again only after they were cleared too; what a
    # finished task may still become is "not in the DAG any more".
    Ti.SUCCESS: frozenset({Ti.REMOVED}),
    Ti.FAILED: frozenset({Ti.REMOVED}),
    Ti.SKIPPED: frozenset({Ti.REMOVED}),
    Ti.UPSTREAM_FAILED: frozenset({Ti.REMOVED}),
    Ti.REMOVED: frozenset(),
}

LEGAL_RUN: dict[Run, frozenset[Run]] = {
    Run.QUEUED: frozenset({Run.RUNNING, Run.FAILED}),
    Run.RUNNING: frozenset({Run.SUCCESS, Run.FAILED}),
    Run.SUCCESS: frozenset(),
    Run.FAILED: frozenset(),
}


def check(source: Ti | None, target: Ti | None) -> None:
    """Raise `IllegalMove` unless a task instance may go from `source` to `target`."""
    if target not in LEGAL[source]:
        raise IllegalMove(f"{source or 'none'} → {target or 'none'}")


def check_run(source: Run, target: Run) -> None:
    """Raise `IllegalMove` unless a DAG run may go from `source` to `target`."""
    if target not in LEGAL_RUN[source]:
        raise IllegalMove(f"run {source} → {target}")
