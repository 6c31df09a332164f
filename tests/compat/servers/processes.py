"""Starts servers on free ports of the loopback interface and ends them by their process ids."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, package: str) -> str:
    """Return the path of a server's program, or skip the test and say which Debian package has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    return found


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A temporary folder with a short path, for sockets."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def server(
    command: Sequence[str | Path],
    log: Path,
    ready: Callable[[], bool],
    *,
    seconds: float = 30,
    **options: object,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends.

    Args:
        command: The program and its arguments.
        log: The file that gets its output.
        ready: Says whether it can be used.
        seconds: It must be ready by then.
        options: Of `subprocess.Popen`.

    Raises:
        AssertionError: It ended, or was not ready in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,  # type: ignore[call-overload]
        )
    try:
        deadline = time.monotonic() + seconds
        while not ready():
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"{command[0]} is not ready: {log.read_text()[-4000:]}"
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
