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
            if self.execution_timeout is None:
                return await self.aexecute(context)
            return await asyncio.wait_for(self.aexecute(context), self.execution_timeout.total_seconds())

        return asyncio.run(run())
