"""A service is one loop: started, ready, stopped.

    class Rescue(Service):
        async def run(self) -> None:
            self.ready()
            while not await self.stopped_within(10):
                await self.look()

`start` returns when the loop is ready; `stop` may be called twice, and returns when nothing of the loop is left.
`run_services` is the main function of a process made of such loops: a signal stops all of them in order, and a loop
that dies takes the process down with it, because half a service is worse than one that a supervisor restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence

#: How long a loop may take to end by itself before it is cancelled.
STOP_SECONDS = 30.0


class ServiceDied(Exception):
    """A loop ended although nobody asked it to; the cause says why."""

    def __init__(self, name: str, cause: BaseException | None) -> None:
        self.name = name
        reason = f"{type(cause).__name__}: {cause}" if cause else "its loop returned"
        super().__init__(f"{name} died: {reason}")
        self.__cause__ = cause


class Service(ABC):
    """One loop with a name."""

    def __init__(self, name: str, *, stop_seconds: float = STOP_SECONDS) -> None:
        self.name = name
        self.stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._stop_seconds = stop_seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run(self) -> None:
        """Work until `stopping` is set; call `ready` when others may rely on this service."""

    def ready(self) -> None:
        """Let `start` return."""
        self._ready.set()

    async def stopped_within(self, seconds: float) -> bool:
        """Wait up to `seconds`; say whether the service is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        return self.stopping.is_set()

    async def start(self) -> None:
        """Start the loop and wait until it is ready.

        Raises:
            ServiceDied: it ended before that.
        """
        if self._task is not None:
            raise RuntimeError(f"{self.name} was started before")
        self._task = asyncio.create_task(self.run(), name=self.name)
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        finally:
            ready.cancel()
        if self._task.done() and not self._ready.is_set():
            raise ServiceDied(self.name, _failure(self._task))

    async def wait(self) -> None:
        """Wait until the loop ends.

        Raises:
            ServiceDied: it ended by an error, or without having been asked to.
        """
        if self._task is None:
            return
        await asyncio.wait({self._task})
        failure = _failure(self._task)
        if failure is not None or not self.stopping.is_set():
            raise ServiceDied(self.name, failure)

    async def stop(self) -> None:
        """Ask the loop to end, and return when it has; a loop that takes too long is cancelled."""
        self.stopping.set()
        task = self._task
        if task is None or task.done():
            return
        await asyncio.wait({task}, timeout=self._stop_seconds)
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1)


async def run_services(services: Sequence[Service], *, signals: Sequence[signal.Signals] | None = None) -> None:
    """Start services in order, wait for a signal (SIGTERM, SIGINT) or a death, stop them in the opposite order.

    Raises:
        ServiceDied: one of them died; the others have been stopped.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    watched = (signal.SIGTERM, signal.SIGINT) if signals is None else tuple(signals)
    for number in watched:
        loop.add_signal_handler(number, asked.set)
    started: list[Service] = []
    try:
        for service in services:
            started.append(service)
            if await _start_unless(asked, service):
                break
        await _until_asked_or_dead(asked, started)
    finally:
        for service in reversed(started):
            await service.stop()
        for number in watched:
            loop.remove_signal_handler(number)
    for service in started:
        await service.wait()


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    if task.cancelled():
        return None
    return task.exception()


async def _start_unless(asked: asyncio.Event, service: Service) -> bool:
    """Start a service; True when the process was asked to stop meanwhile."""
    start = asyncio.create_task(service.start())
    stop = asyncio.create_task(asked.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not start.done():
        start.cancel()
        await asyncio.wait({start})
        return True
    start.result()
    return asked.is_set()


async def _until_asked_or_dead(asked: asyncio.Event, services: Sequence[Service]) -> None:
    stop = asyncio.create_task(asked.wait())
    waits = [asyncio.create_task(service.wait()) for service in services]
    await asyncio.wait({stop, *waits}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stop, *waits):
        task.cancel()
    results = await asyncio.gather(*waits, return_exceptions=True)
    for result in results:
        if isinstance(result, ServiceDied):
            raise result
