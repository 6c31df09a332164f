"""A scheduler as the worker sees one: a real socket that speaks the protocol, driven step by step by a test."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from pathlib import Path
from typing import TypeVar

import msgspec

from gnomon.wire import execution as wire
from gnomon.wire import framing

M = TypeVar("M")
_decode = wire.decoder(wire.FromWorker).decode

#: Longer than anything here takes, also on a busy machine.
PATIENCE = 20.0


class Hung(AssertionError):
    """What was waited for did not come."""


class FakeScheduler:
    """Listens for one worker."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._listener.settimeout(PATIENCE)
        self._worker: socket.socket | None = None
        self._splitter = framing.Splitter()
        #: everything that came and was not taken
        self.inbox: deque[object] = deque()
        self.hello: wire.WorkerHello | None = None

    def accept(self, *, welcome: bool = True) -> wire.WorkerHello:
        """Wait for the worker to connect, and return how it introduces itself."""
        self._worker, _ = self._listener.accept()
        self._splitter = framing.Splitter()
        self.hello = self.take(wire.WorkerHello)
        if welcome:
            self.send(wire.Welcome(scheduler="fake", epoch=1))
        return self.hello

    def send(self, *messages: msgspec.Struct) -> None:
        """Send messages to the worker in one write."""
        assert self._worker is not None
        self._worker.sendall(b"".join(framing.pack(wire.encode(message)) for message in messages))

    def take(self, kind: type[M], key: wire.TryKey | None = None, within: float = PATIENCE) -> M:
        """Return the next message of a kind (about a piece), wait for it if it is not there; others are kept."""
        deadline = time.monotonic() + within
        while True:
            for message in self.inbox:
                if type(message) is kind and (key is None or message.key == key):
                    self.inbox.remove(message)
                    return message
            self._receive(deadline, kind)

    def has(self, kind: type[M]) -> bool:
        """Say whether a message of a kind has come that nobody took."""
        return any(type(message) is kind for message in self.inbox)

    def proceed(self, key: wire.TryKey, ok: bool = True) -> None:
        """Let a piece that starts go ahead."""
        self.take(wire.TryStarting, key)
        self.send(wire.Proceed(key=key, ok=ok))

    def run(self, workload: wire.Workload) -> wire.Outcome:
        """Take a workload through its life; returns its outcome, acknowledged."""
        self.send(workload)
        self.proceed(workload.key)
        return self.settle(workload.key)

    def settle(self, key: wire.TryKey) -> wire.Outcome:
        """Wait for the outcome of a piece and acknowledge it."""
        outcome = self.take(wire.Outcome, key)
        self.send(wire.Settled(keys=[key]))
        return outcome

    def hang_up(self) -> None:
        """Break the connection, as a scheduler that is killed does."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self.inbox.clear()

    def close(self) -> None:
        """Go away for good."""
        self.hang_up()
        self._listener.close()

    def _receive(self, deadline: float, kind: type) -> None:
        assert self._worker is not None
        ready, _, _ = select.select([self._worker], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise Hung(f"no {kind.__name__} came; what came: {list(self.inbox)}")
        data = self._worker.recv(1 << 18)
        if not data:
            raise Hung(f"the worker hung up while a {kind.__name__} was waited for; what came: {list(self.inbox)}")
        self.inbox.extend(_decode(payload) for payload in self._splitter.feed(data))
