"""What the worker knows about one piece of execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gnomon.service import clock
from gnomon.wire import execution as wire
from gnomon.worker.eventloop import Stream, Timer

if TYPE_CHECKING:
    from gnomon.worker.pool import Runner
    from gnomon.worker.warm import WarmTemplate


class RunName(msgspec.Struct):
    """The part of a RunInfo that says which run it is."""

    dag_id: str
    run_id: str


decode_run_name = msgspec.msgpack.Decoder(RunName).decode


def key_of(workload: wire.Workload | wire.CallbackWorkload) -> wire.TryKey:
    """Return the key of a workload. A callback has none of its own: its id, negative, stands in."""
    return workload.key if isinstance(workload, wire.Workload) else wire.TryKey(-workload.id, 0)


class Piece:
    """A workload from its arrival until its outcome is settled and its process gone."""

    __slots__ = (
        "deadline",
        "done",
        "ended",
        "go",
        "key",
        "launched",
        "log_path",
        "outcome",
        "pid",
        "reason",
        "refused",
        "relaunched",
        "runner",
        "settled",
        "start_date",
        "stream",
        "template",
        "workload",
    )

    def __init__(
        self, key: wire.TryKey, workload: wire.Workload | wire.CallbackWorkload, log_path: str, start_date: int
    ) -> None:
        self.key = key
        self.workload = workload
        self.log_path = log_path
        self.start_date = start_date
        self.template: WarmTemplate | None = None
        self.runner: Runner | None = None
        #: the connection of its process, once that has said which piece it is
        self.stream: Stream | None = None
        self.pid = 0
        #: Launch was sent; a process exists or will
        self.launched = False
        self.relaunched = False
        #: Proceed(ok=True) as it came, kept for a process that is not there yet
        self.go: bytes | None = None
        #: Proceed(ok=False) came; nobody wants an outcome
        self.refused = False
        #: the Outcome or CallbackDone as it is sent
        self.outcome: bytes | None = None
        self.settled = False
        #: its process is gone, or never was
        self.ended = False
        #: why somebody wants it terminated, and when patience ends
        self.reason: str | None = None
        self.deadline: Timer | None = None

    @property
    def is_callback(self) -> bool:
        """Whether this runs callbacks only; nobody answers for it with Proceed and Settled."""
        return type(self.workload) is wire.CallbackWorkload

    @property
    def may_have_begun(self) -> bool:
        """Whether user code may have run: it must not be given to another process then."""
        return self.is_callback or (self.go is not None and self.stream is not None)

    @property
    def can_be_relaunched(self) -> bool:
        """Whether another process may be made for it, its own being gone; once, since there may be a reason for that."""
        return not (self.outcome or self.may_have_begun or self.relaunched or self.refused or self.reason)

    def take_back(self) -> bool:
        """Withdraw it from where it waits for a process; returns whether it did."""
        template = self.template
        if template is None:
            return False
        if self in template.waiting:
            template.waiting.remove(self)
            return True
        return template.pool is not None and template.pool.withdraw(self)

    def leave_template(self) -> None:
        """Occupy the template no longer."""
        if self.template is not None and self.template.pieces.pop(self.key, None) is not None:
            self.template.last_used = clock.monotonic()
