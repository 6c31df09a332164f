"""Operators that are coroutines."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.operator import BaseOperator


class BaseAsyncOperator(BaseOperator):
    """Base of operators whose work is a coroutine: define `aexecute`."""

    @property
    def is_async(self) -> bool:
        """True."""
        return True

    async def aexecute(self, context: Any) -> Any:
        """Do the work; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define aexecute()")

    def execute(self, context: Any) -> Any:
        """Run the coroutine to its end."""
        import asyncio

        async def run() -> Any:
            limit = self.execution_timeout
            async with asyncio.timeout(None if limit is None else limit.total_seconds()):
                return await self.aexecute(context)

        return asyncio.run(run())
