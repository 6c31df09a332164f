"""The worker's connection to the control side.

The worker only needs something that can be up or down and carries frames; whatever was not acknowledged is said again
when it is up. A link over HTTP has the same three members.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Protocol

import msgspec

from gnomon.wire import execution as wire
from gnomon.worker.eventloop import EventLoop, Stream

log = logging.getLogger(__name__)

_FIRST_RETRY = 0.02
_LAST_RETRY = 1.0


class Link(Protocol):
    """A way to the control side that comes and goes."""

    up: bool  #: the control side has said Welcome, and `send` reaches it

    def send(self, payload: bytes) -> None:
        """Send one message; nothing happens while the link is down."""

    def close(self) -> None:
        """Send what was given to `send`, then hang up for good."""


class SocketLink:
    """A link over the scheduler's Unix socket. Schedulers restart; it tries again until `close`.

    Args:
        hello: makes the first message of each connection.
        on_up: called when the scheduler has said Welcome.
        on_message: called with every later message.
        on_refused: called with the reason when the scheduler does not want this worker.
    """

    def __init__(
        self,
        loop: EventLoop,
        path: str,
        *,
        hello: Callable[[], wire.WorkerHello],
        on_up: Callable[[], None],
        on_message: Callable[[object], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self.up = False
        self._loop = loop
        self._path = path
        self._hello = hello
        self._on_up = on_up
        self._on_message = on_message
        self._on_refused = on_refused
        self._decode = wire.decoder(wire.ToWorker).decode
        self._stream: Stream | None = None
        self._retry = _FIRST_RETRY
        self._said_missing = False
        self._closed = False

    def connect(self) -> None:
        """Try to connect, now and again until it works."""
        if self._closed:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._path)
        except OSError as error:
            sock.close()
            self._try_again(error)
            return
        self._stream = Stream(self._loop, sock, self._on_frame, self._on_lost)
        self._stream.send(wire.encode(self._hello()))

    def send(self, payload: bytes) -> None:
        if self.up and self._stream is not None:
            self._stream.send(payload)

    def close(self) -> None:
        self._closed = True
        self.up = False
        if self._stream is not None:
            self._stream.flush()
            self._stream.close()

    def _try_again(self, error: OSError) -> None:
        if not self._said_missing:
            log.info("waiting for the scheduler at %s (%s)", self._path, error.strerror)
            self._said_missing = True
        self._loop.call_later(self._retry, self.connect)
        self._retry = min(self._retry * 2, _LAST_RETRY)

    def _on_frame(self, stream: Stream, payload: bytes) -> None:
        try:
            message = self._decode(payload)
        except msgspec.DecodeError as error:
            log.error("the scheduler at %s sent a message that is none: %s", self._path, error)
            stream.close()
            self._on_lost(stream)
            return
        if self.up:
            self._on_message(message)
        elif type(message) is wire.Welcome:
            self.up = True
            self._retry = _FIRST_RETRY
            self._said_missing = False
            log.info("connected to scheduler %s", message.scheduler)
            self._on_up()
        elif type(message) is wire.Refused:
            self._on_refused(message.reason)

    def _on_lost(self, stream: Stream) -> None:
        if self.up:
            log.info("the scheduler has gone away; tasks go on")
        self.up = False
        self._stream = None
        self._loop.call_later(self._retry, self.connect)
