"""What runs, as it changes: woken by the store's notices, for the foreground view."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gnomon.store.engine import Store
    from gnomon.store.notifier import Notice
    from gnomon.store.records import Run, TaskInstance

#: Finished runs that are kept to be shown.
_KEPT = 50
#: Notices within this time are answered by one look at the database.
_GATHER_SECONDS = 0.05
#: A run with very many task instances is read less often: reading it takes its time.
_SECONDS_PER_INSTANCE = 0.0005

Change = Callable[["Run", "list[TaskInstance]"], None]


class Feed:
    """Follows runs and tells of each change.

    Args:
        store: where they are.
        since: runs that have ended after this moment are told of too: the first ones are over before anybody looks.
        on_run: called with a run and its task instances when it has changed.
        on_dags: called when DAGs or import errors may have changed.
    """

    def __init__(self, store: Store, since: datetime, on_run: Change, on_dags: Callable[[], None]) -> None:
        self._store = store
        self._since = since
        self._on_run = on_run
        self._on_dags = on_dags
        self._changed: set[int] = set()
        self._wake = asyncio.Event()
        self._not_before: dict[int, float] = {}
        #: runs by id, the one that changed last at the end
        self.runs: OrderedDict[int, tuple[Run, list[TaskInstance]]] = OrderedDict()

    async def run(self) -> None:
        """Follow until cancelled."""
        topics = ("state", "run", "dag")
        subscription = self._store.notifier.subscribe(asyncio.get_running_loop(), topics, self._hear)
        try:
            for state in ("running", "queued"):
                self._changed |= {run.id for run in self._store.runs.all(state=state, limit=_KEPT)}
            latest = self._store.runs.all(limit=_KEPT)
            self._changed |= {run.id for run in latest if run.end_date is not None and run.end_date >= self._since}
            self._on_dags()
            while True:
                self._look()
                self._wake.clear()
                if not self._changed:
                    await self._wake.wait()
                await asyncio.sleep(_GATHER_SECONDS)
        finally:
            subscription.close()

    def _hear(self, notice: Notice) -> None:
        if notice.topic == "dag":
            self._on_dags()
        elif notice.payload.isdigit():
            self._changed.add(int(notice.payload))
            self._wake.set()

    def _look(self) -> None:
        now = time.monotonic()
        due = [run_id for run_id in self._changed if self._not_before.get(run_id, 0.0) <= now]
        for run_id in sorted(due):
            self._changed.discard(run_id)
            run = self._store.runs.get(run_id)
            if run is None:
                self.runs.pop(run_id, None)
                continue
            instances = self._store.task_instances.of_run(run_id)
            self._not_before[run_id] = now + len(instances) * _SECONDS_PER_INSTANCE
            self.runs[run_id] = (run, instances)
            self.runs.move_to_end(run_id)
            self._on_run(run, instances)
        while len(self.runs) > _KEPT:
            gone, _ = self.runs.popitem(last=False)
            self._not_before.pop(gone, None)
