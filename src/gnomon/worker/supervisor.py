"""The worker: takes workloads from the scheduler, has them forked, and answers for each of them until it is settled.

It imports neither SDK nor store and runs no user code. A process that ends without having reported is reported on here;
a result is kept until the scheduler has acknowledged it, however often that one restarts.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import signal
import socket
import time
from functools import partial
from pathlib import Path
from uuid import uuid4

import msgspec

from gnomon.service import clock, home, task_logs
from gnomon.service.config import conf
from gnomon.wire import execution as wire
from gnomon.worker import linux, logs
from gnomon.worker.eventloop import EventLoop, Listener, Stream
from gnomon.worker.link import SocketLink
from gnomon.worker.pieces import Piece, decode_run_name, key_of
from gnomon.worker.pool import Runner, RunnerPool
from gnomon.worker.warm import WarmTemplate, WarmTemplates

log = logging.getLogger(__name__)

_decode = wire.decoder(wire.FromTask | wire.FromTemplate).decode
_HEARTBEAT_SECONDS = 5.0
_LOCK_NOTICE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 5.0
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class WorkerError(Exception):
    """The worker cannot go on; the message says why."""


class Worker:
    """One worker process.

    Args:
        socket_path: the scheduler's socket; `runtime_dir()/scheduler.sock` unless given.
        name: what the scheduler knows it by; only one worker at a time can have it.
        slots: how many pieces it takes at once; `[core] parallelism` unless given.
        queues: the queues it serves.
        usercode: the module that does what `gnomon.worker.usercode` does.
    """

    def __init__(
        self,
        socket_path: str | os.PathLike[str] | None = None,
        name: str = "default",
        slots: int | None = None,
        queues: list[str] | None = None,
        usercode: str = "gnomon.worker.usercode",
    ) -> None:
        if not _NAME.fullmatch(name):
            raise WorkerError(f"a worker's name has 1 to 32 letters, digits, dots, dashes or underscores; not {name!r}")
        self._runtime = home.runtime_dir()
        self._scheduler = str(socket_path or self._runtime / "scheduler.sock")
        self._name = name
        self._slots = slots or conf.getint("core", "parallelism", fallback=32)
        self._queues = queues or ["default"]
        self._usercode = usercode
        self._incarnation = uuid4().hex
        self._patience = conf.getfloat("core", "killed_task_cleanup_time", fallback=60.0)
        self._overtime = conf.getfloat("core", "task_success_overtime", fallback=20.0)
        self._log_folder = task_logs.base_folder()
        self._path = str(self._runtime / f"worker-{name}.sock")
        self._pieces: dict[wire.TryKey, Piece] = {}
        self._asked: dict[int, tuple[Stream, Piece, wire.Request]] = {}
        self._asks = 0
        self._strangers: set[Stream] = set()
        self._draining = False
        self._last_words = False
        self._failure: str | None = None

    def run(self) -> None:
        """Serve until told to leave.

        Raises:
            WorkerError: the scheduler refuses this worker, or no process can be made for user code.
        """
        lock = take_name(self._runtime, self._name)
        Path(self._path).unlink(missing_ok=True)
        self._loop = EventLoop()
        self._listener = Listener(self._loop, self._path, self._on_connect)
        self._templates = WarmTemplates(
            self._loop,
            worker_socket=self._path,
            lock=lock,
            usercode=self._usercode,
            on_gone=self._on_template_gone,
            on_futile=self._give_up,
        )
        self._link = SocketLink(
            self._loop,
            self._scheduler,
            hello=self._hello,
            on_up=self._on_up,
            on_message=self._on_message,
            on_refused=lambda reason: self._give_up(f"the scheduler refuses this worker: {reason}"),
        )
        self._loop.on_signal(signal.SIGTERM, self._on_sigterm)
        self._loop.on_signal(signal.SIGINT, self._leave_now)
        self._templates.start_base()
        self._link.connect()
        self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        self._loop.run()
        self._link.close()
        self._listener.close()
        self._templates.close()
        Path(self._path).unlink(missing_ok=True)
        os.close(lock)
        if self._failure is not None:
            raise WorkerError(self._failure)

    # ------------------------------------------------------------------------------------- control side → worker

    def _hello(self) -> wire.WorkerHello:
        return wire.WorkerHello(
            protocol=wire.PROTOCOL,
            name=self._name,
            incarnation=self._incarnation,
            pid=os.getpid(),
            hostname=socket.gethostname(),
            slots=self._slots,
            queues=self._queues,
            held=self._held(),
        )

    def _held(self) -> list[wire.TryKey]:
        return [p.key for p in self._pieces.values() if not (p.settled or p.refused or p.is_callback)]

    def _on_up(self) -> None:
        """Say again whatever the last scheduler may not have heard, or not have acknowledged."""
        for piece in self._pieces.values():
            if piece.outcome is not None and not piece.settled:
                self._send_outcome(piece)
            elif piece.go is None and not (piece.refused or piece.is_callback):
                self._link.send(wire.encode(wire.TryStarting(key=piece.key, start_date=piece.start_date)))
        for number, (_, piece, body) in self._asked.items():
            self._link.send(wire.encode(wire.Forward(n=number, key=piece.key, body=body)))

    def _on_message(self, message: object) -> None:
        kind = type(message)
        if kind is wire.Workload or kind is wire.CallbackWorkload:
            self._accept(message)  # type: ignore[arg-type]
        elif kind is wire.Proceed:
            self._on_proceed(message)  # type: ignore[arg-type]
        elif kind is wire.Settled:
            for key in message.keys:  # type: ignore[attr-defined]
                self._on_settled(key)
        elif kind is wire.Answer:
            self._on_answer(message)  # type: ignore[arg-type]
        elif kind is wire.Terminate:
            if (piece := self._pieces.get(message.key)) is not None:  # type: ignore[attr-defined]
                self._terminate(piece, message.reason)  # type: ignore[attr-defined]
        elif kind is wire.Drain:
            self._drain()

    def _accept(self, workload: wire.Workload | wire.CallbackWorkload) -> None:
        key = key_of(workload)
        if self._draining or key in self._pieces:
            return
        piece = Piece(key, workload, self._log_path(workload), clock.now_us())
        self._pieces[key] = piece
        if not piece.is_callback:
            self._link.send(wire.encode(wire.TryStarting(key=key, start_date=piece.start_date)))
        self._launch(piece)

    def _on_proceed(self, proceed: wire.Proceed) -> None:
        piece = self._pieces.get(proceed.key)
        if piece is None or piece.go is not None or piece.outcome is not None:
            return
        payload = wire.encode(proceed)
        if proceed.ok:
            piece.go = payload
        else:
            piece.refused = True
            if not piece.launched and self._take_back(piece):
                self._forget(piece)
                return
        if piece.stream is not None:
            piece.stream.send(payload)

    def _on_settled(self, key: wire.TryKey) -> None:
        piece = self._pieces.get(key)
        if piece is None or piece.outcome is None:
            return
        piece.settled = True
        if piece.ended:
            self._forget(piece)

    def _on_answer(self, answer: wire.Answer) -> None:
        asked = self._asked.pop(answer.n, None)
        if asked is not None:
            asked[0].send(wire.encode(answer.body))

    # ------------------------------------------------------------------------------------------------- launching

    def _log_path(self, workload: wire.Workload | wire.CallbackWorkload) -> str:
        run = decode_run_name(workload.run)
        if workload.task_id is None:
            assert type(workload) is wire.CallbackWorkload
            return task_logs.callback_log_path(run.dag_id, run.run_id, workload.kind, folder=self._log_folder)
        return task_logs.try_log_path(
            run.dag_id,
            run.run_id,
            workload.task_id,
            workload.map_index,
            workload.try_number,
            folder=self._log_folder,
        )

    def _launch(self, piece: Piece) -> None:
        template = self._templates.get(piece.workload.file)
        piece.template = template
        template.pieces[piece.key] = piece
        if template.ready:
            self._launch_on(template, piece)
        else:
            template.waiting.append(piece)

    def _launch_on(self, template: WarmTemplate, piece: Piece) -> None:
        if getattr(piece.workload, "isolation", "fork") == "reuse":
            if template.pool is None:
                template.pool = RunnerPool(self._loop, template, self._slots)
            template.pool.submit(piece)
        else:
            piece.launched = True
            template.send(wire.encode(wire.Launch(workload=piece.workload, log_path=piece.log_path)))

    def _take_back(self, piece: Piece) -> bool:
        """Withdraw a piece for which no process was made; returns whether that was possible."""
        template = piece.template
        assert template is not None
        if piece in template.waiting:
            template.waiting.remove(piece)
            return True
        return template.pool is not None and template.pool.withdraw(piece)

    def _on_template_ready(self, stream: Stream, ready: wire.TemplateReady) -> None:
        template = self._templates.by_id(ready.id)
        if template is None or template.stream is not None:
            stream.close()
            return
        stream.owner = template
        if ready.error is not None:
            template.stream = stream
            self._templates.retire(template)
            self._fail_waiting(template, ready.error)
            return
        self._templates.mark_ready(template, stream)
        waiting, template.waiting = template.waiting, []
        for piece in waiting:
            self._launch_on(template, piece)

    def _fail_waiting(self, template: WarmTemplate, error: str) -> None:
        waiting, template.waiting = template.waiting, []
        last = error.strip().rpartition("\n")[2]
        for piece in waiting:
            self._write_log(piece, f"{template.file.relative_path} cannot be imported\n{error}")
            self._conclude(piece, f"{template.file.relative_path} cannot be imported: {last}")

    def _on_template_gone(self, template: WarmTemplate, status: int, with_base: bool) -> None:
        if template.waiting and not with_base:
            self._fail_waiting(template, self._why_not_imported(template, status))
        if not template.pieces:
            return
        log.warning("the template process of %s %s", template.file.relative_path, linux.what_happened(status))
        self._hear_strangers()
        for piece in list(template.pieces.values()):
            if not piece.ended:
                self._when_dead(piece, partial(self._on_lost_with_template, piece, status))

    def _why_not_imported(self, template: WarmTemplate, status: int) -> str:
        if template.import_took_too_long:
            limit = conf.getfloat("core", "dagbag_import_timeout", fallback=30.0)
            return f"the import took more than {limit:g} s ([core] dagbag_import_timeout)"
        return f"the process that imports it {linux.what_happened(status)}"

    def _when_dead(self, piece: Piece, call: object) -> None:
        """Call when the process of a piece, of which somebody else is the parent, is gone."""
        assert callable(call)
        try:
            fd = os.pidfd_open(piece.pid) if piece.pid else -1
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.EINVAL):
                raise
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

    def _on_lost_with_template(self, piece: Piece, status: int) -> None:
        if piece.runner is not None and piece.runner.current is not piece:
            piece.runner = None
        self._hear_out(piece)
        if piece.outcome is None and not piece.may_have_begun and not piece.relaunched and not piece.refused:
            piece.relaunched = True
            self._relaunch(piece)
            return
        how = linux.describe_status(status)
        self._end(piece, f"{how}; that happened to the template process it was forked from")

    def _relaunch(self, piece: Piece) -> None:
        """Have another process made for a piece whose user code has certainly not begun."""
        if piece.template is not None:
            piece.template.pieces.pop(piece.key, None)
        if piece.stream is not None and piece.runner is None:
            piece.stream.close()
        piece.stream, piece.runner, piece.pid, piece.launched = None, None, 0, False
        self._launch(piece)

    # ------------------------------------------------------------------------------------------ tasks → worker

    def _on_connect(self, sock: socket.socket) -> None:
        self._strangers.add(Stream(self._loop, sock, self._on_first_frame, self._strangers.discard))

    def _on_first_frame(self, stream: Stream, payload: bytes) -> None:
        self._strangers.discard(stream)
        message = self._decoded(stream, payload)
        kind = type(message)
        if kind is wire.TaskHello:
            self._on_task(stream, message)  # type: ignore[arg-type]
        elif kind is wire.TemplateReady:
            stream.on_frame, stream.on_close = self._on_template_frame, self._on_template_hung_up
            self._on_template_ready(stream, message)  # type: ignore[arg-type]
        elif kind is wire.RunnerReady:
            self._on_runner(stream, message)  # type: ignore[arg-type]
        else:
            stream.close()

    def _decoded(self, stream: Stream, payload: bytes) -> object:
        try:
            return _decode(payload)
        except msgspec.DecodeError as error:
            log.warning("a process of user code sent a message that is none: %s", error)
            stream.close()
            return None

    def _on_task(self, stream: Stream, hello: wire.TaskHello) -> None:
        piece = self._pieces.get(hello.key)
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
            self._signal(piece)

    def _on_task_frame(self, stream: Stream, payload: bytes) -> None:
        piece = stream.owner
        assert isinstance(piece, Piece)
        self._on_report(stream, piece, self._decoded(stream, payload), payload)

    def _on_report(self, stream: Stream, piece: Piece, message: object, payload: bytes) -> None:
        kind = type(message)
        if kind is wire.Ask:
            self._asks += 1
            body = message.body  # type: ignore[attr-defined]
            self._asked[self._asks] = (stream, piece, body)
            self._link.send(wire.encode(wire.Forward(n=self._asks, key=piece.key, body=body)))
        elif kind is wire.Tell:
            self._on_tell(piece, message.body)  # type: ignore[attr-defined]
        elif kind is wire.Outcome and message.key == piece.key or kind is wire.CallbackDone:  # type: ignore[attr-defined]
            self._take_outcome(piece, payload)

    def _on_tell(self, piece: Piece, body: wire.Request) -> None:
        if type(body) is wire.MaskSecret:
            if piece.template is not None and piece.template.stream is not None:
                piece.template.send(wire.encode(body))
            return
        self._asks += 1
        self._link.send(wire.encode(wire.Forward(n=self._asks, key=piece.key, body=body)))

    def _take_outcome(self, piece: Piece, payload: bytes) -> None:
        if piece.outcome is not None:
            return
        piece.outcome = payload
        self._send_outcome(piece)
        if not piece.ended and not piece.is_callback and piece.deadline is None:
            # Success callbacks run after the report, and not for ever.
            piece.deadline = self._loop.call_later(self._overtime, partial(self._kill, piece))

    def _send_outcome(self, piece: Piece) -> None:
        assert piece.outcome is not None
        self._link.send(piece.outcome)
        if piece.is_callback and self._link.up:
            piece.settled = True  # nobody acknowledges it

    # --------------------------------------------------------------------------------- templates and runners → worker

    def _on_template_frame(self, stream: Stream, payload: bytes) -> None:
        template = stream.owner
        assert isinstance(template, WarmTemplate)
        message = self._decoded(stream, payload)
        kind = type(message)
        if kind is wire.Launched:
            piece = template.pieces.get(message.key)  # type: ignore[attr-defined]
            if piece is not None and not piece.pid:
                piece.pid = message.pid  # type: ignore[attr-defined]
        elif kind is wire.Exited:
            piece = template.pieces.get(message.key)  # type: ignore[attr-defined]
            if piece is not None:
                self._loop.call_soon(partial(self._on_exited, piece, message.status))  # type: ignore[attr-defined]
        elif kind is wire.RunnerGone and template.pool is not None:
            runner = template.pool.lost(message.id)  # type: ignore[attr-defined]
            if runner is not None:
                self._loop.call_soon(partial(self._on_runner_gone, runner, message.status))  # type: ignore[attr-defined]

    def _on_template_hung_up(self, stream: Stream) -> None:
        template = stream.owner
        if isinstance(template, WarmTemplate):
            self._templates.retire(template)  # the base will say what became of it

    def _on_exited(self, piece: Piece, status: int) -> None:
        self._hear_out(piece)
        self._end(piece, _unreported(status))

    def _hear_out(self, piece: Piece) -> None:
        """Read what the process of a piece said before it ended."""
        if piece.stream is None:
            self._hear_strangers()
        if piece.stream is not None:
            piece.stream.drain()

    def _hear_strangers(self) -> None:
        """Find out whose the connections are that have not said so yet."""
        self._listener.accept()
        for stream in list(self._strangers):
            stream.drain()

    def _on_runner(self, stream: Stream, ready: wire.RunnerReady) -> None:
        for template in self._templates:
            runner = None if template.pool is None else template.pool.connected(ready.id, ready.pid, stream)
            if runner is not None:
                stream.owner = runner
                stream.on_frame, stream.on_close = self._on_runner_frame, _ignore
                return
        stream.close()

    def _on_runner_frame(self, stream: Stream, payload: bytes) -> None:
        runner = stream.owner
        assert isinstance(runner, Runner)
        piece = runner.current
        message = self._decoded(stream, payload)
        if piece is None:
            return
        if type(message) is wire.Exited:
            piece.stream = piece.runner = None
            pool = piece.template.pool if piece.template is not None else None
            self._end(piece, "ended without a report")
            if pool is not None:
                pool.finished(runner)
        else:
            self._on_report(stream, piece, message, payload)

    def _on_runner_gone(self, runner: Runner, status: int) -> None:
        if runner.stream is not None:
            runner.stream.drain()
            runner.stream.close()
        piece = runner.current
        if piece is None:
            return
        if piece.outcome is None and not piece.may_have_begun and not piece.relaunched and not piece.refused:
            piece.relaunched = True
            self._relaunch(piece)
        else:
            piece.stream = piece.runner = None
            self._end(piece, _unreported(status))

    # --------------------------------------------------------------------------------------------- ends of pieces

    def _end(self, piece: Piece, how: str) -> None:
        """The process of a piece is gone: report on it if it did not do so itself."""
        if piece.ended:
            return
        if piece.outcome is None and not piece.refused:
            if piece.reason is not None:
                how = f"{how}, after it was told to end: {piece.reason}"
            was = "was " if how.startswith("killed") else ""
            self._write_log(piece, f"The process of this try {was}{how}")
            self._conclude(piece, how)
            return
        self._is_over(piece)

    def _write_log(self, piece: Piece, event: str) -> None:
        try:
            logs.append(piece.log_path, event)
        except OSError as error:
            log.error("the log %s cannot be written: %s", piece.log_path, error.strerror)

    def _conclude(self, piece: Piece, error: str) -> None:
        """End a piece with an outcome that its process did not give."""
        if piece.is_callback:
            payload = wire.encode(wire.CallbackDone(id=piece.workload.id))  # type: ignore[union-attr]
        else:
            payload = wire.encode(
                wire.Outcome(
                    key=piece.key,
                    state="failed",
                    start_date=piece.start_date,
                    end_date=clock.now_us(),
                    pid=piece.pid,
                    error=error,
                )
            )
        piece.ended = True
        self._take_outcome(piece, payload)
        self._is_over(piece)

    def _is_over(self, piece: Piece) -> None:
        piece.ended = True
        if piece.deadline is not None:
            piece.deadline.cancel()
            piece.deadline = None
        if piece.stream is not None and piece.runner is None:
            piece.stream.close()
        if piece.template is not None:
            piece.template.pieces.pop(piece.key, None)
            piece.template.last_used = clock.monotonic()
        if piece.settled or piece.refused:
            self._forget(piece)
        else:
            self._leave_if_done()

    def _forget(self, piece: Piece) -> None:
        self._pieces.pop(piece.key, None)
        if piece.template is not None:
            piece.template.pieces.pop(piece.key, None)
        if self._asked and piece.stream is not None:
            self._asked = {n: asked for n, asked in self._asked.items() if asked[1] is not piece}
        self._leave_if_done()

    def _terminate(self, piece: Piece, reason: str) -> None:
        if piece.ended or piece.reason is not None:
            return
        piece.reason = reason
        if not piece.launched and self._take_back(piece):
            self._conclude(piece, f"ended before it started: {reason}")
            return
        if piece.deadline is not None:
            piece.deadline.cancel()
        piece.deadline = self._loop.call_later(self._patience, partial(self._kill, piece))
        if piece.stream is not None:  # before that, SIGTERM might come when the process ignores it still
            self._signal(piece)

    def _signal(self, piece: Piece) -> None:
        if piece.runner is not None:
            piece.runner.retired = True
        linux.kill_group(piece.pid, signal.SIGTERM)

    def _kill(self, piece: Piece) -> None:
        if not piece.ended and piece.pid:
            linux.kill_group(piece.pid, signal.SIGKILL)

    # -------------------------------------------------------------------------------------------------- service

    def _beat(self) -> None:
        self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        self._link.send(wire.encode(wire.Heartbeat(held=self._held())))

    def _on_sigterm(self) -> None:
        if self._draining:
            self._leave_now()
        else:
            self._drain()

    def _drain(self) -> None:
        """Take nothing new, and leave when all is done."""
        self._draining = True
        self._leave_if_done()

    def _leave_now(self) -> None:
        """End the tasks too."""
        self._draining = True
        for piece in list(self._pieces.values()):
            self._terminate(piece, "the worker was stopped")
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        if not self._draining:
            return
        if not self._pieces:
            self._loop.stop()
        elif not self._last_words and all(piece.ended for piece in self._pieces.values()):
            # Nothing runs any more; only the scheduler has not acknowledged the last results. It may be gone for good.
            self._last_words = True
            self._loop.call_later(_LAST_WORDS_SECONDS, self._leave_unheard)

    def _leave_unheard(self) -> None:
        log.warning("%d results were not acknowledged by any scheduler", len(self._pieces))
        self._loop.stop()

    def _give_up(self, reason: str) -> None:
        self._failure = reason
        self._loop.stop()


def take_name(runtime: Path, name: str) -> int:
    """Lock a worker's name; returns the descriptor that holds it.

    Base, templates and tasks inherit it, so the name is free only when all processes of the last holder are gone: what
    the database holds as running on it is dead by then.
    """
    path = runtime / f"worker-{name}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    said = clock.monotonic()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            pass
        if clock.monotonic() - said > _LOCK_NOTICE_SECONDS:
            log.warning("another worker called %s, or a task of it, still runs (%s is locked)", name, path)
            said = clock.monotonic()
        time.sleep(0.02)


def _unreported(status: int) -> str:
    how = linux.describe_status(status)
    return how if os.WIFSIGNALED(status) else f"{how} before it reported"


def _ignore(stream: Stream) -> None:
    """The end of a task's connection says nothing; its parent reports how the process ended."""
