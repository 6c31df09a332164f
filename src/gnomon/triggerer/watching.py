"""Watchers in the triggerer: triggers that make events of assets, again and again.

An event is stored before its watcher goes on, so that a trigger which takes a message off a queue when it is asked for
the next event does so only after the first is safe. A watcher that fails or ends is started anew, after a while that
grows. In the runner it has the negative of its number, which no other trigger has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gnomon.service import clock, logs
from gnomon.store import errors
from gnomon.wire import triggering

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.watchers import Watcher

log = logs.get_logger(__name__)

_RETRY_SECONDS = 1.0
#: Until a watcher that has failed is started anew; the last one from then on.
_AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

InStore = Callable[[Callable[[], Any]], Awaitable[Any]]


class Watching:
    """The watchers that a triggerer holds.

    Args:
        store: where they are, and where their events go.
        in_store: calls a verb of the store in the triggerer's thread for that.
        send: sends a message to the runner, if there is one.
    """

    def __init__(self, store: Store, in_store: InStore, send: Callable[[Any], None]) -> None:
        self._store = store
        self._in_store = in_store
        self._send = send
        self._held: dict[int, Watcher] = {}
        self._failures: dict[int, int] = {}
        #: those that wait to be started anew
        self._resting: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    async def look(self, triggerer: str, *, alive: Callable[[], list[str]], room: int) -> None:
        """End what is not wanted any more, and take what nobody has."""
        if self._held:
            held = set(self._held)
            live = await self._in_store(lambda: self._store.watchers.live(triggerer))
            gone = held - live
            for number in gone:
                self._drop(number)
            if gone:
                await self._in_store(lambda: self._store.watchers.release(triggerer, gone))
        claimed = await self._in_store(
            lambda: self._store.watchers.claim(triggerer, alive=alive(), limit=room - len(self._held))
        )
        for watcher in claimed:
            self._held[watcher.id] = watcher
            self._start(watcher)

    def start_all(self) -> None:
        """Start every watcher in a new runner."""
        for watcher in self._held.values():
            if watcher.id not in self._resting:
                self._start(watcher)

    async def emitted(self, message: triggering.TriggerEmitted, triggerer: str) -> None:
        """Store an event, and let its watcher go on."""
        number = -message.id
        while True:
            try:
                wanted = await self._in_store(
                    lambda: self._store.watchers.emit(number, triggerer, message.payload, clock.now())
                )
                break
            except errors.Unavailable as error:
                log.warning("the database cannot be reached; the event is kept", watcher=number, error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        if not wanted:
            log.info("the event of a watcher that nobody wants any more is dropped", watcher=number)
        self._failures.pop(number, None)
        self._send(triggering.EventStored(id=message.id))

    async def ended(self, number: int, failure: str | None = None) -> None:
        """A watcher failed or has nothing more to say: start it anew later, if it is still wanted."""
        watcher = self._held.get(-number)
        if watcher is None or watcher.id in self._resting:
            return
        self._resting.add(watcher.id)
        times = self._failures[watcher.id] = self._failures.get(watcher.id, 0) + 1
        seconds = _AGAIN_SECONDS[min(times, len(_AGAIN_SECONDS)) - 1]
        log.warning(
            "a watcher of assets has ended; it is started anew",
            watcher=watcher.classpath, assets=[name for name, _ in watcher.assets], seconds=seconds, failure=failure,
        )  # fmt: skip
        await asyncio.sleep(seconds)
        self._resting.discard(watcher.id)
        if self._held.get(watcher.id) is watcher:
            self._start(watcher)

    def _start(self, watcher: Watcher) -> None:
        if watcher.unreadable is not None:
            log.error("a watcher cannot be started", watcher=watcher.classpath, error=watcher.unreadable)
            return
        self._send(
            triggering.StartTrigger(
                id=-watcher.id, classpath=watcher.classpath, kwargs=watcher.kwargs, watches=watcher.assets
            )
        )

    def _drop(self, number: int) -> None:
        self._held.pop(number, None)
        self._failures.pop(number, None)
        self._send(triggering.CancelTrigger(id=-number))
