"""Skipping what is downstream: branches and short circuits."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from gnomon.sdk.abstract_operator import AbstractOperator
from gnomon.sdk.exceptions import AirflowException, DownstreamTasksSkipped

XCOM_SKIPMIXIN_KEY = "skipmixin_key"
XCOM_SKIPMIXIN_SKIPPED = "skipped"
XCOM_SKIPMIXIN_FOLLOWED = "followed"

_log = logging.getLogger(__name__)


class SkipMixin:
    """For operators that skip others."""

    inherits_from_skipmixin = True
    _can_skip_downstream = True

    def skip(self, ti: Any, tasks: Iterable[Any], **_: Any) -> None:
        """Skip tasks of the same run.

        Raises:
            DownstreamTasksSkipped: there are tasks to skip; whoever runs the task ends it as a success.
        """
        ids = [task.task_id for task in tasks if isinstance(task, AbstractOperator)]
        if not ids:
            return
        if getattr(self, "task_id", None) is not None:
            ti.xcom_push(key=XCOM_SKIPMIXIN_KEY, value={XCOM_SKIPMIXIN_SKIPPED: ids})
        self._end_with(ids, ti)

    def skip_all_except(self, ti: Any, branch_task_ids: str | Iterable[str] | None) -> None:
        """Skip what is directly downstream, except the given tasks and whatever is downstream of those.

        Raises:
            AirflowException: one of the ids is no task of the DAG.
            DownstreamTasksSkipped: there are tasks to skip.
        """
        chosen = _chosen_ids(branch_task_ids)
        task = ti.task
        dag = task.dag
        log = getattr(self, "log", _log)
        log.info("Following branch %s", chosen)
        unknown = chosen - dag.task_dict.keys()
        if unknown:
            raise AirflowException(
                f"'branch_task_ids' must contain only valid task_ids. Invalid tasks found: {unknown}."
            )
        direct = [dag.task_dict[task_id] for task_id in sorted(task.downstream_task_ids)]
        if not direct:
            return
        kept = set(chosen)
        for task_id in chosen:
            kept |= dag.task_dict[task_id].get_flat_relative_ids(upstream=False)
        followed = [one.task_id for one in direct if one.task_id in kept]
        skipped = [one.task_id for one in direct if one.task_id not in kept]
        log.info("Skipping tasks %s", skipped)
        ti.xcom_push(key=XCOM_SKIPMIXIN_KEY, value={XCOM_SKIPMIXIN_FOLLOWED: followed})
        if skipped:
            self._end_with(skipped, ti)

    @staticmethod
    def _end_with(task_ids: Sequence[str], ti: Any) -> None:
        # An instance of a mapped group skips only what has the same index.
        index = ti.map_index if ti.map_index is not None else -1
        raise DownstreamTasksSkipped(tasks=list(task_ids) if index < 0 else [(one, index) for one in task_ids])


def _chosen_ids(given: str | Iterable[str] | None) -> set[str]:
    if given is None:
        return set()
    if isinstance(given, str):
        return {given}
    if not isinstance(given, Iterable):
        raise AirflowException(
            f"'branch_task_ids' must be either None, a task ID, or an Iterable of IDs, but got {type(given).__name__!r}."
        )
    chosen: Collection[Any] = list(given)
    wrong = {(repr(one), type(one).__name__) for one in chosen if not isinstance(one, str)}
    if wrong:
        raise AirflowException(
            "Unable to branch to the specified tasks. The branching function returned invalid 'branch_task_ids':"
            f" {wrong}. It has to return task ids that exist in the DAG."
        )
    return set(chosen)
