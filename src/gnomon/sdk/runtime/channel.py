"""How user code talks to the control side: questions with answers, and statements without.

A task has one connection and may use it from any thread. Signal handlers raise in the main thread (a timeout, a
termination), and they may do so at any bytecode; so the moments in which bytes are moved are shielded, and an
interruption that arrives then is raised right after. Waiting for an answer is not shielded. An answer that nobody
waits for any more is counted, and skipped by the next question.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from gnomon.wire import execution as wire
from gnomon.wire import framing

_RECEIVE_SIZE = 1 << 18
_UNIX, _STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)


class ChannelClosedError(ConnectionError):
    """The process at the other end is gone."""


class Channel(Protocol):
    """What user-side code may do with the control side."""

    def ask(self, request: wire.Request) -> wire.Reply:
        """Send a request and return its reply; may be called from any thread."""

    def tell(self, request: wire.Request) -> None:
        """Send a request that wants no reply; may be called from any thread."""


class TaskChannel(Channel, Protocol):
    """A channel as the process of one try has it."""

    def proceed(self) -> wire.Proceed:
        """Wait for the go-ahead."""

    def finish(self, outcome: wire.Outcome | wire.CallbackDone) -> None:
        """Report how the piece ended."""

    def busy(self) -> bool:
        """Tell whether this thread is in the middle of a message."""

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` now, or as soon as the channel is between two messages; for signal handlers."""


_current: Channel | None = None


def set_channel(channel: Channel | None) -> None:
    """Make `channel` the one that all user-side code of this process uses."""
    global _current
    _current = channel


def get_channel() -> Channel | None:
    """Return the channel of this process; None where nothing runs, as in a plain script."""
    return _current


def require_channel() -> Channel:
    """Return the channel of this process.

    Raises:
        RuntimeError: there is none, because no task, trigger or parser runs here.
    """
    if _current is None:
        raise RuntimeError("this is only possible while a task or a trigger runs")
    return _current


async def ask_async(request: wire.Request) -> wire.Reply:
    """Ask from a coroutine, without holding up its event loop."""
    channel = require_channel()
    ask_natively = getattr(channel, "ask_async", None)
    if ask_natively is not None:
        reply: wire.Reply = await ask_natively(request)
        return reply
    import asyncio  # a template without triggers and coroutines does without it

    return await asyncio.to_thread(channel.ask, request)


@cache
def _decoder(accepts: Any) -> Callable[[bytes], Any]:
    return wire.decoder(accepts).decode


class SocketChannel:
    """The channel of a task's process: one stream socket to its worker."""

    def __init__(self, sock: socket.SocketType, accepts: Any = wire.ToTask) -> None:
        """Take over a connected socket.

        Args:
            sock: the connection.
            accepts: the union of messages that come in; `wire.ToRunner` where launches come too.
        """
        self._sock = sock
        self._lock = threading.RLock()
        self._decode = _decoder(accepts)
        self._splitter = framing.Splitter()
        self._arrived: deque[Any] = deque()
        self._unread_replies = 0
        self._go_aheads: deque[wire.Proceed] = deque()
        self._launches: deque[wire.Launch] = deque()
        self._moving_bytes: int | None = None
        self._interruption: BaseException | None = None
        self._readable = select.poll()
        self._readable.register(sock.fileno(), select.POLLIN)

    @classmethod
    def connect(cls, path: str, accepts: Any = wire.ToTask) -> SocketChannel:
        """Return a channel over the Unix socket at `path`."""
        # Not the subclass in Python, whose enums cost each task thirty pages.
        sock = socket.SocketType(_UNIX, _STREAM)
        sock.connect(path)
        return cls(sock, accepts)

    def hello(self, key: wire.TryKey, pid: int) -> None:
        """Say which piece of execution this connection belongs to; the first message on it."""
        with self._lock:
            self._send(wire.TaskHello(key=key, pid=pid))

    def ready(self, runner: int, pid: int) -> None:
        """Say that this connection belongs to a process that runs one launch after another."""
        with self._lock:
            self._send(wire.RunnerReady(id=runner, pid=pid))

    def importing(self, template: int) -> None:
        """Say that this connection is for what a template's DAG file asks while it is imported."""
        with self._lock:
            self._send(wire.Importing(id=template))

    def launch(self) -> wire.Launch:
        """Wait for the next launch."""
        with self._lock:
            while not self._launches:
                self._receive()
            return self._launches.popleft()

    def ask(self, request: wire.Request) -> wire.Reply:
        with self._lock:
            skip = self._unread_replies
            self._unread_replies += 1
            self._send(wire.Ask(body=request))
            while True:
                reply = self._take_reply()
                self._unread_replies -= 1
                if skip == 0:
                    return reply
                skip -= 1

    def tell(self, request: wire.Request) -> None:
        with self._lock:
            self._send(wire.Tell(body=request))

    def proceed(self) -> wire.Proceed:
        with self._lock:
            while not self._go_aheads:
                self._receive()
            return self._go_aheads.popleft()

    def finish(self, outcome: wire.Outcome | wire.CallbackDone) -> None:
        with self._lock:
            self._send(outcome)

    def busy(self) -> bool:
        return self._moving_bytes == threading.get_ident()

    def interrupt(self, error: BaseException) -> None:
        if self.busy():
            self._interruption = error
        else:
            raise error

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _take_reply(self) -> wire.Reply:
        while not self._arrived:
            self._receive()
        reply: wire.Reply = self._arrived.popleft()
        return reply

    def _receive(self) -> None:
        self._readable.poll()
        with _Shield(self):
            data = self._sock.recv(_RECEIVE_SIZE)
            if not data:
                raise ChannelClosedError("the worker has closed the connection")
            for payload in self._splitter.feed(data):
                message = self._decode(payload)
                if type(message) is wire.Proceed:
                    self._go_aheads.append(message)
                elif type(message) is wire.Launch:
                    self._launches.append(message)
                else:
                    self._arrived.append(message)

    def _send(self, message: Any) -> None:
        frame = framing.pack(wire.encode(message))
        with _Shield(self):
            try:
                self._sock.sendall(frame)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise ChannelClosedError("the worker has closed the connection") from error


class _Shield:
    """Puts off interruptions of this thread until bytes and bookkeeping agree again."""

    __slots__ = ("_channel",)

    def __init__(self, channel: SocketChannel) -> None:
        self._channel = channel

    def __enter__(self) -> None:
        self._channel._moving_bytes = threading.get_ident()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        channel = self._channel
        channel._moving_bytes = None
        interruption, channel._interruption = channel._interruption, None
        if interruption is not None and kind is None:
            raise interruption
