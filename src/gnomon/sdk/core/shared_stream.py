"""One stream of a broker that several triggers listen to, as providers describe it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn


@dataclass(frozen=True, slots=True)
class AdvanceOutcome:
    """How many listeners took an event, failed on it, or refused it."""

    acked: int
    failed: int
    rejected: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether at least one took it, and none did anything else."""
        return self.acked > 0 and not self.failed and not self.rejected


class AdvanceItem(NamedTuple):
    """An event that all listeners are done with."""

    broker_payload: Any
    outcome: AdvanceOutcome


class SharedStreamProducer(ABC):
    """The broker's side of a stream whose events are acknowledged."""

    @abstractmethod
    def open_stream(self) -> AsyncIterator[tuple[Any, Any]]:
        """Yield (event, what the broker needs to acknowledge it), for ever."""

    @abstractmethod
    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Acknowledge events of one lane, in order."""

    def get_advance_lane(self, broker_payload: Any) -> Hashable:
        """Return the lane of an event; lanes do not wait for each other."""
        return None

    async def aclose(self) -> None:  # noqa: B027 - few have anything to let go of
        """Let go of the broker."""


def reject_shared_stream_event() -> NoReturn:
    """Refuse the event; only possible while a shared stream runs."""
    raise RuntimeError("reject_shared_stream_event() is only possible in the filter of a shared stream that runs")
