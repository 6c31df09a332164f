"""Hearing at once that a run has moved, for requests that wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gnomon.store.errors import Unavailable
from gnomon.store.notifier import Notice, Notifier, Subscription


class RunWatch:
    """One subscription for all requests of an event loop that wait, and none while nobody does."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._waiting: dict[asyncio.AbstractEventLoop, dict[asyncio.Event, int]] = {}
        self._heard: dict[asyncio.AbstractEventLoop, Subscription] = {}

    @contextmanager
    def of(self, dag_run_id: int) -> Iterator[asyncio.Event]:
        """Yield an event that is set when the run may have moved. Notices get lost: look now and then all the same."""
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        waiting = self._waiting.setdefault(loop, {})
        waiting[moved] = dag_run_id
        if loop not in self._heard:
            self._subscribe(loop, waiting)
        try:
            yield moved
        finally:
            del waiting[moved]
            if not waiting:
                del self._waiting[loop]
                if (heard := self._heard.pop(loop, None)) is not None:
                    heard.close()

    def _subscribe(self, loop: asyncio.AbstractEventLoop, waiting: dict[asyncio.Event, int]) -> None:
        def tell(notice: Notice) -> None:
            for moved, dag_run_id in waiting.items():
                if notice.payload in ("", str(dag_run_id)):
                    moved.set()

        try:
            self._heard[loop] = self._notifier.subscribe(loop, ("state", "run"), tell)
        except Unavailable:
            pass  # the request looks at its interval
