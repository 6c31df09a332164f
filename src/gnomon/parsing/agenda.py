"""What is to be parsed, in which order, and what is being parsed. Pure."""

from __future__ import annotations

import heapq
import itertools
from enum import IntEnum

from gnomon.parsing.records import FileKey


class Urgency(IntEnum):
    """Why a file is parsed; the smaller, the sooner."""

    CHANGED = 0  #: It was saved, or somebody asked.
    NEW = 1  #: It was found when the bundle was looked through.
    REFRESH = 2  #: It depends on something outside, and its time has come.


class Agenda:
    """A queue of files in which each is once, and of which each is parsed once at a time."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, float, int, FileKey]] = []
        self._waiting: dict[FileKey, tuple[int, float]] = {}
        self._busy: dict[FileKey, tuple[int, float]] = {}
        self._again: dict[FileKey, Urgency] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    @property
    def busy(self) -> int:
        """How many files are being parsed."""
        return len(self._busy)

    def add(self, key: FileKey, urgency: Urgency, mtime: float = 0.0) -> None:
        """Have a file parsed; of files that are equally urgent, the one that was saved last comes first.

        A file that is being parsed right now is parsed again after that, for it may have changed under its parse.
        """
        if key in self._busy:
            self._again[key] = min(urgency, self._again.get(key, urgency))
            return
        place = (int(urgency), -mtime)
        if key not in self._waiting or place < self._waiting[key]:
            self._waiting[key] = place
            heapq.heappush(self._heap, (*place, next(self._order), key))

    def take(self) -> FileKey | None:
        """Return the next file, which is being parsed from now on; None if nothing waits."""
        while self._heap:
            urgency, mtime, _, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == (urgency, mtime):
                self._busy[key] = self._waiting.pop(key)
                return key
        return None

    def done(self, key: FileKey) -> bool:
        """Note that a file was parsed; False if nobody had asked for that."""
        if self._busy.pop(key, None) is None:
            return False
        if (again := self._again.pop(key, None)) is not None:
            self.add(key, again)
        return True

    def put_back(self, key: FileKey) -> None:
        """Take back one file that could not be handed out."""
        urgency, mtime = self._busy.pop(key)
        again = self._again.pop(key, Urgency(urgency))
        self.add(key, min(again, Urgency(urgency)), -mtime)

    def forget(self, key: FileKey) -> None:
        """Drop a file that is gone."""
        self._waiting.pop(key, None)
        self._busy.pop(key, None)
        self._again.pop(key, None)

    def lost(self) -> list[FileKey]:
        """Take back what was being parsed, because the parser died; return those files."""
        back = list(self._busy)
        for key in back:
            self.put_back(key)
        return back
