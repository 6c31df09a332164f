"""What the scheduler needs of an executor, and the events an executor tells it.

An executor never decides anything about states: it places workloads on workers, and carries messages both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gnomon.wire.execution import CallbackWorkload, Outcome, Reply, Request, TryKey, TryStarting, Workload


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker said hello; `held` are the pieces it still runs or whose outcome it will send again.

    `incarnation` here and below is "name/incarnation", as the database notes it.
    """

    name: str
    incarnation: str
    hostname: str
    held: frozenset[TryKey]


@dataclass(frozen=True, slots=True)
class WorkerLeft:
    """The connection to a worker ended. It may come back, or be dead."""

    name: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class StartAsked:
    """A worker asks to go ahead with a piece."""

    incarnation: str
    hostname: str
    message: TryStarting


@dataclass(frozen=True, slots=True)
class PieceEnded:
    """A piece has ended, as its outcome says."""

    incarnation: str
    message: Outcome


@dataclass(frozen=True, slots=True)
class CallbackEnded:
    """A worker ran a callback; `error` says why it failed."""

    id: int
    error: str | None = None


Event = WorkerJoined | WorkerLeft | StartAsked | PieceEnded | CallbackEnded
OnEvent = Callable[[Event], None]
#: None: it cannot be answered now, and is asked again on the next connection.
OnRequest = Callable[[TryKey, Request], Reply | None]


class Executor(Protocol):
    """Places workloads on workers."""

    async def start(self, on_event: OnEvent, on_request: OnRequest) -> None:
        """Begin to take workers; events and requests come on the event loop's thread."""

    async def stop(self) -> None:
        """Let the workers go; what they run goes on."""

    def begin_placing(self) -> None:
        """Forget places that were taken but not used."""

    def free(self, queue: str) -> int:
        """Return how many more workloads of a queue the connected workers take."""

    def place(self, queue: str) -> str | None:
        """Take a place for a workload and return the incarnation of its worker; None if there is none."""

    def send(self, incarnation: str, workload: Workload | CallbackWorkload) -> None:
        """Hand a workload to a worker. Only after what it stands for was committed."""

    def proceed(self, incarnation: str, key: TryKey, *, ok: bool, reason: str = "") -> None:
        """Answer a worker that asked to go ahead."""

    def settle(self, incarnation: str, key: TryKey) -> None:
        """Tell a worker that an outcome is committed or void."""

    def terminate(self, incarnation: str, key: TryKey, reason: str) -> None:
        """Have the process of a piece ended."""

    def flush(self) -> None:
        """Put what was said since the last flush on the wire."""
