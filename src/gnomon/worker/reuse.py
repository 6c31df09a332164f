"""A runner: a process that runs one piece after another, for very small tasks (`isolation="reuse"`).

It is forked from the template like the process of a try and then kept. Tasks in it share what they leave behind: module
globals, the environment, the current directory. Log, channel and context are each task's own.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import termios
import time
from typing import Any

from gnomon.sdk.runtime.channel import ChannelClosedError, SocketChannel
from gnomon.wire import execution as wire
from gnomon.worker import process
from gnomon.worker.pieces import key_of

_LENGTH = struct.Struct("H")
_PAGE = 8192
_DRAIN_SECONDS = 1.0


class CurrentLog:
    """The path of the log of the try that a runner is at, in memory that it shares with the template."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _PAGE)

    def set(self, path: str) -> None:
        """Raw output belongs to the log at `path` from now on."""
        data = os.fsencode(path)[: _PAGE - _LENGTH.size]
        self._memory[: _LENGTH.size] = _LENGTH.pack(0)
        self._memory[_LENGTH.size : _LENGTH.size + len(data)] = data
        self._memory[: _LENGTH.size] = _LENGTH.pack(len(data))

    def get(self) -> str:
        """Return the path; empty before the first try."""
        (length,) = _LENGTH.unpack_from(self._memory)
        return os.fsdecode(self._memory[_LENGTH.size : _LENGTH.size + length])


def serve(
    number: int, worker_socket: str, dags: dict[str, Any], usercode: process.UserCode, current: CurrentLog
) -> None:
    """Run pieces until the worker hangs up."""
    channel = SocketChannel.connect(worker_socket, wire.ToRunner)
    channel.ready(number, os.getpid())
    while True:
        try:
            launch = channel.launch()
        except ChannelClosedError:
            return
        current.set(launch.log_path)
        try:
            process.run(launch, dags, usercode, channel)
        finally:
            _wait_for_raw_output()
        channel.finish(wire.Exited(key=key_of(launch.workload), status=0))  # type: ignore[arg-type]


def _wait_for_raw_output() -> None:
    # What this task printed past Python is in a pipe; the template must have put it into this log, not the next one.
    deadline = time.monotonic() + _DRAIN_SECONDS
    while _unread(1) and time.monotonic() < deadline:
        time.sleep(0.0005)


def _unread(fd: int) -> int:
    answer = fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0")
    (count,) = struct.unpack("i", answer)
    return int(count)
