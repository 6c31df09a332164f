"""The local executor: workers connect to a Unix socket of the scheduler and stay connected.

The worker is a process of its own, not a child: scheduler and worker outlive each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import structlog

from gnomon.executors.executor import (
    CallbackEnded,
    OnEvent,
    OnRequest,
    PieceEnded,
    StartAsked,
    WorkerJoined,
    WorkerLeft,
)
from gnomon.wire import execution as x
from gnomon.wire.framing import FrameError, Splitter, pack

log = structlog.get_logger("executor")
_decode = x.decoder(x.FromWorker).decode


class _Worker(asyncio.Protocol):
    """The connection to one worker."""

    def __init__(self, executor: LocalExecutor) -> None:
        self._executor = executor
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._settled: list[x.TryKey] = []
        self.hello: x.WorkerHello | None = None
        self.held: set[x.TryKey] = set()
        self.placed = 0

    @property
    def identity(self) -> str:
        """Name and incarnation: what the database notes of the worker that holds a piece."""
        assert self.hello is not None
        return f"{self.hello.name}/{self.hello.incarnation}"

    # ------------------------------------------------------------------------------------------------- incoming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._splitter.feed(data):
                self._receive(_decode(frame))
        except (FrameError, ValueError) as error:
            log.error("a worker sent something unreadable; its connection is closed", error=str(error))
            self.close()

    def _receive(self, message: object) -> None:
        match message:
            case x.WorkerHello():
                self._greet(message)
            case _ if self.hello is None:
                raise ValueError("the first message was not hello")
            case x.Outcome():
                self.held.discard(message.key)
                self._executor.on_event(PieceEnded(self.identity, message))
            case x.TryStarting():
                self._executor.on_event(StartAsked(self.identity, self.hello.hostname, message))
            case x.Forward():
                reply = self._executor.on_request(message.key, message.body)
                if reply is None:
                    return
                self.write(x.Answer(n=message.n, key=message.key, body=reply))
                self._executor.flush_soon()
            case x.CallbackDone():
                self._executor.on_event(CallbackEnded(message.id, message.error))
            case x.Heartbeat():
                pass  # the open connection is the sign of life; held pieces are compared at hello

    def _greet(self, hello: x.WorkerHello) -> None:
        if hello.protocol != x.PROTOCOL:
            reason = f"the scheduler speaks protocol {x.PROTOCOL}, this worker {hello.protocol}"
            self.write(x.Refused(reason=reason))
            self.flush()
            self.close()
            return
        self.hello = hello
        self.held = set(hello.held)
        self._executor.joined(self)
        self.write(x.Welcome(scheduler=f"{os.uname().nodename}:{os.getpid()}", epoch=self._executor.epoch))
        self._executor.on_event(
            WorkerJoined(hello.name, self.identity, hello.hostname, frozenset(hello.held)),
        )
        self._executor.flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.hello is not None:
            self._executor.left(self)

    # ------------------------------------------------------------------------------------------------- outgoing

    def free(self, queue: str) -> int:
        """Return how many more workloads of `queue` it takes."""
        if self.hello is None or (self.hello.queues and queue not in self.hello.queues):
            return 0
        return self.hello.slots - len(self.held) - self.placed

    def write(self, message: x.ToWorker) -> None:
        """Note a message for the next flush."""
        self._outgoing.append(pack(x.encode(message)))

    def settle(self, key: x.TryKey) -> None:
        """Note that an outcome is settled."""
        self._settled.append(key)

    def flush(self) -> None:
        """Write everything noted in one go; settled keys first, since they free the worker's memory."""
        if self._settled:
            self._outgoing.insert(0, pack(x.encode(x.Settled(keys=self._settled))))
            self._settled = []
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


class LocalExecutor:
    """Takes workers on a Unix socket and places workloads on the one with the most room."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._server: asyncio.Server | None = None
        self._workers: dict[str, _Worker] = {}
        self._connections: set[_Worker] = set()
        self._flush_scheduled = False
        self.epoch = 0
        self.on_event: OnEvent
        self.on_request: OnRequest

    async def start(self, on_event: OnEvent, on_request: OnRequest) -> None:
        """Listen on the socket. A leftover of a dead scheduler is replaced; the caller holds the leader's lock."""
        self.on_event, self.on_request = on_event, on_request
        loop = asyncio.get_running_loop()
        with contextlib.suppress(FileNotFoundError):
            self._socket_path.unlink()
        self._server = await loop.create_unix_server(self._connect, str(self._socket_path), backlog=128)
        self._socket_path.chmod(0o600)

    def _connect(self) -> _Worker:
        worker = _Worker(self)
        self._connections.add(worker)
        return worker

    async def stop(self) -> None:
        """Stop listening and close the connections; the workers go on and connect again later."""
        if self._server is not None:
            self._server.close()
        for worker in list(self._connections):
            worker.flush()
            worker.close()
        with contextlib.suppress(FileNotFoundError):
            self._socket_path.unlink()

    def joined(self, worker: _Worker) -> None:
        """A worker said hello; if it was connected before, the older connection is dead."""
        assert worker.hello is not None
        self._workers[worker.identity] = worker
        log.info("worker joined", worker=worker.hello.name, slots=worker.hello.slots, held=len(worker.held))

    def left(self, worker: _Worker) -> None:
        """A worker's connection ended."""
        assert worker.hello is not None
        self._connections.discard(worker)
        if self._workers.get(worker.identity) is worker:
            del self._workers[worker.identity]
            self.on_event(WorkerLeft(worker.hello.name, worker.identity))

    def begin_placing(self) -> None:
        """Forget places that were taken but not used."""
        for worker in self._workers.values():
            worker.placed = 0

    def free(self, queue: str) -> int:
        """Return how many more workloads of a queue the connected workers take."""
        return sum(max(0, worker.free(queue)) for worker in self._workers.values())

    def place(self, queue: str) -> str | None:
        """Take a place on the worker with the most room."""
        best, room = None, 0
        for incarnation, worker in self._workers.items():
            if (free := worker.free(queue)) > room:
                best, room = incarnation, free
        if best is not None:
            self._workers[best].placed += 1
        return best

    def send(self, incarnation: str, workload: x.Workload | x.CallbackWorkload) -> None:
        """Hand a workload to a worker; if it has left meanwhile, the rescue finds the piece."""
        worker = self._workers.get(incarnation)
        if worker is None:
            return
        if isinstance(workload, x.Workload):
            worker.held.add(workload.key)
        worker.write(workload)

    def proceed(self, incarnation: str, key: x.TryKey, *, ok: bool, reason: str = "") -> None:
        """Answer a worker that asked to go ahead."""
        for worker in self._of(incarnation):
            if not ok:
                worker.held.discard(key)
            worker.write(x.Proceed(key=key, ok=ok, reason=reason))

    def settle(self, incarnation: str, key: x.TryKey) -> None:
        """Tell a worker that an outcome is committed or void."""
        for worker in self._of(incarnation):
            worker.settle(key)

    def terminate(self, incarnation: str, key: x.TryKey, reason: str) -> None:
        """Have the process of a piece ended."""
        for worker in self._of(incarnation):
            worker.write(x.Terminate(key=key, reason=reason))

    def flush(self) -> None:
        """Put what was said since the last flush on the wire, one write per worker."""
        self._flush_scheduled = False
        for worker in self._workers.values():
            worker.flush()

    def flush_soon(self) -> None:
        """Flush at the end of this turn of the event loop, unless a flush is coming anyway."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _of(self, incarnation: str) -> Iterator[_Worker]:
        worker = self._workers.get(incarnation)
        if worker is not None:
            yield worker
