"""The worker's side of `isolation="reuse"`: which runner of a template takes which piece.

A runner gets its next piece when it says that it is done with the last one, and not before: a piece that waits behind a
long one could not be moved any more. Its `Proceed` has come by then, so it starts at once. With a few more runners than
cores that costs no throughput.
"""

from __future__ import annotations

import os
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from gnomon.service import clock
from gnomon.wire import execution as wire
from gnomon.worker.eventloop import EventLoop, Stream
from gnomon.worker.pieces import Piece

if TYPE_CHECKING:
    from gnomon.worker.warm import WarmTemplate

#: When nothing has finished for so long, all runners have long tasks and another one is worth its fork.
_STALL_SECONDS = 0.1
_IDLE_SECONDS = 15.0

_numbers = count(1)


class Runner:
    """A process that runs one piece after another."""

    __slots__ = ("current", "id", "idle_since", "pid", "retired", "stream")

    def __init__(self, number: int) -> None:
        self.id = number
        self.pid = 0
        self.stream: Stream | None = None
        self.current: Piece | None = None
        self.idle_since = 0.0
        #: gets no further piece, because it was told to terminate the one it has
        self.retired = False


class RunnerPool:
    """The runners of one template, as many as are of use."""

    def __init__(self, loop: EventLoop, template: WarmTemplate, slots: int) -> None:
        self._loop = loop
        self._template = template
        self._usual = min(slots, 2 * (os.cpu_count() or 1))
        self._most = slots
        self._runners: dict[int, Runner] = {}
        self._idle: list[Runner] = []
        self._opening = 0
        self._backlog: deque[Piece] = deque()
        self._last_progress = 0.0
        self._watching = False

    def submit(self, piece: Piece) -> None:
        """Run a piece as soon as a runner is free."""
        self._backlog.append(piece)
        self._assign()

    def withdraw(self, piece: Piece) -> bool:
        """Take back a piece that no runner has yet; returns whether that was so."""
        if piece.runner is None and piece in self._backlog:
            self._backlog.remove(piece)
            return True
        return False

    def connected(self, number: int, pid: int, stream: Stream) -> Runner | None:
        """Take note that a runner is there; None if it is not one of this pool."""
        runner = self._runners.get(number)
        if runner is None or runner.stream is not None:
            return None
        runner.pid, runner.stream = pid, stream
        self._opening -= 1
        self._is_idle(runner)
        return runner

    def finished(self, runner: Runner) -> None:
        """Take note that a runner is done with its piece."""
        runner.current = None
        self._last_progress = clock.monotonic()
        if runner.retired:
            self._hang_up(runner)
        else:
            self._is_idle(runner)

    def lost(self, number: int) -> Runner | None:
        """Take a runner out whose process is gone; returns it if it was known."""
        runner = self._runners.pop(number, None)
        if runner is None:
            return None
        if runner.stream is None:
            self._opening -= 1
        elif runner in self._idle:
            self._idle.remove(runner)
        self._loop.call_soon(self._assign)
        return runner

    def trim(self, now: float) -> None:
        """Close runners that have had nothing to do for a while."""
        for runner in [r for r in self._idle if now - r.idle_since > _IDLE_SECONDS]:
            self._idle.remove(runner)
            self._hang_up(runner)

    # ------------------------------------------------------------------------------------------------------

    def _is_idle(self, runner: Runner) -> None:
        runner.idle_since = clock.monotonic()
        self._idle.append(runner)
        self._assign()

    def _assign(self) -> None:
        while self._backlog and self._idle:
            self._give(self._idle.pop(), self._backlog.popleft())
        if self._backlog and not self._template.gone:
            while self._opening < len(self._backlog) and len(self._runners) < self._usual:
                self._open()
            self._watch()

    def _give(self, runner: Runner, piece: Piece) -> None:
        assert runner.stream is not None
        runner.current = piece
        piece.runner, piece.stream, piece.pid, piece.launched = runner, runner.stream, runner.pid, True
        runner.stream.send(wire.encode(wire.Launch(workload=piece.workload, log_path=piece.log_path)))
        if piece.go is not None:
            runner.stream.send(piece.go)

    def _open(self) -> None:
        runner = Runner(next(_numbers))
        self._runners[runner.id] = runner
        self._opening += 1
        self._template.send(wire.encode(wire.OpenRunner(id=runner.id)))

    def _hang_up(self, runner: Runner) -> None:
        if runner.stream is not None:
            runner.stream.close()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._last_progress = clock.monotonic()
            self._loop.call_later(_STALL_SECONDS, self._look)

    def _look(self) -> None:
        self._watching = False
        if not self._backlog or self._template.gone:
            return
        stalled = clock.monotonic() - self._last_progress >= _STALL_SECONDS
        if stalled and not self._opening and len(self._runners) < self._most:
            self._open()
        self._watching = True
        self._loop.call_later(_STALL_SECONDS, self._look)
