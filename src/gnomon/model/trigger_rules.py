"""The trigger rules: from the states of a task's direct upstream instances to what becomes of the task.

Skips and failures are passed on as soon as they are certain, without waiting for the rest (spec: mistake 12).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.states import TriggerRule as Rule


class Verdict(Enum):
    """What a trigger rule says of a task instance that has not been scheduled."""

    WAIT = "wait"  #: Not yet.
    RUN = "run"  #: Its rule is met.
    SKIP = "skip"  #: It can never be met, and nothing went wrong.
    FAIL = "fail"  #: It can never be met, because something upstream went wrong.
    REMOVE = "remove"  #: The upstream instances it belongs to were removed.


class Tally:
    """How many upstream instances there are, and how many of them ended in which state."""

    __slots__ = (
        "failed",
        "removed",
        "setups",
        "setups_skipped",
        "setups_succeeded",
        "skipped",
        "success",
        "total",
        "upstream_failed",
    )

    def __init__(self, total: int = 0, setups: int = 0) -> None:
        self.total = total
        self.setups = setups
        self.success = 0
        self.skipped = 0
        self.failed = 0
        self.upstream_failed = 0
        self.removed = 0
        self.setups_succeeded = 0
        self.setups_skipped = 0

    @property
    def done(self) -> int:
        """Number of upstream instances in a finished state."""
        return self.success + self.skipped + self.failed + self.upstream_failed + self.removed

    def add(self, state: Ti | None, *, is_setup: bool = False, count: int = 1) -> None:
        """Count `count` instances that are now in `state`; with a negative count, take them back."""
        if state is Ti.SUCCESS:
            self.success += count
            self.setups_succeeded += count if is_setup else 0
        elif state is Ti.SKIPPED:
            self.skipped += count
            self.setups_skipped += count if is_setup else 0
        elif state is Ti.FAILED:
            self.failed += count
        elif state is Ti.UPSTREAM_FAILED:
            self.upstream_failed += count
        elif state is Ti.REMOVED:
            self.removed += count


def evaluate(rule: Rule, tally: Tally, map_index: int = -1) -> Verdict:
    """Return what `rule` says for `tally`. A task without upstream always runs.

    Args:
        rule: the task's trigger rule.
        tally: over its relevant upstream instances.
        map_index: of the instance asked about; an expanded one is removed with its upstream.
    """
    if tally.total == 0:
        return Verdict.RUN
    return _RULES[rule](tally, map_index)


def evaluate_setups(tally: Tally, map_index: int = -1) -> Verdict:
    """Return what the indirect setups of a task say: all must succeed, whatever the task's own rule is."""
    if tally.total == 0:
        return Verdict.RUN
    if tally.failed or tally.upstream_failed:
        return Verdict.FAIL
    if tally.skipped:
        return Verdict.SKIP
    if tally.removed and tally.success and -1 < map_index and map_index >= tally.success:
        return Verdict.REMOVE
    missing = tally.total - tally.success - (tally.removed if map_index > -1 else 0)
    return Verdict.RUN if missing <= 0 else Verdict.WAIT


def _run_if(met: bool) -> Verdict:
    return Verdict.RUN if met else Verdict.WAIT


def _all_success(t: Tally, map_index: int) -> Verdict:
    if t.failed or t.upstream_failed:
        return Verdict.FAIL
    if t.skipped:
        return Verdict.SKIP
    if t.removed and t.success and map_index > -1 and map_index >= t.success:
        return Verdict.REMOVE
    return _run_if(t.success + t.removed >= t.total)


def _all_failed(t: Tally, _: int) -> Verdict:
    if t.success or t.skipped:
        return Verdict.SKIP
    return _run_if(t.failed + t.upstream_failed + t.removed >= t.total)


def _all_done(t: Tally, _: int) -> Verdict:
    return _run_if(t.done >= t.total)


def _all_done_min_one_success(t: Tally, _: int) -> Verdict:
    if t.skipped:
        return Verdict.SKIP
    if t.done >= t.total:
        return Verdict.RUN if t.success else Verdict.FAIL
    return Verdict.WAIT


def _all_done_setup_success(t: Tally, _: int) -> Verdict:
    if t.done < t.total:
        return Verdict.WAIT
    if t.setups and t.setups_skipped >= t.setups:
        return Verdict.SKIP
    return Verdict.FAIL if t.setups and not t.setups_succeeded else Verdict.RUN


def _one_success(t: Tally, _: int) -> Verdict:
    if t.success:
        return Verdict.RUN
    if t.done < t.total:
        return Verdict.WAIT
    return Verdict.SKIP if t.skipped == t.done else Verdict.FAIL


def _one_failed(t: Tally, _: int) -> Verdict:
    if t.failed or t.upstream_failed:
        return Verdict.RUN
    return Verdict.SKIP if t.done >= t.total else Verdict.WAIT


def _one_done(t: Tally, _: int) -> Verdict:
    if t.success or t.failed:
        return Verdict.RUN
    return Verdict.SKIP if t.done >= t.total else Verdict.WAIT


def _none_failed(t: Tally, _: int) -> Verdict:
    if t.failed or t.upstream_failed:
        return Verdict.FAIL
    return _run_if(t.success + t.skipped + t.removed >= t.total)


def _none_failed_min_one_success(t: Tally, _: int) -> Verdict:
    if t.failed or t.upstream_failed:
        return Verdict.FAIL
    if t.skipped >= t.total:
        return Verdict.SKIP
    if t.done < t.total:
        return Verdict.WAIT
    return Verdict.RUN if t.success else Verdict.FAIL


def _none_skipped(t: Tally, _: int) -> Verdict:
    if t.skipped:
        return Verdict.SKIP
    return _run_if(t.done >= t.total)


def _all_skipped(t: Tally, _: int) -> Verdict:
    if t.success or t.failed or t.upstream_failed:
        return Verdict.SKIP
    return _run_if(t.skipped >= t.total)


def _always(_t: Tally, _: int) -> Verdict:
    return Verdict.RUN


_RULES: dict[Rule, Callable[[Tally, int], Verdict]] = {
    Rule.ALL_SUCCESS: _all_success,
    Rule.ALL_FAILED: _all_failed,
    Rule.ALL_DONE: _all_done,
    Rule.ALL_DONE_MIN_ONE_SUCCESS: _all_done_min_one_success,
    Rule.ALL_DONE_SETUP_SUCCESS: _all_done_setup_success,
    Rule.ONE_SUCCESS: _one_success,
    Rule.ONE_FAILED: _one_failed,
    Rule.ONE_DONE: _one_done,
    Rule.NONE_FAILED: _none_failed,
    Rule.NONE_SKIPPED: _none_skipped,
    Rule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    Rule.ALL_SKIPPED: _all_skipped,
    Rule.ALWAYS: _always,
}
