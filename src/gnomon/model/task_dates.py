"""Which tasks a run has no instances of, because its logical date is outside of their start and end dates.

Airflow's rule: a backfill, and a run without a logical date, have all of them. What comes after a task that is left out
waits for it in vain, unless its trigger rule does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from gnomon.model.states import DagRunType

NONE: frozenset[int] = frozenset()


class Dated(Protocol):
    """A DAG or a task."""

    start_date: str | None
    end_date: str | None


class TaskDates:
    """The dates of all tasks of a DAG.

    Args:
        dag: whose dates bound those of its tasks.
        tasks: in the order of the graph.
    """

    def __init__(self, dag: Dated, tasks: Sequence[Dated]) -> None:
        starts, ends = _moments(dag.start_date), _moments(dag.end_date)
        self._starts = [max([*starts, *_moments(task.start_date)], default=None) for task in tasks]
        self._ends = [min([*ends, *_moments(task.end_date)], default=None) for task in tasks]
        #: from the first to the second all tasks are there, which spares a look at each
        self._all_from = max((start for start in self._starts if start is not None), default=None)
        self._all_until = min((end for end in self._ends if end is not None), default=None)

    def left_out(self, logical_date: datetime | None, run_type: str) -> frozenset[int]:
        """Return the tasks that a run has no instances of."""
        if logical_date is None or run_type == DagRunType.BACKFILL or self._all_there(logical_date):
            return NONE
        return frozenset(
            index
            for index, (start, end) in enumerate(zip(self._starts, self._ends, strict=True))
            if (start is not None and logical_date < start) or (end is not None and logical_date > end)
        )

    def _all_there(self, moment: datetime) -> bool:
        begun = self._all_from is None or self._all_from <= moment
        return begun and (self._all_until is None or moment <= self._all_until)


def _moments(text: str | None) -> list[datetime]:
    return [] if text is None else [datetime.fromisoformat(text).astimezone(UTC)]
