"""Whether a failed try is followed by another, and after how long."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def may_retry(*, try_number: int, max_tries: int, retryable: bool) -> bool:
    """Return whether another try is allowed after try `try_number` failed.

    `max_tries` is the task's `retries` at first; clearing raises it above the tries already used.
    """
    return retryable and max_tries != 0 and try_number <= max_tries


def retry_delay(
    *,
    delay: float,
    multiplier: float,
    max_delay: float | None,
    cap: float,
    dag_id: str,
    task_id: str,
    logical_date: int | None,
    try_number: int,
) -> float:
    """Return the seconds to wait after try `try_number` failed.

    With exponential backoff the wait lies between base and twice base, base = ceil(delay · multiplier^(try - 1)), at
    least 1; where in between is a hash of the task instance, so that it is the same after a restart.

    Args:
        delay: the task's `retry_delay`, in seconds.
        multiplier: `retry_exponential_backoff`; 0 and 1 mean a constant delay.
        max_delay: the task's `max_retry_delay`, in seconds, which caps only the exponential wait.
        cap: `[core] max_task_retry_delay`, in seconds.
        logical_date: of the run, in microseconds since the epoch.
    """
    if multiplier in (0, 1) or multiplier < 0:
        return delay
    try:
        base = max(1, math.ceil(delay * multiplier ** (try_number - 1)))
    except OverflowError:
        base = int(cap)
    base = min(base, 1 << 62)
    moment = "None" if logical_date is None else str(_EPOCH + timedelta(microseconds=logical_date))
    digest = hashlib.sha1(f"{dag_id}#{task_id}#{moment}#{try_number}".encode(), usedforsecurity=False).hexdigest()
    wait = float(min(base + int(digest, 16) % base, cap))
    return wait if max_delay is None else min(wait, max_delay)
