"""The execution protocol's answers; see `gnomon.wire.execution`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.api.execution.handlers import Handlers

__all__ = ["Handlers"]


def __getattr__(name: str) -> Any:
    # The api-server needs them only when a remote worker asks.
    if name == "Handlers":
        from gnomon.api.execution.handlers import Handlers

        return Handlers
    raise AttributeError(name)
