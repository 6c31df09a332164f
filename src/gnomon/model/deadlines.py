"""When a run is due, by the alerts of its DAG: pure decisions over what is known of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SECOND = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What references are worked out from; times in microseconds."""

    logical_date: int | None
    queued_at: int | None
    now: int
    #: seconds that the latest successful runs took, the newest first
    durations: Sequence[float] = ()


def is_custom(reference: Mapping[str, Any]) -> bool:
    """Tell whether only a class of a user knows what the reference means."""
    return "classpath" in reference


def runs_to_average(reference: Mapping[str, Any]) -> int:
    """Return how many earlier runs have to be known; 0 for none."""
    return int(reference.get("max_runs", 0)) if reference.get("reference_type") == "AverageRuntimeDeadline" else 0


def counted_from(reference: Mapping[str, Any], run: RunFacts) -> int | None:
    """Return the moment a deadline is counted from, None if there is none for this run.

    An average is taken from now on, and only when there are enough runs for it.

    Raises:
        ValueError: the reference is of no kind that is known here.
    """
    match reference.get("reference_type"):
        case "DagRunLogicalDateDeadline":
            return run.logical_date
        case "DagRunQueuedAtDeadline":
            return run.queued_at
        case "FixedDatetimeDeadline":
            return int(reference["datetime"] * _SECOND)
        case "AverageRuntimeDeadline":
            durations = run.durations[: runs_to_average(reference)]
            if not durations or len(durations) < reference["min_runs"]:
                return None
            return run.now + int(sum(durations) / len(durations) * _SECOND)
        case other:
            raise ValueError(f"{other!r} is not a reference that a deadline can be counted from")


def met(*, state: str, end_date: int | None, deadline: int) -> bool:
    """Tell whether a run has kept its deadline: it has succeeded by then; a failure in time is none."""
    return state == "success" and end_date is not None and end_date <= deadline
