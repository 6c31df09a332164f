"""What the worker answers for: every piece from its arrival until its outcome is settled and its process gone.

A result is kept until the scheduler has acknowledged it, however often that one restarts, and a process that ends without
having reported is reported on here.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from functools import partial

from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.wire import execution as wire
from gnomon.worker import linux, logs
from gnomon.worker.eventloop import EventLoop, Stream
from gnomon.worker.link import Link
from gnomon.worker.pieces import Piece

log = logging.getLogger(__name__)


class Holdings:
    """The pieces of one worker.

    Args:
        on_over: called when a piece is over or forgotten, so that a worker that wants to leave can look whether it may.
    """

    def __init__(self, loop: EventLoop, on_over: Callable[[], None]) -> None:
        self.link: Link
        self._loop = loop
        self._on_over = on_over
        self._pieces: dict[wire.TryKey, Piece] = {}
        self._asked: dict[int, tuple[Stream, Piece, wire.Request]] = {}
        self._asks = 0
        self._patience = conf.getfloat("core", "killed_task_cleanup_time", fallback=60.0)
        self._overtime = conf.getfloat("core", "task_success_overtime", fallback=20.0)

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[Piece]:
        return iter(list(self._pieces.values()))

    def __contains__(self, key: wire.TryKey) -> bool:
        return key in self._pieces

    def get(self, key: wire.TryKey) -> Piece | None:
        """Return the piece with this key, if it is held."""
        return self._pieces.get(key)

    def add(self, piece: Piece) -> None:
        """Answer for a piece from now on."""
        self._pieces[piece.key] = piece
        self._say_starting(piece)

    def keys(self) -> list[wire.TryKey]:
        """Return the keys that a scheduler wants to hear of."""
        return [p.key for p in self._pieces.values() if not (p.settled or p.refused or p.is_callback)]

    def say_again(self) -> None:
        """Say whatever the last scheduler may not have heard, or not have acknowledged."""
        for piece in self:
            if piece.outcome is not None and not piece.settled:
                self._say_outcome(piece)
            elif piece.go is None and not piece.refused:
                self._say_starting(piece)
        for number, (_, piece, body) in self._asked.items():
            self.link.send(wire.encode(wire.Forward(n=number, key=piece.key, body=body)))

    # ----------------------------------------------------------------------------------------------- questions

    def ask(self, stream: Stream, piece: Piece, body: wire.Request) -> None:
        """Send a task's question on; the answer goes to `stream`."""
        self._asks += 1
        self._asked[self._asks] = (stream, piece, body)
        self.link.send(wire.encode(wire.Forward(n=self._asks, key=piece.key, body=body)))

    def tell(self, piece: Piece, body: wire.Request) -> None:
        """Send a task's statement on."""
        self._asks += 1
        self.link.send(wire.encode(wire.Forward(n=self._asks, key=piece.key, body=body)))

    def answer(self, answer: wire.Answer) -> None:
        """Give an answer to the task that asked, if it is still there."""
        asked = self._asked.pop(answer.n, None)
        if asked is not None:
            asked[0].send(wire.encode(answer.body))

    # -------------------------------------------------------------------------------------------------- ends

    def report(self, piece: Piece, payload: bytes) -> None:
        """Take the outcome of a piece; only the first one counts."""
        if piece.outcome is not None:
            return
        piece.outcome = payload
        self._say_outcome(piece)
        if not (piece.ended or piece.is_callback or piece.deadline):
            # Success callbacks run after the report, and not for ever.
            piece.deadline = self._loop.call_later(self._overtime, partial(self._kill, piece))

    def settle(self, key: wire.TryKey) -> None:
        """Take note that the outcome of a piece is committed."""
        piece = self._pieces.get(key)
        if piece is not None and piece.outcome is not None:
            piece.settled = True
            if piece.ended:
                self.forget(piece)

    def end(self, piece: Piece, how: str) -> None:
        """The process of a piece is gone: report on it if it did not do so itself."""
        if piece.ended:
            return
        if piece.outcome is None and not piece.refused:
            if piece.reason is not None:
                how = f"{how}, after it was told to end: {piece.reason}"
            was = "was " if how.startswith("killed") else ""
            self.conclude(piece, how, f"The process of this try {was}{how}")
        else:
            self._is_over(piece)

    def conclude(self, piece: Piece, error: str, in_log: str | None = None) -> None:
        """End a piece with an outcome that its process did not give."""
        if in_log is not None:
            self._write_log(piece, in_log)
        piece.ended = True
        workload = piece.workload
        if type(workload) is wire.CallbackWorkload:
            self.report(piece, wire.encode(wire.CallbackDone(id=workload.id, error=error)))
        else:
            outcome = wire.Outcome(
                key=piece.key,
                state="failed",
                start_date=piece.start_date,
                end_date=clock.now_us(),
                pid=piece.pid,
                error=error,
                orphaned=True,
            )
            self.report(piece, wire.encode(outcome))
        self._is_over(piece)

    def refuse(self, piece: Piece) -> None:
        """The scheduler does not want this piece any more, and no outcome of it."""
        piece.refused = True
        if not piece.launched and piece.take_back():
            self.forget(piece)

    def forget(self, piece: Piece) -> None:
        """Stop answering for a piece."""
        self._pieces.pop(piece.key, None)
        piece.leave_template()
        if self._asked:
            self._asked = {n: asked for n, asked in self._asked.items() if asked[1] is not piece}
        self._on_over()

    def terminate(self, piece: Piece, reason: str) -> None:
        """End the process of a piece: SIGTERM to its group now, SIGKILL when patience ends."""
        if piece.ended or piece.reason is not None:
            return
        piece.reason = reason
        if not piece.launched and piece.take_back():
            self.conclude(piece, f"ended before it started: {reason}", f"The try ended before it started: {reason}")
            return
        if piece.deadline is not None:
            piece.deadline.cancel()
        piece.deadline = self._loop.call_later(self._patience, partial(self._kill, piece))
        if piece.stream is not None:
            self.signal(piece)

    def signal(self, piece: Piece) -> None:
        """Send SIGTERM. Not before the process has said hello: it ignores the signal until then."""
        if piece.runner is not None:
            piece.runner.retired = True
        linux.kill_group(piece.pid, signal.SIGTERM)

    # --------------------------------------------------------------------------------------------------------

    def _say_starting(self, piece: Piece) -> None:
        if not piece.is_callback:
            self.link.send(wire.encode(wire.TryStarting(key=piece.key, start_date=piece.start_date)))

    def _say_outcome(self, piece: Piece) -> None:
        assert piece.outcome is not None
        self.link.send(piece.outcome)
        if piece.is_callback and self.link.up:
            piece.settled = True  # nobody acknowledges it
            if piece.ended:
                self.forget(piece)

    def _is_over(self, piece: Piece) -> None:
        piece.ended = True
        if piece.deadline is not None:
            piece.deadline.cancel()
            piece.deadline = None
        if piece.stream is not None and piece.runner is None:
            piece.stream.close()
        piece.leave_template()
        if piece.settled or piece.refused:
            self.forget(piece)
        else:
            self._on_over()

    def _kill(self, piece: Piece) -> None:
        if not piece.ended and piece.pid:
            linux.kill_group(piece.pid, signal.SIGKILL)

    def _write_log(self, piece: Piece, event: str) -> None:
        try:
            logs.append(piece.log_path, event)
        except OSError as error:
            log.error("the log %s cannot be written: %s", piece.log_path, error.strerror)
