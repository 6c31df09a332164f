"""What a DAG file may ask while its template imports it: the same as when it is parsed, through a task that waits for it."""

from __future__ import annotations

from gnomon.sdk.runtime.channel import SocketChannel
from gnomon.service.masking import masker
from gnomon.wire import execution as wire


class ImportChannel:
    """A channel that connects when it is needed first; most DAG files ask nothing.

    Args:
        template: the template's number.
        worker_socket: where the worker listens.
    """

    def __init__(self, template: int, worker_socket: str) -> None:
        self._template = template
        self._worker_socket = worker_socket
        self._channel: SocketChannel | None = None

    def ask(self, request: wire.Request) -> wire.Reply:
        """Send a request and return its reply."""
        return self._connected().ask(request)

    def tell(self, request: wire.Request) -> None:
        """Send a request that wants no reply; secrets stay here, for this process masks what its tasks print."""
        if isinstance(request, wire.MaskSecret):
            masker.add(request.value)
        else:
            self._connected().tell(request)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._channel is not None:
            self._channel.close()

    def _connected(self) -> SocketChannel:
        if self._channel is None:
            self._channel = SocketChannel.connect(self._worker_socket)
            self._channel.importing(self._template)
        return self._channel
