"""The worker's side of base and templates: which DAG files are warm, and the process they are forked from."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from gnomon.service import clock, environment
from gnomon.service.config import conf
from gnomon.wire import execution as wire
from gnomon.worker import linux
from gnomon.worker.allocator import ENVIRONMENT
from gnomon.worker.eventloop import EventLoop, Stream, Timer
from gnomon.worker.pieces import Piece
from gnomon.worker.pool import RunnerPool

log = logging.getLogger(__name__)

#: A base that ends this often in a row before any template was ready will not get better.
_FUTILE_STARTS = 5
_SWEEP_SECONDS = 5.0


class WarmTemplate:
    """A template process as the worker sees it."""

    def __init__(self, number: int, file: wire.FileRef) -> None:
        self.id = number
        self.file = file
        self.pid = 0
        self.stream: Stream | None = None
        self.ready = False
        #: no launch goes to it any more
        self.gone = False
        #: in the order of arrival; before it is ready, what waits for it
        self.waiting: list[Piece] = []
        self.pieces: dict[wire.TryKey, Piece] = {}
        self.pool: RunnerPool | None = None
        self.last_used = clock.monotonic()
        self.import_timer: Timer | None = None
        self.import_took_too_long = False

    @property
    def idle(self) -> bool:
        """Whether nothing runs in it and nothing waits for it."""
        return not self.pieces and not self.waiting

    def send(self, payload: bytes) -> None:
        """Send a message to the process."""
        assert self.stream is not None
        self.stream.send(payload)


class WarmTemplates:
    """Opens a template per content of a DAG file, and closes those that are not used.

    Args:
        on_gone: called with a template whose process is gone, the status it ended with, and whether that was because
            the base was lost.
        on_futile: called with a reason when no base can be started.
    """

    def __init__(
        self,
        loop: EventLoop,
        *,
        worker_socket: str,
        lock: int,
        usercode: str,
        on_gone: Callable[[WarmTemplate, int, bool], None],
        on_futile: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._worker_socket = worker_socket
        self._lock = lock
        self._usercode = usercode
        self._on_gone = on_gone
        self._on_futile = on_futile
        self._decode = wire.decoder(wire.FromBase).decode
        self._base: Stream | None = None
        self._base_pid = 0
        self._starts = 0
        self._number = 0
        self._by_file: dict[wire.FileRef, WarmTemplate] = {}
        self._by_id: dict[int, WarmTemplate] = {}
        self._idle_seconds = conf.getfloat("workers", "template_idle_seconds", fallback=300.0)
        self._most = conf.getint("workers", "warm_templates", fallback=16)
        self._import_seconds = conf.getfloat("core", "dagbag_import_timeout", fallback=30.0)
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def __iter__(self) -> Iterator[WarmTemplate]:
        return iter(list(self._by_id.values()))

    def get(self, file: wire.FileRef) -> WarmTemplate:
        """Return the template of a file, opened now if it is not warm."""
        template = self._by_file.get(file)
        if template is None:
            template = self._open(file)
        template.last_used = clock.monotonic()
        return template

    def by_id(self, number: int) -> WarmTemplate | None:
        """Return the template with this number, if it is not gone."""
        return self._by_id.get(number)

    def mark_ready(self, template: WarmTemplate, stream: Stream) -> None:
        """Take note that a template has imported its file and is connected."""
        template.stream = stream
        template.ready = True
        self._starts = 0
        self._import_is_over(template)

    def retire(self, template: WarmTemplate) -> None:
        """Give no more launches to a template; its process may live on with what it has."""
        template.gone = True
        if self._by_file.get(template.file) is template:
            del self._by_file[template.file]

    def start_base(self) -> None:
        """Start the base process, so that the first template is there sooner."""
        ours, its = socket.socketpair()
        os.set_inheritable(its.fileno(), True)
        os.set_inheritable(self._lock, True)
        command = [sys.executable, "-P", "-m", "gnomon.worker"]
        command += [str(its.fileno()), str(self._lock), self._worker_socket, self._usercode]
        self._base_pid = os.posix_spawn(
            sys.executable,
            command,
            base_environment(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
        )
        os.set_inheritable(self._lock, False)
        its.close()
        self._starts += 1
        self._base = Stream(self._loop, ours, self._on_base_frame, self._on_base_gone)

    def close(self) -> None:
        """Hang up on base and templates, which end then, and wait until the base is gone."""
        for template in self:
            if template.stream is not None:
                template.stream.close()
        if self._base is not None:
            self._base.close()
            self._base = None
            os.waitpid(self._base_pid, 0)

    # ------------------------------------------------------------------------------------------------------

    def _open(self, file: wire.FileRef) -> WarmTemplate:
        if self._base is None:
            self.start_base()
        assert self._base is not None
        self._number += 1
        template = WarmTemplate(self._number, file)
        self._by_file[file] = self._by_id[template.id] = template
        self._base.send(wire.encode(wire.OpenTemplate(id=template.id, file=file)))
        return template

    def _give_up_import(self, template: WarmTemplate) -> None:
        template.import_took_too_long = True
        linux.kill_group(template.pid, signal.SIGKILL)

    def _import_is_over(self, template: WarmTemplate) -> None:
        if template.import_timer is not None:
            template.import_timer.cancel()
            template.import_timer = None

    def _on_base_frame(self, stream: Stream, payload: bytes) -> None:
        message = self._decode(payload)
        template = self._by_id.get(message.id)
        if template is None:
            return
        if type(message) is wire.TemplateForked:
            template.pid = message.pid
            if not template.ready:
                give_up = partial(self._give_up_import, template)
                template.import_timer = self._loop.call_later(self._import_seconds, give_up)
        else:
            self._forget(template, message.status, with_base=False)

    def _on_base_gone(self, stream: Stream) -> None:
        _, status = os.waitpid(self._base_pid, 0)
        self._base = None
        log.error("the base process was lost: it %s", linux.what_happened(status))
        lost = list(self)
        if self._starts >= _FUTILE_STARTS:
            self._on_futile(f"the base process ended {self._starts} times before a DAG file was imported")
            return
        for template in lost:
            self._forget(template, status if os.WIFSIGNALED(status) else int(signal.SIGKILL), with_base=True)

    def _forget(self, template: WarmTemplate, status: int, *, with_base: bool) -> None:
        self.retire(template)
        self._by_id.pop(template.id, None)
        self._import_is_over(template)
        if template.stream is not None:
            template.stream.drain()
        self._on_gone(template, status, with_base)

    def _sweep(self) -> None:
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)
        now = clock.monotonic()
        idle = sorted((t for t in self if t.ready and not t.gone and t.idle), key=lambda t: t.last_used)
        newest = {(t.file.bundle, t.file.path): t.id for t in self if t.ready and not t.gone}
        excess = len(self._by_file) - self._most
        for template in idle:
            outdated = newest[template.file.bundle, template.file.path] != template.id
            if outdated or excess > 0 or now - template.last_used > self._idle_seconds:
                self._close(template)
                excess -= 1
            elif template.pool is not None:
                template.pool.trim(now)

    def _close(self, template: WarmTemplate) -> None:
        self.retire(template)
        if template.stream is not None:
            template.stream.close()  # it ends when its connection does; the base will say so


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the base: without the secrets of the control side, and with its allocator."""
    return {**ENVIRONMENT, **environment.for_user_code(environ)}
