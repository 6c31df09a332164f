"""The API server's process."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn

from gnomon.api.public.app import create_app
from gnomon.cli.errors import CommandError
from gnomon.cli.parts import notify_ready
from gnomon.service.logs import get_logger
from gnomon.store.engine import open_store

log = get_logger(__name__)


def serve(host: str, port: int) -> None:
    """Serve the API until a signal.

    Raises:
        CommandError: the address cannot be listened on.
    """
    listener = _listen(host, port)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with open_store() as store:
        config = uvicorn.Config(
            create_app(store),
            log_config=None,  # ours is configured
            access_log=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        log.info(f"listening at http://{host}:{port}")
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit code 0 when it is told to end; uvicorn's own dies of the signal."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            notify_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def _listen(host: str, port: int) -> socket.socket:
    # Before anything slow, so that a port in use is known at once, and early clients wait instead of failing.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        raise CommandError(f"--port: {host}:{port} cannot be listened on: {(error.strerror or str(error)).lower()}") from None
    return listener


