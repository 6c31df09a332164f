"""TLS in front of servers that speak none, for clients that insist on it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1."""

    path: Path
    key: Path

    @classmethod
    def create(cls, place: Path) -> Certificate:
        """Make one in a folder."""
        made = cls(place / "certificate.pem", place / "key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        command += ["-keyout", str(made.key), "-out", str(made.path)]
        subprocess.run(command, check=True, capture_output=True)
        return made

    @contextlib.contextmanager
    def in_front_of(self, port: int) -> Iterator[int]:
        """Forward what comes by TLS to a port without it; yield the port with it."""
        loop = asyncio.new_event_loop()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.path, self.key)

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                for one in (back, writer):
                    one.transport.abort()
                    with contextlib.suppress(OSError):
                        await one.wait_closed()

        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        def run(coroutine):
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

        server = run(asyncio.start_server(forward, "127.0.0.1", 0, ssl=context))
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            run(_end_tasks())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
