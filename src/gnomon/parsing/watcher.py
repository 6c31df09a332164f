"""Tells the dag-processor which files changed, as soon as they have."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable

from gnomon.parsing.inotify import Inotify, WatchLimitError

#: Changes that come together (an editor's rename, a checkout) are handed on together.
DEBOUNCE_SECONDS = 0.01
#: For watchfiles, where inotify is not to be had.
_STEP_MS = 50


class Watcher:
    """Watches the bundles' folders, and single folders besides.

    Args:
        on_change: called in the event loop with the changed paths; one that ends in a slash stands for all below it.
        on_trouble: called with a sentence when something cannot be watched, and is only looked at now and then.
    """

    def __init__(self, on_change: Callable[[set[str]], None], on_trouble: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._inotify: Inotify | None = None
        self._roots: list[str] = []
        self._folders: set[str] = set()
        self._pending: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._fallback: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def start(self, roots: Iterable[str]) -> None:
        """Begin to watch folders with all that is below them."""
        self._roots = list(roots)
        if sys.platform != "linux":
            self._fallback = asyncio.create_task(self._watch_elsewhere())
            return
        try:
            self._inotify = Inotify(self._collect)
            for root in self._roots:
                self._inotify.watch_tree(root)
        except WatchLimitError as error:
            self._on_trouble(f"file changes are noticed late: {error.strerror}")
        if self._inotify is not None:
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._inotify.read)

    def watch_folders(self, folders: Iterable[str]) -> None:
        """Watch folders outside of the roots, without what is below them."""
        new = set(folders) - self._folders
        if not new:
            return
        self._folders |= new
        if self._inotify is not None:
            try:
                self._inotify.watch_folders(new)
            except WatchLimitError as error:
                self._on_trouble(f"file changes are noticed late: {error.strerror}")

    async def stop(self) -> None:
        """Let go of everything."""
        if self._timer is not None:
            self._timer.cancel()
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fd)
            self._inotify.close()
            self._inotify = None
        if self._fallback is not None:
            self._stop.set()
            await self._fallback

    def _collect(self, changed: set[str]) -> None:
        self._pending |= changed
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DEBOUNCE_SECONDS, self._hand_on)

    def _hand_on(self) -> None:
        self._timer = None
        changed, self._pending = self._pending, set()
        self._on_change(changed)

    async def _watch_elsewhere(self) -> None:
        from watchfiles import awatch

        if present := [root for root in self._roots if _is_folder(root)]:
            async for changes in awatch(*present, step=_STEP_MS, debounce=_STEP_MS * 2, stop_event=self._stop):
                self._collect({path + os.sep if _is_folder(path) else path for _, path in changes})


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)
