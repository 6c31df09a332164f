"""`Stats`, under which providers send metrics; they go where Gnomon's own metrics go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Self

from gnomon.service import clock
from gnomon.service.telemetry import Stats as _metrics


class Timer:
    """Measures a block, or from `start` to `stop`, and sends the duration if it has a name."""

    def __init__(self, stat: str | None = None, tags: dict[str, Any] | None = None) -> None:
        self._stat, self._tags = stat, tags
        self._began = 0.0
        #: seconds, once it has stopped
        self.duration: float | None = None

    def start(self) -> Self:
        """Begin to measure."""
        self.duration = None
        self._began = clock.monotonic()
        return self

    def stop(self, send: bool = True) -> None:
        """End measuring."""
        self.duration = clock.monotonic() - self._began
        if send and self._stat is not None:
            _metrics.timing(self._stat, self.duration, tags=self._tags)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Stats:
    """Metrics in the names and units of Airflow: counters, gauges, and durations in milliseconds or as a timedelta."""

    @classmethod
    def initialize(cls, **_: Any) -> None:
        """Do nothing: the settings are read with the first metric."""

    @staticmethod
    def incr(stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        """Add to a counter."""
        _metrics.incr(stat, count, tags=tags)

    @staticmethod
    def decr(stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        """Take from a counter."""
        _metrics.decr(stat, count, tags=tags)

    @staticmethod
    def gauge(
        stat: str, value: float, rate: float = 1, delta: bool = False, *, tags: dict[str, Any] | None = None
    ) -> None:
        """Set a gauge, or change it."""
        _metrics.gauge(stat, value, delta=delta, tags=tags)

    @staticmethod
    def timing(stat: str, dt: float | timedelta, *, tags: dict[str, Any] | None = None) -> None:
        """Record a duration: milliseconds, or a timedelta."""
        seconds = dt.total_seconds() if isinstance(dt, timedelta) else dt / 1000
        _metrics.timing(stat, seconds, tags=tags)

    @staticmethod
    def timer(stat: str | None = None, *, tags: dict[str, Any] | None = None, **_: Any) -> AbstractContextManager[Any]:
        """Return a timer for a block."""
        return Timer(stat, tags)


def get_stats_factory(*_: Any) -> Callable[[], Any]:
    """Return what makes the logger of metrics."""
    return lambda: _metrics
