"""The base: a process with the SDK imported, from which the template of each DAG file is forked.

    python -m gnomon.worker <socket to the worker> <lock> <path of the worker's socket> <module of user code>

It is exec'ed with a scrubbed environment, not forked from the worker, so that nothing of the control side is in its
memory. Single-threaded for its whole life.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import signal
import socket
import sys
import time
from typing import cast

from gnomon.service import clock
from gnomon.wire import execution as wire
from gnomon.worker import allocator, at_fork, linux, logs, process, rehearsal, template
from gnomon.worker.eventloop import EventLoop, Stream

_decode = wire.decoder(wire.ToBase).decode
#: How long templates may take to end their tasks by themselves when the worker is gone.
_FAREWELL_SECONDS = 2.0


class Base:
    """Forks templates and says when one is gone."""

    def __init__(self, sock: socket.socket, worker_socket: str, usercode: process.UserCode) -> None:
        self._loop = EventLoop()
        self._worker_socket = worker_socket
        self._usercode = usercode
        self._pid = os.getpid()
        self._templates: dict[int, int] = {}
        self._stream = Stream(self._loop, sock, self._on_frame, self._on_worker_gone)
        self._loop.on_signal(signal.SIGCHLD, self._reap)

    def serve(self) -> None:
        """Fork and reap until the worker is gone; then see to it that nothing is left."""
        self._loop.run()
        self._end_all()

    def _on_frame(self, stream: Stream, payload: bytes) -> None:
        opened: wire.OpenTemplate = _decode(payload)
        pid = at_fork.fork()
        if pid == 0:
            self._become_template(opened)
        self._templates[pid] = opened.id
        self._stream.send(wire.encode(wire.TemplateForked(id=opened.id, pid=pid)))

    def _become_template(self, opened: wire.OpenTemplate) -> None:
        status = 1
        try:
            linux.die_with_parent(self._pid)
            self._loop.abandon()
            self._stream.abandon()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            linux.adopt_orphans()
            template.main(opened, self._worker_socket, self._usercode)
            status = 0
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self._templates.pop(pid, None)
            if number is not None:
                self._stream.send(wire.encode(wire.TemplateGone(id=number, status=status)))
            elif os.WIFSIGNALED(status):
                # A task that was killed with its template. What it had started must not go on while it is tried again;
                # whatever comes up to here by that is killed in its turn.
                self._kill_others()

    def _on_worker_gone(self, stream: Stream) -> None:
        self._loop.stop()

    def _kill_others(self) -> None:
        """Kill what descends from tasks; templates are left alone."""
        for pid in linux.children():
            if pid not in self._templates:
                linux.kill_group(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        """Let templates end their tasks, then kill what is left of all that this worker has started."""
        deadline = clock.monotonic() + _FAREWELL_SECONDS
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid:
                self._templates.pop(pid, None)
                continue
            if clock.monotonic() > deadline:
                self._templates.clear()
            if not self._templates:
                self._kill_others()
            time.sleep(0.002)


def main() -> None:
    """Start as described above."""
    sock_fd, lock_fd, worker_socket, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    # Closed by exec and not by fork: all processes of this worker hold its name, and nothing that they start does.
    os.set_inheritable(sock_fd, False)
    os.set_inheritable(lock_fd, False)
    for name, value in allocator.ENVIRONMENT.items():
        if os.environ.get(name) == value:
            del os.environ[name]  # for this process and its forks, not for what user code starts
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    faulthandler.enable(2)
    linux.adopt_orphans()
    usercode = cast(process.UserCode, importlib.import_module(module))
    usercode.preload()
    logs.install()
    rehearsal.rehearse(usercode, rehearsal.ROUNDS)
    gc.collect()
    gc.freeze()
    allocator.fill_holes()
    Base(socket.socket(fileno=sock_fd), worker_socket, usercode).serve()
