"""The runner's process, from the side of the triggerer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

from gnomon.service import environment
from gnomon.wire import execution as wire
from gnomon.wire import framing, triggering

_decode = wire.decoder(triggering.FromRunner).decode
#: How long triggers may clean up before the process is killed.
_STOP_SECONDS = 12.0


class Child:
    """A runner process and the socket to it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, environ: Mapping[str, str] | None = None) -> Child:
        """Start a runner, without what user code must not see in its environment."""
        ours, theirs = socket.socketpair()
        # The socket first: whoever is cancelled after the process has begun would leave it behind.
        reader, writer = await asyncio.open_connection(sock=ours, limit=framing.MAX_FRAME)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                environment.user_python(),
                "-m",
                "gnomon.triggerer.runner",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment.for_user_code(os.environ if environ is None else environ),
                start_new_session=True,
            )
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Send a message; one to a dead runner is lost, and `receive` says that it is dead."""
        if not self._writer.is_closing():
            self._writer.write(framing.pack(wire.encode(message)))

    async def receive(self) -> Any:
        """Return the next message; None when the runner is gone."""
        try:
            length = int.from_bytes(await self._reader.readexactly(4), "big")
            return _decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def end(self, *, at_once: bool = False) -> int:
        """End the process, nicely unless `at_once`; returns its exit status."""
        self._writer.close()
        self._signal(signal.SIGKILL if at_once else signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
        return await self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, number)
