"""`airflow tasks test` and `tasks render`: one task, by itself, in a process as it would have in a run.

Nothing of it is kept: it runs on a private store. If there is a run of the id or date that is given, the task sees its
id, its dates, its conf and what its other tasks pushed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Pushed(NamedTuple):
    """What a task instance of a real run has pushed."""

    task_id: str
    map_index: int
    entry: XComEntry


class Chosen(NamedTuple):
    """The task that is to be tried."""

    dag_id: str
    task_id: str
    logical_date_or_run_id: str | None
    map_index: int = -1


def run_task(chosen: Chosen, *, params: dict[str, Any], env_vars: dict[str, str]) -> int:
    """Run one task and print its log while it runs; return the exit code."""
    os.environ.update({"AIRFLOW_TEST_MODE": "True"} | env_vars)
    with _finished(chosen, _Log(chosen.map_index), params=params) as (_, finished, _):
        return 0 if finished.state == "success" else 1


def render_task(chosen: Chosen) -> None:
    """Print the templated fields of a task as they are once rendered.

    Raises:
        CommandError: they cannot be rendered.
    """
    from gnomon.service.environment import RENDER_ONLY

    os.environ.update({RENDER_ONLY: "1", "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": str(sys.maxsize)})
    with _finished(chosen, _Unseen()) as (store, finished, task):
        (ti,) = store.task_instances.of_run(finished.id)
        if finished.state != "success":
            raise CommandError(f"the templates of task {chosen.task_id} cannot be rendered: {ti.error}")
        fields = json.loads(store.task_instances.rendered_fields(ti.id) or "{}")
    rule = f"# {'-' * 58}"
    for name in task.template_fields:
        print(f"{rule}\n# property: {name}\n{rule}\n{_shown(fields.get(name))}")


def _shown(value: Any) -> str:
    return textwrap.dedent(value).strip() if isinstance(value, str) else str(value)


@contextmanager
def _finished(chosen: Chosen, view: Any, *, params: dict[str, Any] | None = None) -> Iterator[tuple[Store, Run, Any]]:
    """Yield the private store, the run in there after the task has ended, and the task."""
    from gnomon.store.lone_task import make_instance

    real, pushed = _real_run(chosen)
    moment = None
    if real is None and chosen.logical_date_or_run_id is not None:
        moment = parse_date(chosen.logical_date_or_run_id, "logical_date_or_run_id")
    shape = _only(chosen, pushed)
    with interruptible(), prepared(chosen.dag_id, None, shape, None) as (store, worker, dag):
        conf = _conf_of(real) | (params or {})
        created = create_run(dag, conf, moment, store) if real is None else _like(real, conf, store)
        _copy(pushed, created, store)
        if chosen.map_index >= 0:
            make_instance(store.database, created.id, chosen.task_id, chosen.map_index)
        finished = asyncio.run(until_over(created, store, view, worker))
        view.show(finished, store.task_instances.of_run(finished.id))
        yield store, finished, dag.tasks[0]


def _conf_of(run: Run | None) -> dict[str, Any]:
    return json.loads(run.conf or "{}") if run else {}


def _real_run(chosen: Chosen) -> tuple[Run | None, list[Pushed]]:
    if chosen.logical_date_or_run_id is None:
        return None, []
    dag_id = chosen.dag_id
    with opened() as store:
        run = find_run(store, dag_id, chosen.logical_date_or_run_id)
        if run is None:
            return None, []
        return run, [
            Pushed(ti.task_id, ti.map_index, entry)
            for ti in store.task_instances.of_run(run.id)
            for entry in store.xcoms.list(dag_id, run.run_id, ti.task_id, ti.map_index)
        ]


def _like(real: Run, conf: dict[str, Any], store: Store) -> Run:
    """Create a run in the private store that is as one in the real store."""
    from gnomon.service import clock

    now = clock.now()
    start, end = real.data_interval_start, real.data_interval_end
    return store.runs.create(
        real.dag_id,
        real.run_id,
        now=now,
        run_after=min(real.run_after, now),
        run_type=real.run_type,
        logical_date=real.logical_date,
        data_interval=(start, end) if start and end else None,
        conf=conf,
        triggered_by=real.triggered_by,
        user=real.triggering_user_name,
        partition_key=real.partition_key,
        partition_date=real.partition_date,
    )


def _copy(pushed: list[Pushed], run: Run, store: Store) -> None:
    from gnomon.service import clock

    for one in pushed:
        store.xcoms.put(run.dag_id, run.run_id, one.task_id, one.entry, clock.now(), one.map_index)


def _only(chosen: Chosen, pushed: list[Pushed]) -> Shape:
    """Leave nothing of a DAG but one task, which runs at once and is not retried."""

    def shape(dag: SerializedDag) -> None:
        check_task(dag, chosen.task_id)
        _check_index(dag, chosen, pushed)
        task = next(task for task in dag.tasks if task.task_id == chosen.task_id)
        task.upstream, task.trigger_rule, task.retries = [], "all_success", 0
        task.depends_on_past = task.wait_for_downstream = task.is_setup = task.is_teardown = False
        task.start_date = task.end_date = None
        # Its only instance is made by hand; what it is expanded over is known to its process.
        task.expand = task.group = None
        dag.tasks, dag.groups = [task], []

    return shape


def _check_index(dag: SerializedDag, chosen: Chosen, pushed: list[Pushed]) -> None:
    """Do nothing if --map-index names an instance of the task.

    Raises:
        CommandError: it does not, or is missing.
    """
    from gnomon.model.expansion import sources_of, total_length
    from gnomon.model.graph import Graph

    graph = Graph(dag.tasks, dag.groups)
    expansions = graph.expansions_of(graph.nodes[graph.index[chosen.task_id]])
    what = f"--map-index: task {chosen.task_id}"
    if not expansions:
        if chosen.map_index >= 0:
            raise CommandError(f"{what} is not mapped", exit_code=2)
        return
    if chosen.map_index < 0:
        raise CommandError(f"{what} is mapped; say which of its instances", exit_code=2)
    length = total_length(expansions, lambda task_id: _length(task_id, pushed))
    if length is None:
        sources = ", ".join(dict.fromkeys(name for one in expansions for name in sources_of(one)))
        raise CommandError(
            f"task {chosen.task_id} expands over what {sources} returned, and no run is given in which that was pushed",
            hint=f"name a run of {dag.dag_id} by its run id or logical date; airflow dags list-runs shows them",
        )
    if chosen.map_index >= length:
        have = f"0 to {length - 1}" if length else "none"
        raise CommandError(f"{what} has no instance {chosen.map_index}; there is {have}", exit_code=2)


def _length(task_id: str, pushed: list[Pushed]) -> int | None:
    """Return how long what a task returned is; of a mapped task, how many instances returned something."""
    returned = [one for one in pushed if one.task_id == task_id and one.entry.key == "return_value"]
    if not returned:
        return None
    return len(returned) if returned[0].map_index >= 0 else returned[0].entry.length


class _Unseen:
    """Shows nothing of a run."""

    @contextmanager
    def asking(self) -> Iterator[bool]:
        """Yield whether somebody at the terminal can be asked."""
        yield False

    def show(self, run: Run, instances: Iterable[TaskInstance]) -> None:
        """Show nothing."""


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
