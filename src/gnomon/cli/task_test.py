"""`airflow tasks test`: one task, by itself, in a process as it would have in a run; nothing of it is kept."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gnomon.cli.arguments import check_task
from gnomon.cli.errors import CommandError
from gnomon.cli.opening import find_run, opened, parse_date
from gnomon.cli.run import Shape, create_run, interruptible, prepared, until_over
from gnomon.cli.run_view import entry_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gnomon.store.engine import Store
    from gnomon.store.records import Run, TaskInstance
    from gnomon.wire.dag import SerializedDag
    from gnomon.wire.execution import XComEntry

#: (task_id, map_index, value) of what other tasks of a real run have pushed.
Pushed = list[tuple[str, int, "XComEntry"]]


def run_task(
    dag_id: str,
    task_id: str,
    logical_date_or_run_id: str | None,
    *,
    params: dict[str, Any],
    map_index: int,
    env_vars: dict[str, str],
) -> int:
    """Run one task and print its log while it runs; return the exit code.

    If there is a run of this id or logical date, the task sees its dates, its conf and what its other tasks pushed.
    """
    real, pushed = _real_run(dag_id, logical_date_or_run_id)
    moment = real.logical_date if real else None
    if real is None and logical_date_or_run_id is not None:
        moment = parse_date(logical_date_or_run_id, "logical_date_or_run_id")
    os.environ.update({"AIRFLOW_TEST_MODE": "True"} | env_vars)
    with prepared(dag_id, None, _only(task_id, map_index), None) as (store, worker, dag):
        conf = _conf_of(real) | params
        created = create_run(dag, conf, moment, store)
        _copy(pushed, created, store)
        view = _Log(map_index)
        with interruptible():
            finished = asyncio.run(until_over(created, store, view, worker))
        view.show(finished, store.task_instances.of_run(finished.id))
    return 0 if finished.state == "success" else 1


def _conf_of(run: Run | None) -> dict[str, Any]:
    import json

    return json.loads(run.conf or "{}") if run else {}


def _real_run(dag_id: str, logical_date_or_run_id: str | None) -> tuple[Run | None, Pushed]:
    if logical_date_or_run_id is None:
        return None, []
    with opened() as store:
        run = find_run(store, dag_id, logical_date_or_run_id)
        if run is None:
            return None, []
        return run, [
            (ti.task_id, ti.map_index, entry)
            for ti in store.task_instances.of_run(run.id)
            for entry in store.xcoms.list(dag_id, run.run_id, ti.task_id, ti.map_index)
        ]


def _copy(pushed: Pushed, run: Run, store: Store) -> None:
    from gnomon.service import clock

    for task_id, map_index, entry in pushed:
        store.xcoms.put(run.dag_id, run.run_id, task_id, entry, clock.now(), map_index)


def _only(task_id: str, map_index: int) -> Shape:
    """Leave nothing of a DAG but one task, which runs at once and is not retried."""

    def shape(dag: SerializedDag) -> None:
        check_task(dag, task_id)
        task = next(task for task in dag.tasks if task.task_id == task_id)
        if task.expand is not None:
            lengths = list(task.expand.inputs.values())
            if not all(isinstance(length, int) for length in lengths):
                raise CommandError(
                    f"task {task_id} expands over what another task returns, so it can be tried in a run only",
                    hint=f"gnomon run {dag.dag_id}",
                )
            if map_index < 0:
                raise CommandError(f"--map-index: task {task_id} is mapped; say which of its instances", exit_code=2)
        elif map_index >= 0:
            raise CommandError(f"--map-index: task {task_id} is not mapped", exit_code=2)
        task.upstream, task.trigger_rule, task.retries = [], "all_success", 0
        task.depends_on_past = task.wait_for_downstream = task.is_setup = task.is_teardown = False
        task.start_date = task.end_date = None
        dag.tasks = [task]

    return shape


class _Log:
    """Prints the log of the task as it grows."""

    def __init__(self, map_index: int) -> None:
        self._map_index = map_index
        self._offset = 0

    @contextmanager
    def asking(self) -> Iterator[bool]:
        """Yield whether somebody at the terminal can be asked."""
        yield sys.stdin.isatty() and sys.stdout.isatty()

    def show(self, run: Run, instances: Iterable[TaskInstance]) -> None:
        """Print what was written since the last call."""
        from gnomon.service import task_logs

        for ti in instances:
            if ti.map_index == self._map_index and ti.try_number:
                path = task_logs.try_log_path(run.dag_id, run.run_id, ti.task_id, ti.map_index, ti.try_number)
                for offset, entry in task_logs.read(path, self._offset):
                    self._offset = offset
                    print("\n".join(entry_lines(entry)), flush=True)
