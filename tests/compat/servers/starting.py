"""How each server starts on a machine without an init system."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.compat.servers.processes import accepts, folder, free_port, program, server


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """Run Redis without persistence and yield its port."""
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with folder("gnrd-") as place, server(command, place / "log", lambda: accepts(port), cwd=place):
        yield port
