"""Where the processes below the worker connect: templates, tasks and runners, and what each of them says."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial

import msgspec

from gnomon.wire import execution as wire
from gnomon.worker import linux
from gnomon.worker.eventloop import EventLoop, Listener, Stream
from gnomon.worker.holdings import Holdings
from gnomon.worker.pieces import Piece
from gnomon.worker.pool import Runner
from gnomon.worker.warm import WarmTemplate, WarmTemplates

log = logging.getLogger(__name__)

_decode = wire.decoder(wire.FromTask | wire.FromTemplate).decode


class Reception:
    """Listens on the worker's own socket.

    Args:
        on_template: called with a template's connection and its first message.
        relaunch: called with a piece whose process is gone before its user code can have begun.
    """

    def __init__(
        self,
        loop: EventLoop,
        path: str,
        *,
        holdings: Holdings,
        templates: WarmTemplates,
        on_template: Callable[[Stream, wire.TemplateReady], None],
        relaunch: Callable[[Piece], None],
    ) -> None:
        self._loop = loop
        self._holdings = holdings
        self._templates = templates
        self._on_template = on_template
        self._relaunch = relaunch
        #: connections that have not said yet whose they are
        self._strangers: set[Stream] = set()
        self._listener = Listener(loop, path, self._on_connect)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def lose(self, template: WarmTemplate, status: int) -> None:
        """Answer for the pieces of a template that is gone, each as soon as its own process is."""
        self._hear_strangers()
        how = f"{linux.describe_status(status)}; that happened to the template process it was forked from"
        for piece in list(template.pieces.values()):
            if piece.ended:
                continue
            self._hear_out(piece)
            if piece.can_be_relaunched and piece.stream is not None:
                # A Proceed that comes from now on is for its next process; this one can not begin any more.
                piece.stream.close()
                piece.stream = None
            self._when_dead(piece, partial(self._on_lost_with_template, piece, how))

    # ------------------------------------------------------------------------------------------- first words

    def _on_connect(self, sock: socket.socket) -> None:
        self._strangers.add(Stream(self._loop, sock, self._on_first_frame, self._strangers.discard))

    def _on_first_frame(self, stream: Stream, payload: bytes) -> None:
        self._strangers.discard(stream)
        message = _decoded(stream, payload)
        if isinstance(message, wire.TaskHello):
            self._on_task(stream, message)
        elif isinstance(message, wire.TemplateReady):
            stream.on_frame, stream.on_close = self._on_template_frame, self._on_template_hung_up
            self._on_template(stream, message)
        elif isinstance(message, wire.RunnerReady):
            self._on_runner(stream, message)
        elif isinstance(message, wire.Importing):
            self._on_importing(stream, message)
        else:
            stream.close()

    def _on_task(self, stream: Stream, hello: wire.TaskHello) -> None:
        piece = self._holdings.get(hello.key)
        if piece is None or piece.stream is not None or piece.ended:
            stream.close()
            return
        stream.owner = piece
        stream.on_frame, stream.on_close = self._on_task_frame, _ignore
        piece.stream, piece.pid = stream, hello.pid
        if piece.go is not None:
            stream.send(piece.go)
        elif piece.refused:
            stream.send(wire.encode(wire.Proceed(key=piece.key, ok=False)))
        if piece.reason is not None:
            self._holdings.signal(piece)

    def _on_runner(self, stream: Stream, ready: wire.RunnerReady) -> None:
        for template in self._templates:
            runner = None if template.pool is None else template.pool.connected(ready.id, ready.pid, stream)
            if runner is not None:
                stream.owner = runner
                stream.on_frame, stream.on_close = self._on_runner_frame, _ignore
                return
        stream.close()

    def _on_importing(self, stream: Stream, importing: wire.Importing) -> None:
        for template in self._templates:
            if template.id == importing.id:
                stream.owner = template
                stream.on_frame, stream.on_close = self._on_import_frame, _ignore
                return
        stream.close()

    # ------------------------------------------------------------------------------------------- later words

    def _on_import_frame(self, stream: Stream, payload: bytes) -> None:
        """Send on what a DAG file asks while it is imported, in the name of the first task that waits for it."""
        template = stream.owner
        assert isinstance(template, WarmTemplate)
        message = _decoded(stream, payload)
        if not template.waiting:
            stream.close()
        elif isinstance(message, wire.Ask):
            self._holdings.ask(stream, template.waiting[0], message.body)
        elif isinstance(message, wire.Tell):
            self._holdings.tell(template.waiting[0], message.body)

    def _on_task_frame(self, stream: Stream, payload: bytes) -> None:
        assert isinstance(stream.owner, Piece)
        self._on_said(stream, stream.owner, _decoded(stream, payload), payload)

    def _on_said(self, stream: Stream, piece: Piece, message: object, payload: bytes) -> None:
        if isinstance(message, wire.Outcome):
            if message.key == piece.key:
                self._holdings.report(piece, payload)
        elif isinstance(message, wire.Ask):
            self._holdings.ask(stream, piece, message.body)
        elif isinstance(message, wire.Tell):
            if not isinstance(message.body, wire.MaskSecret):
                self._holdings.tell(piece, message.body)
            elif piece.template is not None and piece.template.stream is not None:
                piece.template.send(wire.encode(message.body))
        elif isinstance(message, wire.CallbackDone):
            self._holdings.report(piece, payload)

    def _on_runner_frame(self, stream: Stream, payload: bytes) -> None:
        runner = stream.owner
        assert isinstance(runner, Runner)
        piece = runner.current
        message = _decoded(stream, payload)
        if piece is None:
            return
        if not isinstance(message, wire.Exited):
            self._on_said(stream, piece, message, payload)
            return
        pool = piece.template.pool if piece.template is not None else None
        piece.stream = piece.runner = None
        self._holdings.end(piece, "ended without a report")
        if pool is not None:
            pool.finished(runner)

    def _on_template_frame(self, stream: Stream, payload: bytes) -> None:
        template = stream.owner
        assert isinstance(template, WarmTemplate)
        message = _decoded(stream, payload)
        # An end is dealt with after everything else of this turn: what the process said may still be unread.
        if isinstance(message, wire.Launched):
            piece = template.pieces.get(message.key)
            if piece is not None and not piece.pid:
                piece.pid = message.pid
        elif isinstance(message, wire.Exited):
            piece = template.pieces.get(message.key)
            if piece is not None:
                self._loop.call_soon(partial(self._on_exited, piece, message.status))
        elif isinstance(message, wire.RunnerGone) and template.pool is not None:
            runner = template.pool.lost(message.id)
            if runner is not None:
                self._loop.call_soon(partial(self._on_runner_gone, runner, message.status))

    def _on_template_hung_up(self, stream: Stream) -> None:
        if isinstance(stream.owner, WarmTemplate):
            self._templates.retire(stream.owner)  # the base will say what became of it

    # --------------------------------------------------------------------------------------------------- ends

    def _on_exited(self, piece: Piece, status: int) -> None:
        self._hear_out(piece)
        self._end_or_relaunch(piece, _unreported(status))

    def _on_runner_gone(self, runner: Runner, status: int) -> None:
        if runner.stream is not None:
            runner.stream.drain()
            runner.stream.close()
        piece = runner.current
        if piece is not None:
            self._end_or_relaunch(piece, _unreported(status))

    def _on_lost_with_template(self, piece: Piece, how: str) -> None:
        self._hear_out(piece)
        self._end_or_relaunch(piece, how)

    def _end_or_relaunch(self, piece: Piece, how: str) -> None:
        if piece.can_be_relaunched:
            self._relaunch(piece)
        else:
            self._holdings.end(piece, how)

    def _when_dead(self, piece: Piece, call: Callable[[], None]) -> None:
        """Call when the process of a piece, which is not our child, is gone; it is dying already."""
        try:
            fd = os.pidfd_open(piece.pid) if piece.pid else -1
        except ProcessLookupError:
            fd = -1
        if fd < 0:
            self._loop.call_soon(call)
            return

        def dead() -> None:
            self._loop.unwatch(fd)
            os.close(fd)
            call()

        linux.kill_group(piece.pid, signal.SIGKILL)
        self._loop.watch(fd, dead)

    def _hear_out(self, piece: Piece) -> None:
        """Read what the process of a piece said before it ended."""
        if piece.stream is None:
            self._hear_strangers()
        if piece.stream is not None:
            piece.stream.drain()

    def _hear_strangers(self) -> None:
        self._listener.accept()
        for stream in list(self._strangers):
            stream.drain()


def _decoded(stream: Stream, payload: bytes) -> object:
    try:
        return _decode(payload)
    except msgspec.DecodeError as error:
        log.warning("a process of user code sent a message that is none: %s", error)
        stream.close()
        return None


def _unreported(status: int) -> str:
    how = linux.describe_status(status)
    return how if os.WIFSIGNALED(status) else f"{how} before it reported"


def _ignore(stream: Stream) -> None:
    """The end of a task's connection says nothing; its parent reports how the process ended."""
