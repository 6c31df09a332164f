"""Two triggers that fire at once, for tests of deferrable operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from gnomon.sdk.trigger import BaseTrigger, TriggerEvent


class _Immediate(BaseTrigger):
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class; there are no arguments."""
        return f"airflow.triggers.testing.{type(self).__name__}", {}


class SuccessTrigger(_Immediate):
    """Fires at once."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield True."""
        yield TriggerEvent(True)


class FailureTrigger(_Immediate):
    """Fails at once."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Raise."""
        raise ValueError("Deliberate trigger failure")
        yield
