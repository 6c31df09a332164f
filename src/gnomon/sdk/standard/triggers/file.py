"""Triggers that wait for files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from glob import glob
from typing import Any

from gnomon.sdk.trigger import BaseEventTrigger, BaseTrigger, TriggerEvent


def find_files(pattern: str, *, recursive: bool) -> str | None:
    """Return the first file that a pattern matches, or that is inside a folder it matches."""
    for path in glob(pattern, recursive=recursive):
        if os.path.isfile(path):
            return path
        for _, _, files in os.walk(path):
            if files:
                return path
    return None


class FileTrigger(BaseTrigger):
    """Fires when a file is there.

    Args:
        filepath: a path or pattern.
        recursive: `**` matches folders of any depth.
        poke_interval: seconds between looks.
    """

    def __init__(self, filepath: str, recursive: bool = False, poke_interval: float = 5.0, **_: Any) -> None:
        super().__init__()
        self.filepath, self.recursive, self.poke_interval = filepath, recursive, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        kwargs = {"filepath": self.filepath, "recursive": self.recursive, "poke_interval": self.poke_interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the file."""
        while await asyncio.to_thread(find_files, self.filepath, recursive=self.recursive) is None:
            await asyncio.sleep(self.poke_interval)
        yield TriggerEvent(True)


class FileDeleteTrigger(BaseEventTrigger):
    """Fires when a file is there, and deletes it, so that it can fire again."""

    def __init__(self, filepath: str, poke_interval: float = 5.0, **_: Any) -> None:
        super().__init__()
        self.filepath, self.poke_interval = filepath, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        kwargs = {"filepath": self.filepath, "poke_interval": self.poke_interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the file, and delete it."""
        while not os.path.isfile(self.filepath):
            await asyncio.sleep(self.poke_interval)
        await asyncio.to_thread(os.unlink, self.filepath)
        yield TriggerEvent(True)
