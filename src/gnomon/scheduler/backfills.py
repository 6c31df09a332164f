"""Backfills, once they are made: how many of their runs may go at a time, and when they are completed.

All runs of a backfill are there from the start, queued, and begin as any other run does (`plan_runs.begin_queued`).
"""

from __future__ import annotations

from functools import partial

import structlog

from gnomon.scheduler.turn import BackfillNoticed, Turn
from gnomon.scheduler.world import World
from gnomon.store.records import Backfill

log = structlog.get_logger("scheduler")


class Backfills:
    """Knows the backfills that are not completed. Where there are none, nothing here costs anything."""

    def __init__(self, world: World) -> None:
        self._world = world

    def unseen(self) -> list[int]:
        """Return the backfills that have changed, or may be completed, without anybody saying so."""
        known = self._world.backfills
        active = self._world.store.backfills.active()
        return [one.id for one in active if known.get(one.id) != one or not self._world.has_unfinished(one)]

    def noticed(self, event: BackfillNoticed, turn: Turn) -> None:
        """Somebody has made, paused, resumed or cancelled a backfill."""
        backfill = self._world.load_backfill(event.backfill_id)
        if backfill is not None:
            turn.dags[backfill.dag_id] = None
            turn.backfills[backfill.id] = None

    def complete(self, turn: Turn) -> None:
        """Complete those whose last run has just ended."""
        for number in turn.backfills:
            backfill = self._world.backfill(number)
            if backfill is None or backfill.completed_at is not None or self._world.has_unfinished(backfill):
                continue
            turn.batch.writes.append(partial(self._world.store.backfills.complete_in, backfill_id=number, now=turn.now))
            turn.effects.append(partial(self._completed, backfill))

    def _completed(self, backfill: Backfill) -> None:
        self._world.backfills.pop(backfill.id, None)
        log.info("backfill completed", dag_id=backfill.dag_id, backfill=backfill.id)
