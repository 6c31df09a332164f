"""Has listeners of plugins told what they cannot hear in processes of tasks, by a process that runs nothing else.

The host is user code, so it has no database. It is started with the first announcement that somebody wants to hear,
lives as long as the dag-processor, and so keeps what listeners remember. Announcements are made one after the other, in
order; each is there until it was made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from gnomon.service.config import conf
from gnomon.service.environment import for_user_code, user_python
from gnomon.service.service import Service
from gnomon.wire import execution as wire
from gnomon.wire import framing
from gnomon.wire.listening import HOOKS, Announcement, AnnouncementMade, FromHost

log = logging.getLogger(__name__)

#: How often it looks for itself, should a notice have got lost.
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = 1.0
#: At its end it waits so long for what other processes say at theirs.
_QUIET_SECONDS = 1.0
_FAREWELL_SECONDS = 3.0
_END_SECONDS = 5.0
_decode = wire.decoder(FromHost).decode


class Announcer(Protocol):
    """Where announcements are written; `store.announcements` is one. Its methods block."""

    def heard(self) -> frozenset[str] | None:
        """Return what listeners want to hear; None if that is not known yet."""

    def set_heard(self, hooks: Collection[str]) -> None:
        """Note what listeners want to hear."""

    def waiting(self) -> Sequence[Announcement]:
        """Return the oldest announcements."""

    def done(self, ids: Collection[int]) -> None:
        """Forget announcements."""


class Subscription(Protocol):
    """Something that hands on notices until it is closed."""

    def close(self) -> None: ...


Listen = Callable[[asyncio.AbstractEventLoop, Callable[[str], None]], Subscription]


class Listening(Service):
    """Makes announcements.

    Args:
        announcer: the announcements.
        ask: answers what listeners ask; called in a thread.
        outage: exceptions of the announcer that say "try again later".
        listen: given a callback, subscribes it to the notices of the topic `announce`.
        python: the interpreter of user code, unless the environment names it.
    """

    def __init__(
        self,
        announcer: Announcer,
        ask: Callable[[wire.Request], wire.Reply],
        outage: tuple[type[Exception], ...],
        listen: Listen | None = None,
        python: str | None = None,
    ) -> None:
        super().__init__("listening")
        self._announcer = announcer
        self._listen = listen
        self._outage = outage
        self._host = Host(ask, python)
        self._bell = asyncio.Event()
        self._heard: frozenset[str] | None = None
        self._learnt: frozenset[str] | None = None

    @property
    def host_pid(self) -> int | None:
        """The process id of the host, for tests."""
        return self._host.pid

    def learn(self, hooks: Collection[str] | None) -> None:
        """Take what a process that has the plugins says that listeners want to hear."""
        if hooks is not None:
            self._learnt = frozenset(hooks)

    def keep(self) -> None:
        """Note what was learnt, before anything is recorded that listeners may want to hear of; blocks."""
        learnt = self._learnt
        if learnt is not None and learnt != self._heard:
            if self._announcer.heard() != learnt:
                self._announcer.set_heard(learnt)
            self._heard = learnt

    def wake(self) -> None:
        """Look for announcements now."""
        self._bell.set()

    async def run(self) -> None:
        """Make announcements until stopped, then what other processes leave behind that end at the same time."""
        stopping = asyncio.create_task(self._wake_at_end())
        subscription = None
        if self._listen is not None:
            subscription = self._listen(asyncio.get_running_loop(), lambda _: self.wake())
        self.ready()
        try:
            while not self.stopping.is_set():
                self._bell.clear()
                await self._rest(await self._make_all())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._make_last()
        finally:
            stopping.cancel()
            if subscription is not None:
                subscription.close()
            await self._host.end()

    async def _wake_at_end(self) -> None:
        await self.stopping.wait()
        self.wake()

    async def _rest(self, seconds: float) -> bool:
        """Wait for something to do; return whether something may be there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._bell.wait()
        return False

    async def _make_all(self) -> float:
        """Make the announcements that wait; return how long nothing need be done."""
        try:
            while await self._make():
                pass
        except self._outage as error:
            log.warning("the database cannot be reached; announcements wait: %s", error)
            return _RETRY_SECONDS
        return _LOOK_SECONDS

    async def _make_last(self) -> None:
        rang = True
        while rang:
            self._bell.clear()
            await self._make_all()
            rang = "before_stopping" in (self._heard or ()) and await self._rest(_QUIET_SECONDS)

    async def _make(self) -> bool:
        """Make the announcements that wait; return whether there may be more."""
        found = await asyncio.to_thread(self._announcer.waiting)
        if not found:
            return False
        heard = self._heard
        if heard is None:
            heard = await asyncio.to_thread(self._announcer.heard)
            if heard is None:
                return False  # whether anybody listens is known when a file has been parsed
            self._heard = heard
        unheard = [one.id for one in found if not heard.intersection(HOOKS.get(one.kind, ()))]
        if unheard:
            await asyncio.to_thread(self._announcer.done, unheard)
        for one in found:
            if one.id not in unheard:
                await self._host.tell(one)
                # At once, for a number is given again when its row is gone.
                await asyncio.to_thread(self._announcer.done, [one.id])
        return True


class Host:
    """The process in which listeners are told."""

    def __init__(self, ask: Callable[[wire.Request], wire.Reply], python: str | None) -> None:
        self._ask = ask
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._limit = max(1.0, conf.getfloat("dag_processor", "dag_file_processor_timeout", fallback=50.0))

    @property
    def pid(self) -> int | None:
        """Its process id, while there is one."""
        return None if self._process is None else self._process.pid

    async def tell(self, one: Announcement) -> None:
        """Have listeners told; one that takes too long, or ends the process, has been told too."""
        try:
            async with asyncio.timeout(self._limit):
                error = await self._tell(one)
        except TimeoutError:
            error = f"a listener took longer than {self._limit:g} s"
            await self.end()
        except (OSError, asyncio.IncompleteReadError) as problem:
            error = f"the process of listeners has ended: {problem}"
            await self.end()
        if error is not None:
            log.error("listeners were not told of %s: %s", one.kind, error)

    async def _tell(self, one: Announcement) -> str | None:
        reader, writer = await self._connected()
        writer.write(framing.pack(wire.encode(one)))
        await writer.drain()
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            message = _decode(await reader.readexactly(size))
            if isinstance(message, AnnouncementMade):
                return message.error
            reply = await asyncio.to_thread(self._answer, message.body)
            if isinstance(message, wire.Ask):
                writer.write(framing.pack(wire.encode(reply)))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._process is not None and self._process.poll() is not None:
            await self.end()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(sock=self._start())
        return self._reader, self._writer

    def _start(self) -> socket.socket:
        # In the main thread, for the host ends with the thread that has started it.
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [self._python or user_python(), "-P", "-m", "gnomon.parsing.listener_host", str(theirs.fileno())],
                env=for_user_code(os.environ),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return ours

    def _answer(self, request: wire.Request) -> wire.Reply:
        try:
            return self._ask(request)
        except Exception:
            log.exception("a request of a listener could not be answered")
            return wire.Problem("unavailable", "the dag-processor could not answer; its log says why")

    async def end(self) -> None:
        """End the process."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await asyncio.to_thread(process.wait)
