"""The worker: takes workloads from the scheduler, has them forked, and answers for each of them until it is settled.

It imports neither SDK nor store and runs no user code.
"""

from __future__ import annotations

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

from gnomon.service import clock, home, task_logs
from gnomon.service.config import conf
from gnomon.wire import execution as wire
from gnomon.worker import linux, logs
from gnomon.worker.eventloop import EventLoop, Stream
from gnomon.worker.holdings import Holdings
from gnomon.worker.link import SocketLink
from gnomon.worker.pieces import Piece, decode_run_name, key_of
from gnomon.worker.pool import RunnerPool
from gnomon.worker.reception import Reception
from gnomon.worker.warm import WarmTemplate, WarmTemplates

log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 5.0
_LOCK_NOTICE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 5.0
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class WorkerError(Exception):
    """The worker cannot go on; the message says why."""


class Worker:
    """One worker process.

    SIGTERM and Drain let running tasks end; SIGINT, or a second SIGTERM, ends them too.

    Args:
        socket_path: the scheduler's socket; `runtime_dir()/scheduler.sock` unless given.
        name: what the scheduler knows it by; only one worker at a time can have it.
        slots: how many pieces it takes at once; `[core] parallelism` unless given.
        queues: the queues it serves; every queue unless given, as Airflow's LocalExecutor does.
        usercode: the module that does what `gnomon.worker.usercode` does.

    Raises:
        WorkerError: the name cannot be one.
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
        self._queues = queues or []
        self._usercode = usercode
        self._incarnation = uuid4().hex
        self._log_folder = task_logs.base_folder()
        self._path = str(self._runtime / f"worker-{name}.sock")
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
        self._put_together(lock)
        self._templates.start_base()
        self._link.connect()
        self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        self._loop.run()
        self._link.close()
        self._reception.close()
        self._templates.close()
        Path(self._path).unlink(missing_ok=True)
        os.close(lock)
        if self._failure is not None:
            raise WorkerError(self._failure)

    def _put_together(self, lock: int) -> None:
        self._loop = EventLoop()
        self._holdings = Holdings(self._loop, self._leave_if_done)
        self._templates = WarmTemplates(
            self._loop,
            worker_socket=self._path,
            lock=lock,
            usercode=self._usercode,
            on_gone=self._on_template_gone,
            on_futile=self._give_up,
        )
        self._reception = Reception(
            self._loop,
            self._path,
            holdings=self._holdings,
            templates=self._templates,
            on_template=self._on_template_ready,
            relaunch=self._relaunch,
        )
        self._link = self._holdings.link = SocketLink(
            self._loop,
            self._scheduler,
            hello=self._hello,
            on_up=self._holdings.say_again,
            on_message=self._on_message,
            on_refused=lambda reason: self._give_up(f"the scheduler refuses this worker: {reason}"),
        )
        self._loop.on_signal(signal.SIGTERM, self._on_sigterm)
        self._loop.on_signal(signal.SIGINT, self._leave_now)

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
            held=self._holdings.keys(),
        )

    def _on_message(self, message: object) -> None:
        if isinstance(message, wire.Workload | wire.CallbackWorkload):
            self._accept(message)
        elif isinstance(message, wire.Proceed):
            self._on_proceed(message)
        elif isinstance(message, wire.Settled):
            for key in message.keys:
                self._holdings.settle(key)
        elif isinstance(message, wire.Answer):
            self._holdings.answer(message)
        elif isinstance(message, wire.Terminate):
            if (piece := self._holdings.get(message.key)) is not None:
                self._holdings.terminate(piece, message.reason)
        elif isinstance(message, wire.Drain):
            self._drain()

    def _accept(self, workload: wire.Workload | wire.CallbackWorkload) -> None:
        key = key_of(workload)
        if self._draining or key in self._holdings:
            return
        piece = Piece(key, workload, self._log_path(workload), clock.now_us())
        self._holdings.add(piece)
        self._launch(piece)
        # By who does not fork, since a task would pay forty pages for the folders; when all that has gone out.
        self._loop.call_later(0.0, partial(logs.make_file, piece.log_path))

    def _on_proceed(self, proceed: wire.Proceed) -> None:
        piece = self._holdings.get(proceed.key)
        if piece is None or piece.go is not None or piece.outcome is not None:
            return
        payload = wire.encode(proceed)
        if proceed.ok:
            piece.go = payload
        else:
            self._holdings.refuse(piece)
        if piece.stream is not None:
            piece.stream.send(payload)

    # ------------------------------------------------------------------------------------------------- launching

    def _log_path(self, workload: wire.Workload | wire.CallbackWorkload) -> str:
        run = decode_run_name(workload.run)
        if isinstance(workload, wire.CallbackWorkload) and not workload.kind.startswith("task_"):
            return task_logs.callback_log_path(run.dag_id, run.run_id, workload.kind, folder=self._log_folder)
        return task_logs.try_log_path(
            run.dag_id,
            run.run_id,
            workload.task_id or "",
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
        workload = piece.workload
        if isinstance(workload, wire.Workload) and workload.isolation == "reuse":
            if template.pool is None:
                template.pool = RunnerPool(self._loop, template, self._slots)
            template.pool.submit(piece)
        else:
            piece.launched = True
            template.send(wire.encode(wire.Launch(workload=workload, log_path=piece.log_path)))

    def _relaunch(self, piece: Piece) -> None:
        """Have another process made for a piece whose user code has certainly not begun."""
        piece.leave_template()
        if piece.stream is not None and piece.runner is None:
            piece.stream.close()
        piece.relaunched = True
        piece.stream, piece.runner, piece.pid, piece.launched = None, None, 0, False
        self._launch(piece)

    # ------------------------------------------------------------------------------------------------- templates

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

    def _on_template_gone(self, template: WarmTemplate, status: int, with_base: bool) -> None:
        if template.waiting and not with_base:
            self._fail_waiting(template, _why_not_imported(template, status))
        if template.pieces:
            log.warning("the template process of %s %s", template.file.relative_path, linux.what_happened(status))
            self._reception.lose(template, status)

    def _fail_waiting(self, template: WarmTemplate, error: str) -> None:
        waiting, template.waiting = template.waiting, []
        what = f"{template.file.relative_path} cannot be imported"
        last = error.strip().rpartition("\n")[2]
        for piece in waiting:
            self._holdings.conclude(piece, f"{what}: {last}", f"{what}\n{error}")

    # -------------------------------------------------------------------------------------------------- service

    def _beat(self) -> None:
        self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        self._link.send(wire.encode(wire.Heartbeat(held=self._holdings.keys())))

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
        for piece in self._holdings:
            self._holdings.terminate(piece, "the worker was stopped")
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        if not self._draining:
            return
        if not len(self._holdings):
            self._loop.stop()
        elif not self._last_words and all(piece.ended for piece in self._holdings):
            # Nothing runs any more; only the scheduler has not acknowledged the last results. It may be gone for good.
            self._last_words = True
            self._loop.call_later(_LAST_WORDS_SECONDS, self._leave_unheard)

    def _leave_unheard(self) -> None:
        log.warning("%d results were not acknowledged by any scheduler", len(self._holdings))
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


def _why_not_imported(template: WarmTemplate, status: int) -> str:
    if template.import_took_too_long:
        limit = conf.getfloat("core", "dagbag_import_timeout", fallback=30.0)
        return f"the import took more than {limit:g} s ([core] dagbag_import_timeout)"
    return f"the process that imports it {linux.what_happened(status)}"
