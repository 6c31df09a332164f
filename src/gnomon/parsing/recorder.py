"""Writes outcomes in batches: while one batch is being committed, the next one gathers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

import msgspec

from gnomon.parsing.failures import in_short
from gnomon.parsing.records import FileKey, Parsed, Sink
from gnomon.service import clock

log = logging.getLogger(__name__)

_BATCH = 100
#: While many files are being parsed, outcomes of this long are committed together.
_GATHER_SECONDS = 0.05
#: How long what was parsed last may take to be recorded when the dag-processor ends; else it is parsed again.
_LAST_WORDS_SECONDS = 5.0
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class Recorder:
    """The only writer of the dag-processor.

    Args:
        outage: what the sink raises when it cannot be reached; the batch is tried again until it can.
        on_rivals: called with files to parse again, because a DAG id is free now.
        on_recorded: called when nothing is left to write.
        more_to_come: tells whether it is worth waiting a moment for further outcomes.
        before: called in a thread before anything is written.
    """

    def __init__(
        self,
        sink: Sink,
        outage: tuple[type[Exception], ...],
        on_rivals: Callable[[Iterable[tuple[str, str]]], None],
        on_recorded: Callable[[], None],
        more_to_come: Callable[[], bool],
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._outage = outage
        self._on_rivals = on_rivals
        self._on_recorded = on_recorded
        self._more_to_come = more_to_come
        self._before = before
        #: per file the latest outcome, or None if it is gone; in the order of the first mention
        self._waiting: dict[FileKey, Parsed | None] = {}
        self._writing = 0
        self._bell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._waiting) or self._writing > 0

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_all(), name="dag recorder")

    async def stop(self) -> None:
        """Write what is left, unless the sink cannot be reached."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._idle.wait()
        self._task.cancel()
        await asyncio.wait({self._task})

    def add(self, parsed: Parsed) -> None:
        """Have an outcome recorded, in place of an earlier one of the file."""
        if parsed.error:
            log.warning("%s: %s", parsed.file.path, in_short(parsed.error, parsed.file.path))
        self._waiting[FileKey(parsed.file.bundle, parsed.file.relative_path)] = parsed
        self._ring()

    def forget(self, bundle: str, paths: Iterable[str]) -> None:
        """Have files forgotten that are gone."""
        for path in paths:
            self._waiting[FileKey(bundle, path)] = None
            self._ring()

    def _ring(self) -> None:
        self._idle.clear()
        self._bell.set()

    async def _write_all(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._waiting:
                if len(self._waiting) < _BATCH and self._more_to_come():
                    await asyncio.sleep(_GATHER_SECONDS)
                batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:_BATCH]}
                self._writing = len(batch)
                rivals = await self._persist(batch)
                self._writing = 0
                if rivals:
                    self._on_rivals(rivals)
            self._idle.set()
            self._on_recorded()

    async def _persist(self, batch: dict[FileKey, Parsed | None]) -> list[tuple[str, str]]:
        """Write a batch, however long the sink is away."""
        failures = 0
        while True:
            try:
                return await asyncio.to_thread(self._write, batch)
            except self._outage as error:
                delay = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("DAG files cannot be recorded: %s; the next try is in %g s", error, delay)
                await asyncio.sleep(delay)

    def _write(self, batch: dict[FileKey, Parsed | None]) -> list[tuple[str, str]]:
        rivals: list[tuple[str, str]] = []
        self._before()
        # First what is gone, so that a file that was renamed finds its DAG ids free.
        for bundle in {key.bundle for key in batch}:
            gone = [key.path for key, parsed in batch.items() if key.bundle == bundle and parsed is None]
            if gone:
                rivals += self._sink.mark_files_gone(bundle, gone)[1]
        outcomes = [_with_source(parsed) for parsed in batch.values() if parsed is not None]
        if outcomes:
            rivals += self._record(outcomes)
        return rivals

    def _record(self, outcomes: list[Parsed]) -> list[tuple[str, str]]:
        try:
            recorded = self._sink.record_parses(outcomes, clock.now())
        except self._outage:
            raise
        except Exception as error:
            if len(outcomes) > 1:  # one of them cannot be recorded; the others can
                return [rival for one in outcomes for rival in self._record([one])]
            return self._record_refusal(outcomes[0], error)
        return [rival for one in recorded for rival in one.rivals]

    def _record_refusal(self, parsed: Parsed, error: Exception) -> list[tuple[str, str]]:
        text = f"{parsed.file.path}: what was parsed cannot be stored: {error}"
        try:
            self._sink.record_parses([Parsed(file=parsed.file, error=text)], clock.now())
        except self._outage:
            raise
        except Exception:
            log.exception("the outcome of %s cannot be recorded", parsed.file.path)
        return []


def _with_source(parsed: Parsed) -> Parsed:
    if not parsed.dags or not parsed.file.path.endswith(".py"):
        return parsed
    try:
        with open(parsed.file.path, encoding="utf-8", errors="replace") as file:
            return msgspec.structs.replace(parsed, source=file.read())
    except OSError:
        return parsed
