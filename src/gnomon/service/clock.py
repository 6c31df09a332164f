"""The one place that reads the clock, so that everything else can be handed a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


def now_us() -> int:
    """Return this moment as microseconds since the epoch."""
    return time.time_ns() // 1000


def monotonic() -> float:
    """Return seconds on a clock that never goes back, for durations and deadlines."""
    return time.monotonic()
