"""The execution protocol's answers; see `gnomon.wire.execution`."""

from __future__ import annotations

from gnomon.api.execution.handlers import Handlers

__all__ = ["Handlers"]
