"""Triggers that wait for files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Hashable
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


def changed_at(path: str) -> str:
    """Return when a file changed last, as 20260131235959; "unknown" if it is gone."""
    from gnomon.sdk.timezone import from_timestamp

    try:
        return from_timestamp(os.path.getmtime(path)).strftime("%Y%m%d%H%M%S")
    except OSError:
        return "unknown"


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
        return "airflow.providers.standard.triggers.file.FileTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the file."""
        while (found := await asyncio.to_thread(find_files, self.filepath, recursive=self.recursive)) is None:
            await asyncio.sleep(self.poke_interval)
        self.log.info("Found File %s last modified: %s", found, changed_at(found))
        yield TriggerEvent(True)


class FileDeleteTrigger(BaseEventTrigger):
    """Fires when a file is there, and deletes it, so that it can fire again."""

    def __init__(self, filepath: str, poke_interval: float = 5.0, **_: Any) -> None:
        super().__init__()
        self.filepath, self.poke_interval = filepath, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        kwargs = {"filepath": self.filepath, "poke_interval": self.poke_interval}
        return "airflow.providers.standard.triggers.file.FileDeleteTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the file, and delete it."""
        while not os.path.isfile(self.filepath):
            await asyncio.sleep(self.poke_interval)
        await asyncio.to_thread(os.unlink, self.filepath)
        self.log.info("File %s has been deleted", self.filepath)
        yield TriggerEvent(True)


class DirectoryFileDeleteTrigger(BaseEventTrigger):
    """Fires when a file of this name is in a folder, and deletes it; the event says its path.

    Triggers on one folder can share their looks at it.

    Args:
        directory: the folder; it may come into being later.
        filename: the file's name in it.
        poke_interval: seconds between looks.
    """

    supports_shared_stream = True

    def __init__(self, *, directory: str, filename: str, poke_interval: float = 5.0) -> None:
        super().__init__()
        self.directory, self.filename, self.poke_interval = directory, filename, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return (import path, keyword arguments)."""
        kwargs = {"directory": self.directory, "filename": self.filename, "poke_interval": self.poke_interval}
        return "airflow.providers.standard.triggers.file.DirectoryFileDeleteTrigger", kwargs

    def shared_stream_key(self) -> Hashable | None:
        """Return what triggers that can share their looks have in common."""
        return "directory-scan", os.path.realpath(self.directory), self.poke_interval

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Yield the names in the folder, again and again; what cannot get better by itself is raised."""
        directory, interval = kwargs["directory"], kwargs["poke_interval"]
        while True:
            try:
                yield {"directory": directory, "names": set(await asyncio.to_thread(os.listdir, directory))}
            except FileNotFoundError:
                yield {"directory": directory, "names": set()}
            except (PermissionError, NotADirectoryError):
                raise
            except OSError as error:
                cls.logger().warning("Failed to list %s (%s); retrying after %ss", directory, error, interval)
            await asyncio.sleep(interval)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire when this trigger's own file is there, and delete it."""
        async for seen in shared_stream:
            if self.filename not in seen["names"]:
                continue
            path = os.path.join(seen["directory"], self.filename)
            try:
                await asyncio.to_thread(os.unlink, path)
            except FileNotFoundError:  # somebody else was faster
                continue
            self.log.info("File %s has been deleted", path)
            yield TriggerEvent({"filepath": path})
            return

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look alone."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event
