"""Leases: who leads. One scheduler decides; others wait for its lock, which is let go when it dies."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from gnomon.service import clock
from gnomon.store.engine import Store
from gnomon.store.errors import Unavailable
from gnomon.store.leader import Leadership

log = structlog.get_logger("scheduler")

#: A scheduler that waits looks this often; a flock and an advisory lock tell nobody when they are let go.
_LOOK_SECONDS = 0.5


class Lease:
    """The leadership of this process, held or not."""

    def __init__(self, store: Store, holder: str) -> None:
        self._store = store
        self._holder = holder
        self._leadership: Leadership | None = None

    @property
    def epoch(self) -> int:
        """The number that each write has to prove."""
        assert self._leadership is not None
        return self._leadership.epoch

    @property
    def lost(self) -> bool:
        """Whether the lock is gone."""
        return self._leadership is None or self._leadership.lost

    async def take(self, stopping: asyncio.Event) -> bool:
        """Wait until this process leads; False if it is asked to stop before."""
        told = ""
        while not stopping.is_set():
            try:
                self._leadership = self._store.leader.acquire("scheduler", self._holder, clock.now())
                if self._leadership is not None:
                    return True
                reason = "another scheduler leads; this one waits"
            except Unavailable as error:
                reason = str(error)
            if reason != told:
                log.warning(reason)
                told = reason
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stopping.wait()
        return False

    def release(self) -> None:
        """Let another one lead."""
        if self._leadership is not None:
            self._leadership.release()
            self._leadership = None
