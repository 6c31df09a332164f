"""The api-server's process: uvicorn over one listening socket."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gnomon.api.auth import users

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from gnomon.store.engine import Store

#: How long requests that are being answered may take after a signal.
_GRACE_SECONDS = 5
_BACKLOG = 2048


class CannotServe(Exception):
    """The address cannot be listened on, or must not be; the text says why."""


def serve(store: Store, host: str, port: int, *, on_ready: Callable[[], None] | None = None) -> None:
    """Serve the API of a store until a signal.

    Args:
        store: the database.
        host: the address to listen on.
        port: 0 for any free one.
        on_ready: called when requests are answered.

    Raises:
        CannotServe: the port is in use, or the address would be open to everybody.
    """
    check_login(host)
    listener = listen(host, port)
    try:
        announce_passwords()
        from gnomon.api.public.app import create_app

        run(create_app(store), listener, on_ready=on_ready)
    finally:
        listener.close()


def announce_passwords() -> None:
    """Make the passwords of users who have none, and say where they are; never which, for this is a log."""
    if users.everybody_is_admin():
        return
    new = users.ensure_passwords()
    if new:
        from gnomon.service.logs import get_logger

        names = ", ".join(sorted(new))
        get_logger("gnomon.api").info(f"made passwords for {names}; they are in {users.passwords_file()}")


def run(app: ASGIApp, listener: socket.socket, *, on_ready: Callable[[], None] | None = None) -> None:
    """Answer requests on a listening socket until a signal."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and on_ready is not None:
                on_ready()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn would send itself the signal again at the end, and a process that was told to end did not fail
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
            yield

    config = uvicorn.Config(
        app,
        log_config=None,  # ours is configured
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        proxy_headers=False,
    )
    Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; made before anything slow, so that early clients wait instead of failing.

    Raises:
        CannotServe: the address cannot be listened on.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotServe(
            f"port {port} on {host} cannot be used ({reason.lower()}); choose another one with --port"
        ) from None
    return listener


def check_login(host: str) -> None:
    """Do nothing if everybody who can reach `host` may do everything, or has to log in.

    Raises:
        CannotServe: there are no logins, and the address can be reached from other machines.
    """
    if users.everybody_is_admin() and not is_loopback(host):
        raise CannotServe(
            f"--host {host} can be reached from other machines, but [core] simple_auth_manager_all_admins lets everybody"
            " do everything: set it to False, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
