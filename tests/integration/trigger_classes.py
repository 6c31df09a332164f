"""Triggers for tests, imported by the runner as users' triggers are."""

# ruff: noqa: ASYNC110, ASYNC230 - tests look at files

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from gnomon.sdk.connection import Connection
from gnomon.sdk.trigger import BaseTrigger, TaskSuccessEvent, TriggerEvent


class _Named(BaseTrigger):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.kwargs = kwargs

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", self.kwargs


class Now(_Named):
    """Fires at once, with what it was given; logs and prints."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        assert isinstance(self.kwargs["at"], datetime)
        self.log.info("looking for %s", self.kwargs["name"])
        print("printed by the trigger")
        yield TriggerEvent({"name": self.kwargs["name"], "task": self.task_instance.task_id})
        raise AssertionError("only the first event counts")


class WhenFileExists(_Named):
    """Waits for a file; says where it runs, and leaves a trace when it is cleaned up or killed."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        path = Path(self.kwargs["path"])
        with open(f"{path}.pid", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not path.exists():
            await asyncio.sleep(0.01)
        yield TriggerEvent("found")

    async def cleanup(self) -> None:
        Path(f"{self.kwargs['path']}.cleaned").touch()

    async def on_kill(self) -> None:
        Path(f"{self.kwargs['path']}.killed").touch()


class Asking(_Named):
    """Asks for connections from the loop, from a thread, and reads its environment."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        in_loop = Connection.get("db")
        in_thread = await asyncio.to_thread(Connection.get, "db")
        secrets = [name for name in os.environ if "SQL_ALCHEMY_CONN" in name or "FERNET" in name]
        yield TriggerEvent([in_loop.host, in_thread.password, secrets])


class Ending(_Named):
    """Ends the task, with an XCom."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TaskSuccessEvent(xcoms={"k": 1})


class Failing(_Named):
    """Raises."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise ValueError("no luck")
        yield


class Silent(_Named):
    """Ends without an event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        return
        yield


class Exiting(_Named):
    """Calls sys.exit."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise SystemExit(3)
        yield


class Blocking(_Named):
    """Blocks the event loop."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        time.sleep(self.kwargs["seconds"])  # noqa: ASYNC251 - that is the point
        yield TriggerEvent("at last")


class Crashing(_Named):
    """Takes its process with it, once."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        path = Path(self.kwargs["path"])
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), 9)
        yield TriggerEvent("second time lucky")
