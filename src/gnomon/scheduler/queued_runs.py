"""The queued runs of a DAG, in the order in which they may begin."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gnomon.store.types import to_micros

#: The number of a backfill; None for all runs that belong to none. Each has a limit of its own.
Lane = int | None


class QueuedRuns:
    """Rows of queued runs by lane. Adding one, taking one out and finding the next cost little however many there are."""

    def __init__(self) -> None:
        self._rows: dict[int, Any] = {}
        #: (place, run) of each lane; a run that was taken out since is passed over
        self._heaps: dict[Lane, list[tuple[int, int]]] = {}
        self._counts: Counter[Lane] = Counter()

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __contains__(self, run_id: int) -> bool:
        return run_id in self._rows

    def __bool__(self) -> bool:
        return bool(self._rows)

    def put(self, row: Any) -> None:
        """Add a row, in place of an older one of the same run."""
        self.pop(row.id)
        lane = row.backfill_id
        self._rows[row.id] = row
        self._counts[lane] += 1
        heapq.heappush(self._heaps.setdefault(lane, []), (_place(row), row.id))

    def get(self, run_id: int) -> Any | None:
        """Return the row of a run, if it is queued."""
        return self._rows.get(run_id)

    def pop(self, run_id: int) -> None:
        """Take a run out, if it is there."""
        row = self._rows.pop(run_id, None)
        if row is not None:
            self._counts[row.backfill_id] -= 1

    def count(self, lane: Lane) -> int:
        """Return how many runs wait in a lane."""
        return self._counts[lane]

    def of(self, lane: Lane) -> list[int]:
        """Return the runs of a lane in any order."""
        return [run_id for run_id, row in self._rows.items() if row.backfill_id == lane]

    def lanes(self) -> list[Lane]:
        """Return the lanes with runs in them; backfills come after all else."""
        return sorted((lane for lane, count in self._counts.items() if count), key=lambda lane: lane or 0)

    def first(self, lane: Lane) -> Any | None:
        """Return the row of the run that is next in a lane."""
        heap = self._heaps.get(lane, [])
        while heap:
            row = self._rows.get(heap[0][1])
            if row is not None and row.backfill_id == lane and _place(row) == heap[0][0]:
                return row
            heapq.heappop(heap)
        self._heaps.pop(lane, None)
        return None


def _place(row: Any) -> int:
    """Return where in its lane a run stands: oldest first, or in the order of its backfill."""
    return to_micros(row.run_after) if row.backfill_id is None else row.backfill_sort_ordinal or 0
