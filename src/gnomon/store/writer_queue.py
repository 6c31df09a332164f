"""A queue of the processes that write to one SQLite file.

SQLite itself lets a writer that finds the file locked sleep and try again, up to a tenth of a second each time, and
whoever comes in between goes first: under load somebody waits for seconds. A lock of the kernel's wakes the next one
at once, and is let go by whoever dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import threading

from gnomon.store.errors import Unavailable


class WriterQueue:
    """Entered for the time of one transaction, by one thread of a process at a time.

    Args:
        database: path of the SQLite file; the lock is a file beside it.
        seconds: how long to wait at most.
    """

    def __init__(self, database: str, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._fd = -1
        self._requests: queue.SimpleQueue[_Request | None] | None = None
        self._abandoned: _Request | None = None

    def __enter__(self) -> None:
        """Wait until nobody else writes.

        Raises:
            Unavailable: it took too long, or the lock file cannot be made.
        """
        if self._fd < 0:
            self._open()
        if self._abandoned is not None and not self._abandoned.settled:
            # The waiting thread still tries for the one that gave up, and will let go of what it gets.
            self._wait()
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait()

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        if self._requests is not None:
            self._requests.put(None)
            self._requests = None
        elif self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _open(self) -> None:
        path = f"{self._database}-writer"
        try:
            self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"the lock file {path} cannot be made: {error.strerror}") from None

    def _wait(self) -> None:
        """Let a thread wait, because only a thread can be waited for with a limit."""
        if self._requests is None:
            self._requests = queue.SimpleQueue()
            waiter = threading.Thread(target=_serve, args=(self._fd, self._requests), name="writer-queue", daemon=True)
            waiter.start()
        request = _Request()
        self._requests.put(request)
        if not request.done.wait(self._seconds) and request.give_up():
            self._abandoned = request
            raise Unavailable(f"{self._database} was locked by other writers for more than {self._seconds:g} seconds")


class _Request:
    """Somebody waits for the lock, until it is there or is too late."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.settled = False
        self._decided = threading.Lock()
        self._gave_up = False

    def give_up(self) -> bool:
        """Want it no longer; False if it is there by now."""
        with self._decided:
            self._gave_up = not self.done.is_set()
            return self._gave_up

    def hand_over(self) -> bool:
        """Say that the lock is there; False if nobody wants it any more."""
        with self._decided:
            if not self._gave_up:
                self.done.set()
            return not self._gave_up


def _serve(fd: int, requests: queue.SimpleQueue[_Request | None]) -> None:
    with contextlib.suppress(OSError):
        while (request := requests.get()) is not None:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if not request.hand_over():
                fcntl.flock(fd, fcntl.LOCK_UN)
            request.settled = True
    os.close(fd)
