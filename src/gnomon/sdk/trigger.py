"""Triggers: what deferred tasks wait for, in one asyncio loop for many of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gnomon.sdk.log import LoggingMixin


@dataclass
class StartTriggerArgs:
    """How a task that defers at once can do so without a process: its trigger as data.

    Args:
        trigger_cls: import path of the trigger.
        next_method: the operator's method to resume with.
        trigger_kwargs: the trigger's arguments.
        next_kwargs: further arguments of that method.
        timeout: how long to wait.
    """

    trigger_cls: str
    next_method: str
    trigger_kwargs: dict[str, Any] | None = None
    next_kwargs: dict[str, Any] | None = None
    timeout: timedelta | None = None


@dataclass
class TriggerEvent:
    """What happened; the payload is what the resumed method gets as `event`."""

    payload: Any = None

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload!r}>"


@dataclass
class BaseTaskEndEvent(TriggerEvent):
    """An event that ends the task without resuming it."""

    payload: Any = None
    xcoms: dict[str, Any] | None = None
    task_instance_state: str = field(default="", init=False)

    def __init__(self, *, xcoms: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if "payload" in kwargs:
            raise ValueError("payload cannot be given for an event that ends the task")
        self.xcoms = xcoms
        self.payload = str(self.task_instance_state)


@dataclass(init=False, repr=False)
class TaskSuccessEvent(BaseTaskEndEvent):
    """The task has succeeded."""

    task_instance_state: str = "success"


@dataclass(init=False, repr=False)
class TaskFailedEvent(BaseTaskEndEvent):
    """The task has failed."""

    task_instance_state: str = "failed"


@dataclass(init=False, repr=False)
class TaskSkippedEvent(BaseTaskEndEvent):
    """The task is skipped."""

    task_instance_state: str = "skipped"


class BaseTrigger(LoggingMixin, ABC):
    """Something to wait for. Subclasses define `serialize` and the asynchronous generator `run`."""

    supports_triggerer_queue: bool = True

    def __init__(self, **kwargs: Any) -> None:
        #: set by whoever runs the trigger
        self.task_instance: Any = None
        self.trigger_id: Any = None

    @abstractmethod
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments) to make the trigger again elsewhere."""

    @abstractmethod
    def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then yield the event; must not block."""
        raise NotImplementedError("Triggers must implement run()")

    async def cleanup(self) -> None:
        """Close what is open; called when the trigger ends, whatever the reason."""

    async def on_kill(self) -> None:
        """Called when the task was cleared or marked while it waited."""

    def __repr__(self) -> str:
        classpath, kwargs = self.serialize()
        arguments = ", ".join(f"{name}={value}" for name, value in kwargs.items())
        return f"<{classpath} {arguments}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseTrigger) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash(repr(self))


class BaseEventTrigger(BaseTrigger):
    """A trigger that can watch an asset: it may fire many times."""

    supports_triggerer_queue: bool = False
    supports_shared_stream: bool = False

    @staticmethod
    def hash(classpath: str, kwargs: dict[str, Any]) -> int:
        """Return a number that is the same for triggers that watch the same."""
        from gnomon.sdk.runtime.values import encode

        return hash((classpath, encode(kwargs)))
