"""A warm template: a process that has imported one DAG file and forks a process per try from it.

Single-threaded for its whole life, because a fork copies only the calling thread. It keeps no state that matters: when
it is killed its tasks are too (by the kernel), and the worker knows which.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

from gnomon.sdk.runtime.channel import ChannelClosedError, SocketChannel, set_channel
from gnomon.service import clock
from gnomon.service.masking import masker
from gnomon.wire import execution as wire
from gnomon.wire import framing
from gnomon.worker import allocator, at_fork, linux, logs, process, rehearsal, reuse
from gnomon.worker.eventloop import EventLoop, Stream
from gnomon.worker.importing import ImportChannel
from gnomon.worker.pieces import key_of
from gnomon.worker.reuse import CurrentLog

_decode = wire.decoder(wire.ToTemplate).decode
_READ_SIZE = 1 << 16
#: How much of a pipe is read at most when its process has ended; others may go on writing to it.
_LAST_READS = 4
#: A process is kept ready for the next try for so long after the last one.
_SPARE_SECONDS = 10.0
#: With more processes than these the cores are busy: a spare would take from them more than it saves the next try.
_FEW = 2 * (os.cpu_count() or 1)
_LENGTH_BYTES = 4


class Child:
    """A forked process, and the pipe with its raw output."""

    __slots__ = ("current_log", "fd", "gone", "output", "pid")

    def __init__(self, pid: int, fd: int, log_path: str, current_log: CurrentLog | None = None) -> None:
        self.pid = pid
        self.fd = fd
        self.output = logs.RawOutput(log_path)
        #: where a runner says which log it is at; None for the process of one try
        self.current_log = current_log
        #: makes the message that it is gone, from the status
        self.gone: Callable[[int], wire.Exited | wire.RunnerGone] | None = None


class Spare(NamedTuple):
    """A process that waits for its launch at the other end of a pipe."""

    child: Child
    write_end: int


class Template:
    """Serves Launch messages of the worker by forking."""

    def __init__(
        self, sock: socket.socket, worker_socket: str, dags: dict[str, Any], usercode: process.UserCode
    ) -> None:
        self._loop = EventLoop()
        self._worker_socket = worker_socket
        self._dags = dags
        self._usercode = usercode
        self._pid = os.getpid()
        self._children: dict[int, Child] = {}
        self._stream = Stream(self._loop, sock, self._on_frame, self._on_worker_gone)
        # All tasks share one way to say what is secret. It is read before any raw output, so a secret that was learnt
        # before something was printed is known by then.
        self._secrets, self._learnt = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._secrets.setblocking(False)
        self._loop.watch(self._secrets.fileno(), self._learn)
        self._loop.on_signal(signal.SIGCHLD, self._reap)
        self._own_fds = (*self._loop.own_fds(), sock.fileno(), self._secrets.fileno())
        self._spare: Spare | None = None
        self._spare_is_due = False
        self._last_launch = 0.0

    def serve(self) -> None:
        """Fork and reap until the worker is gone."""
        self._loop.run()

    def _on_frame(self, stream: Stream, payload: bytes) -> None:
        message = _decode(payload)
        if type(message) is wire.Launch:
            self._launch(message, payload)
        elif type(message) is wire.OpenRunner:
            self._open_runner(message.id)
        elif type(message) is wire.MaskSecret:
            masker.add(message.value)

    def _launch(self, launch: wire.Launch, payload: bytes) -> None:
        key = key_of(launch.workload)
        child = self._hand_to_spare(launch, payload)
        if child is None:
            child = self._fork(partial(self._run_task, launch), launch.log_path)
        child.gone = partial(_exited, key)
        self._stream.send(wire.encode(wire.Launched(key=key, pid=child.pid)))
        self._last_launch = clock.monotonic()
        self._want_spare()

    def _open_runner(self, number: int) -> None:
        current_log = CurrentLog()
        serve = partial(reuse.serve, number, self._worker_socket, self._dags, self._usercode, current_log)
        child = self._fork(serve, "", current_log)
        child.gone = partial(_runner_gone, number)

    def _fork(self, run: Callable[[], None], log_path: str, current_log: CurrentLog | None = None) -> Child:
        read_end, write_end = os.pipe()
        gc.freeze()
        pid = at_fork.fork()
        if pid == 0:
            self._become(run, write_end)
        os.close(write_end)
        os.set_blocking(read_end, False)
        child = Child(pid, read_end, log_path, current_log)
        self._children[pid] = child
        self._loop.watch(read_end, partial(self._read_output, child))
        return child

    def _become(self, run: Callable[[], None], write_end: int) -> NoReturn:
        status = 1
        try:
            process.begin(self._pid, write_end, self._learnt, self._own_fds)
            run()
            status = 0
        except ChannelClosedError:
            pass  # the worker does not want this piece any more
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        finally:
            os._exit(status)  # what was forked along (exit handlers, threads) belongs to the template

    def _run_task(self, launch: wire.Launch, channel: SocketChannel | None = None) -> None:
        channel = channel or SocketChannel.connect(self._worker_socket)
        channel.hello(key_of(launch.workload), os.getpid())
        process.run(launch, self._dags, self._usercode, channel)

    # -------------------------------------------------------------------------------------------------- spare

    def _want_spare(self) -> None:
        is_wanted = clock.monotonic() < self._last_launch + _SPARE_SECONDS and len(self._children) <= _FEW
        if is_wanted and self._spare is None and not self._spare_is_due:
            self._spare_is_due = True
            self._loop.call_soon(self._prepare_spare)

    def _prepare_spare(self) -> None:
        """Fork the process of the next try now, so that the try need not wait for it."""
        self._spare_is_due = False
        read_end, write_end = os.pipe()
        child = self._fork(partial(self._run_spare, read_end), "")
        os.close(read_end)
        self._spare = Spare(child, write_end)
        self._loop.call_later(_SPARE_SECONDS, partial(self._expire_spare, self._spare))

    def _run_spare(self, read_end: int) -> None:
        rehearsal.rehearse(self._usercode)
        channel = SocketChannel.connect(self._worker_socket)
        with open(read_end, "rb") as pipe:
            payload = pipe.read(int.from_bytes(pipe.read(_LENGTH_BYTES)))
        self._run_task(_decode(payload), channel)

    def _hand_to_spare(self, launch: wire.Launch, payload: bytes) -> Child | None:
        """Give a launch to the spare process, if there is one."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        with open(spare.write_end, "wb", buffering=0) as pipe:
            try:
                pipe.write(len(payload).to_bytes(_LENGTH_BYTES) + payload)
            except BrokenPipeError:
                return None
        spare.child.output.redirect(launch.log_path)
        return spare.child

    def _expire_spare(self, spare: Spare) -> None:
        if self._spare is not spare:
            return
        rest = self._last_launch + _SPARE_SECONDS - clock.monotonic()
        if rest > 0:
            self._loop.call_later(rest, partial(self._expire_spare, spare))
            return
        self._spare = None
        os.close(spare.write_end)
        linux.kill_group(spare.child.pid, signal.SIGKILL)

    # ------------------------------------------------------------------------------------ what tasks leave behind

    def _read_output(self, child: Child) -> bool:
        """Take one piece of raw output; returns whether there may be more."""
        self._learn()
        try:
            data = os.read(child.fd, _READ_SIZE)
        except BlockingIOError:
            return False
        if data:
            if child.current_log is not None:
                child.output.redirect(child.current_log.get())
            child.output.feed(data)
            return True
        self._end_output(child)
        return False

    def _end_output(self, child: Child) -> None:
        self._loop.unwatch(child.fd)
        os.close(child.fd)
        child.fd = -1
        child.output.end()

    def _learn(self) -> None:
        while True:
            try:
                secret = self._secrets.recv(1 << 18)
            except BlockingIOError:
                return
            masker.add(secret.decode("utf-8", "surrogatepass"))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue  # an orphan of a task
            if self._spare is not None and self._spare.child is child:
                os.close(self._spare.write_end)
                self._spare = None
            # The rest of its output belongs into the log before anybody reads there that it is over.
            for _ in range(_LAST_READS):
                if child.fd < 0 or not self._read_output(child):
                    break
            if child.gone is not None:
                self._stream.send(wire.encode(child.gone(status)))
                self._want_spare()

    def _on_worker_gone(self, stream: Stream) -> None:
        for pid in self._children:
            linux.kill_group(pid, signal.SIGKILL)
        self._loop.stop()


def _exited(key: wire.TryKey, status: int) -> wire.Exited:
    return wire.Exited(key=key, status=status)


def _runner_gone(number: int, status: int) -> wire.RunnerGone:
    return wire.RunnerGone(id=number, status=status)


def main(opened: wire.OpenTemplate, worker_socket: str, usercode: process.UserCode) -> None:
    """Be the template of a DAG file, in a process that the base has just forked."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(worker_socket)
    asks = ImportChannel(opened.id, worker_socket)
    set_channel(asks)
    loaded = usercode.load_file(opened.file)
    set_channel(None)
    asks.close()
    ready = wire.TemplateReady(id=opened.id, pid=os.getpid(), dag_ids=sorted(loaded.dags), error=loaded.error)
    if loaded.error is None:
        # What exists now lives as long as the process: a collection in a task must not touch, and so copy, it.
        rehearsal.rehearse(usercode)
        gc.collect()
        gc.disable()
        gc.freeze()
        allocator.fill_holes()
    sock.sendall(framing.pack(wire.encode(ready)))
    if loaded.error is None:
        Template(sock, worker_socket, loaded.dags, usercode).serve()
