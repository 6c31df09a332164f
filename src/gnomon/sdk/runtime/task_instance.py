"""The task instance that runs in this process, as its code sees it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from gnomon.sdk.runtime import xcom
from gnomon.sdk.runtime.channel import require_channel
from gnomon.sdk.runtime.context import Context
from gnomon.sdk.runtime.dag_run import DagRun, find_run, found_value, micros, moment
from gnomon.sdk.types import NOTSET, is_arg_set
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from uuid import UUID

    from pendulum import DateTime


class TaskInstanceKey(NamedTuple):
    """What names one try of a task instance."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int = 1
    map_index: int = -1

    @property
    def primary(self) -> tuple[str, str, str, int]:
        """The key without the try."""
        return self.dag_id, self.task_id, self.run_id, self.map_index

    @property
    def reduced(self) -> TaskInstanceKey:
        """The key of the try that is stored."""
        return self._replace(try_number=max(1, self.try_number - 1))

    @property
    def key(self) -> TaskInstanceKey:
        """Itself; task instances and their keys are used alike."""
        return self


class RuntimeTaskInstance:
    """The running task instance: who it is, its XComs, and questions about what ran before."""

    test_mode = False

    task: Any
    dag_run: DagRun
    try_number: int
    reschedules: int
    expanded_count: int | None

    def __init__(
        self, workload: wire.Workload, task: Any, run: DagRun, *, start_date: int, profile: int = 3, hostname: str = ""
    ) -> None:
        self._workload = workload
        self.profile = profile
        self._start_us = start_date
        self._context: Context | None = None
        #: what the control side has answered already
        self.answers: dict[str, Any] = {}
        self.task = task
        self.dag_run = run
        self.dag_id: str = run.dag_id
        self.run_id: str = run.run_id
        self.task_id: str = workload.task_id
        self.map_index = workload.map_index
        self.try_number = workload.try_number
        self.max_tries = workload.max_tries
        self.queue = workload.queue
        self.pool = workload.pool
        self.pool_slots = workload.pool_slots
        self.priority_weight = workload.priority_weight
        self.operator = workload.operator or type(task).__name__
        self.hostname = hostname
        self.state: str | None = "running"
        self.is_mapped = workload.map_index >= 0
        self.expanded_count = workload.expanded_count
        self.reschedules = workload.reschedules
        self.next_method = workload.next_method
        self.rendered_map_index: str | None = None
        self.end_date: datetime | None = None
        self.pid: int | None = None
        self.note: str | None = None

    # ------------------------------------------------------------------------------------------- identity

    @property
    def id(self) -> UUID:
        """The UUID that the API shows for it."""
        from gnomon.wire.identity import ti_uuid

        return ti_uuid(self._workload.key.ti)

    @property
    def key(self) -> TaskInstanceKey:
        """What names this try."""
        return TaskInstanceKey(self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    @property
    def start_date(self) -> DateTime | None:
        """When this piece of the try began; the try itself, after a deferral."""
        return moment(self._start_us)

    @property
    def logical_date(self) -> Any:
        """The logical date of the run."""
        return self.dag_run.logical_date

    @property
    def execution_date(self) -> Any:
        """The logical date, by its name of Airflow 2."""
        return self.dag_run.logical_date

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, once it has ended."""
        if self.end_date is None or self.start_date is None:
            return None
        return (self.end_date - self.start_date).total_seconds()

    @property
    def prev_attempted_tries(self) -> int:
        """The number of this try; a name of Airflow 2."""
        return self.try_number

    @property
    def log(self) -> logging.Logger:
        """The logger of tasks."""
        return logging.getLogger("airflow.task")

    @property
    def log_url(self) -> str:
        """The page of the UI with this try's log."""
        from urllib.parse import quote

        from gnomon.service.config import conf

        base = (conf.get("api", "base_url", fallback="") or "http://localhost:8080").rstrip("/")
        page = f"{base}/dags/{self.dag_id}/runs/{quote(self.run_id)}/tasks/{self.task_id}"
        mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
        return f"{page}{mapped}?try_number={self.try_number}"

    @property
    def bundle_instance(self) -> Any:
        """The bundle of the DAG's file: its name and version."""
        from types import SimpleNamespace

        return SimpleNamespace(name=self._workload.file.bundle, version=self._workload.file.bundle_version)

    @property
    def mark_success_url(self) -> str:
        """The page of the UI where this task instance can be marked as success."""
        return self.log_url

    def current_state(self, *_: Any, **__: Any) -> str | None:
        """Return the state."""
        return self.state

    def get_dagrun(self, *_: Any, **__: Any) -> DagRun:
        """Return the run it belongs to."""
        return self.dag_run

    # -------------------------------------------------------------------------------------------- context

    def get_template_context(self, *_: Any, **__: Any) -> Context:
        """Return the context; always the same one."""
        if self._context is None:
            self._context = Context(self, profile=self.profile)
        return self._context

    def render_templates(self, context: Any = None, jinja_env: Any = None) -> Any:
        """Render the task's template fields, and return the task as it was before."""
        before = self.task
        self.task.render_template_fields(context or self.get_template_context(), jinja_env)
        return before

    # ---------------------------------------------------------------------------------------------- XComs

    def xcom_push(self, key: str, value: Any, execution_date: Any = None, **_: Any) -> None:
        """Make a value known to other tasks.

        Args:
            key: its name.
            value: anything that has a JSON form.
        """
        xcom.backend().set(
            key=key,
            value=value,
            dag_id=self.dag_id,
            task_id=self.task_id,
            run_id=self.run_id,
            map_index=self.map_index,
        )

    async def axcom_push(self, key: str, value: Any) -> None:
        """Do what `xcom_push` does, from a coroutine."""
        import asyncio

        await asyncio.to_thread(self.xcom_push, key, value)

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str | None = xcom.XCOM_RETURN_KEY,
        include_prior_dates: bool = False,
        session: Any = None,
        *,
        map_indexes: int | Iterable[int] | Any | None = NOTSET,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """Return values that tasks have pushed.

        In Airflow 3's profile `task_ids=None` is this task itself, a list of tasks gives a list with None for what
        is missing, and `default` counts only together with `map_indexes`. In Airflow 2's, `task_ids=None` is any
        task of the run (the last pushed value), `key=None` any key, and lists hold only what was found.

        Args:
            task_ids: one task (gives its value, or all values if it is mapped), or several (gives a list).
            dag_id: another DAG than this one.
            key: the name under which the value was pushed.
            include_prior_dates: take the latest value of this run or an earlier one.
            map_indexes: one or several instances of mapped tasks.
            default: what a missing value is.
            run_id: another run than this one.
        """
        pull = _Pull(dag_id or self.dag_id, run_id or self.run_id, key, include_prior_dates)
        if self.profile == 2:
            return pull.as_airflow_2(task_ids, None if not is_arg_set(map_indexes) else map_indexes, default)
        return pull.as_airflow_3(self.task_id if task_ids is None else task_ids, map_indexes, default)

    async def axcom_pull(self, *args: Any, **kwargs: Any) -> Any:
        """Do what `xcom_pull` does, from a coroutine."""
        import asyncio

        return await asyncio.to_thread(lambda: self.xcom_pull(*args, **kwargs))

    # ------------------------------------------------------------------------------- mapping and reschedules

    def get_relevant_upstream_map_indexes(
        self, upstream: Any, ti_count: int | None = None, session: Any = None
    ) -> int | range | None:
        """Return which instances of an upstream task belong to this one: one, a range, or None for all of them."""
        from gnomon.sdk.runtime.map_indexes import relevant_map_indexes, shared_group

        group = shared_group(self.task, upstream) if self.map_index >= 0 else None
        if group is None:
            return None

        def count(task_id: str) -> int:
            return int(self.get_ti_count(self.dag_id, task_ids=[task_id], run_ids=[self.run_id]))

        own = (ti_count if ti_count is not None else self.expanded_count) or count(self.task_id)
        return relevant_map_indexes(self.task, upstream, group, self.map_index, own, count) if own else None

    def get_first_reschedule_date(self, context: Any = None) -> DateTime | None:
        """Return when this try was first started, if it has been rescheduled since; sensors time out from there."""
        return moment(self._workload.first_start) if self.reschedules else None

    # ---------------------------------------------------------------------------------- what ran before

    def get_previous_dagrun(self, state: str | None = None, session: Any = None) -> DagRun | None:
        """Return the run before this one, of the given state if one is given."""
        date = self.dag_run.logical_date
        if date is None:
            return None
        return find_run(self.dag_id, logical_date=date, previous=True, state=state)

    def get_previous_ti(
        self, state: str | None = None, logical_date: datetime | None = None, map_index: int = -1, session: Any = None
    ) -> PreviousTaskInstance | None:
        """Return this task's instance of an earlier run, of the given state if one is given."""
        date = logical_date or self.dag_run.logical_date
        reply = require_channel().ask(
            wire.GetPreviousTaskInstance(
                dag_id=self.dag_id, task_id=self.task_id, map_index=map_index, logical_date=micros(date), state=state
            )
        )
        if isinstance(reply, wire.Problem) and reply.code == "not_found":
            return None
        found = found_value(reply)
        return PreviousTaskInstance(found) if found else None

    def get_previous_execution_date(self, state: str | None = None, session: Any = None) -> Any:
        """Return the logical date of the run before this one."""
        return getattr(self.get_previous_dagrun(state), "logical_date", None)

    get_previous_logical_date = get_previous_execution_date

    def get_previous_start_date(self, state: str | None = None, session: Any = None) -> Any:
        """Return when this task was started in the run before this one."""
        return getattr(self.get_previous_ti(state), "start_date", None)

    @property
    def previous_ti(self) -> PreviousTaskInstance | None:
        """The instance of this task in the run before."""
        return self.get_previous_ti()

    @property
    def previous_ti_success(self) -> PreviousTaskInstance | None:
        """The last instance of this task that succeeded."""
        return self.get_previous_ti(state="success")

    @property
    def previous_start_date_success(self) -> Any:
        """When this task's last instance that succeeded was started."""
        return self.get_previous_start_date(state="success")

    # --------------------------------------------------------------------------- questions about any DAG

    @staticmethod
    def get_ti_count(
        dag_id: str,
        map_index: int | None = None,
        task_ids: list[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
        states: list[str] | None = None,
    ) -> int:
        """Return how many task instances match."""
        request = wire.CountTaskInstances(
            dag_id=dag_id,
            map_index=map_index,
            task_ids=task_ids,
            group_id=task_group_id,
            logical_dates=_all_micros(logical_dates),
            run_ids=run_ids,
            states=states,
        )
        return int(found_value(require_channel().ask(request)))

    @staticmethod
    def get_task_states(
        dag_id: str,
        map_index: int | None = None,
        task_ids: list[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
    ) -> dict[str, Any]:
        """Return the states of the task instances that match, by run and task."""
        request = wire.GetTaskStates(
            dag_id=dag_id,
            map_index=map_index,
            task_ids=task_ids,
            group_id=task_group_id,
            logical_dates=_all_micros(logical_dates),
            run_ids=run_ids,
        )
        states: dict[str, Any] = found_value(require_channel().ask(request))
        return states

    @staticmethod
    def get_dr_count(
        dag_id: str,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
        states: list[str] | None = None,
    ) -> int:
        """Return how many runs match."""
        request = wire.CountDagRuns(
            dag_id=dag_id, logical_dates=_all_micros(logical_dates), run_ids=run_ids, states=states
        )
        return int(found_value(require_channel().ask(request)))

    @staticmethod
    def get_dagrun_state(dag_id: str, run_id: str) -> str:
        """Return the state of a run.

        Raises:
            ValueError: there is no such run.
        """
        run = find_run(dag_id, run_id=run_id)
        if run is None:
            raise ValueError(f"the DAG {dag_id!r} has no run {run_id!r}")
        return run.state

    @staticmethod
    def get_dag(dag_id: str) -> Any:
        """Return what is known of a DAG: its dag_id, is_paused, tags and so on."""
        from types import SimpleNamespace

        return SimpleNamespace(**found_value(require_channel().ask(wire.GetDagInfo(dag_id))))

    def __repr__(self) -> str:
        index = f" map_index={self.map_index}" if self.map_index >= 0 else ""
        return f"<TaskInstance {self.dag_id}.{self.task_id} {self.run_id}{index} [{self.state}]>"


class PreviousTaskInstance:
    """A task instance of an earlier run."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.dag_id = data.get("dag_id")
        self.task_id = data.get("task_id")
        self.run_id = data.get("run_id")
        self.map_index = data.get("map_index", -1)
        self.state = data.get("state")
        self.try_number = data.get("try_number", 0)
        self.logical_date = moment(data.get("logical_date"))
        self.start_date = moment(data.get("start_date"))
        self.end_date = moment(data.get("end_date"))

    @property
    def duration(self) -> float | None:
        """Seconds from start to end."""
        return (self.end_date - self.start_date).total_seconds() if self.end_date and self.start_date else None


def _all_micros(dates: list[datetime] | None) -> list[int] | None:
    return None if dates is None else [at for at in map(micros, dates) if at is not None]


class _Pull(NamedTuple):
    """One call of `xcom_pull`."""

    dag_id: str
    run_id: str
    key: str | None
    include_prior_dates: bool

    def as_airflow_3(self, task_ids: str | Iterable[str], map_indexes: Any, default: Any) -> Any:
        one_task = isinstance(task_ids, str)
        tasks = [task_ids] if isinstance(task_ids, str) else list(task_ids)
        if not is_arg_set(map_indexes):
            grouped = self._by_task(tasks)
            pulled = [value for task in tasks for value in grouped.get(task) or [None]]
            return pulled[0] if one_task and len(pulled) == 1 else pulled
        one_index = map_indexes is None or isinstance(map_indexes, int)
        if not one_index and not isinstance(map_indexes, Iterable):
            raise TypeError(f"map_indexes must be an int, several ints or None, not {map_indexes!r}")
        indexes = [-1 if map_indexes is None else map_indexes] if one_index else list(map_indexes)
        found = {(one.task_id, one.map_index): self._read(one) for one in self._fetch(tasks, indexes)}
        pulled = [found.get(name) for name in product(tasks, indexes)]
        pulled = [default if value is None else value for value in pulled]
        return pulled[0] if one_task and one_index else pulled

    def as_airflow_2(self, task_ids: str | Iterable[str] | None, map_indexes: Any, default: Any) -> Any:
        tasks = [task_ids] if isinstance(task_ids, str) else None if task_ids is None else list(task_ids)
        several_indexes = isinstance(map_indexes, Iterable)
        indexes = list(map_indexes) if several_indexes else None if map_indexes is None else [map_indexes]
        found = self._fetch(tasks, indexes)
        if several_indexes or not (task_ids is None or isinstance(task_ids, str)):
            return [self._read(one) for one in found]
        if not found:
            return default
        first = found[0]
        if map_indexes is not None or first.map_index < 0:
            return self._read(first)
        return [self._read(one) for one in found if one.task_id == first.task_id and one.key == first.key]

    def _by_task(self, tasks: list[str]) -> dict[str, list[Any]]:
        cls = xcom.backend()
        if any(
            "get_all" in one.__dict__ for one in cls.__mro__[: -len(xcom.BaseXCom.__mro__)]
        ):  # the backend has its own way of reading
            names: dict[str, Any] = {"key": self.key, "dag_id": self.dag_id, "run_id": self.run_id}
            names["include_prior_dates"] = self.include_prior_dates
            return {task: cls.get_all(task_id=task, **names) or [] for task in tasks}
        grouped: dict[str, list[Any]] = {}
        for one in self._fetch(tasks, None):
            grouped.setdefault(one.task_id, []).append(self._read(one))
        return grouped

    def _fetch(self, tasks: list[str] | None, indexes: list[int] | None) -> list[wire.XComValue]:
        return xcom.fetch(
            dag_id=self.dag_id,
            run_id=self.run_id,
            task_ids=tasks,
            key=self.key,
            map_indexes=indexes,
            include_prior_dates=self.include_prior_dates,
        )

    def _read(self, one: wire.XComValue) -> Any:
        return xcom.read(one, dag_id=self.dag_id, run_id=self.run_id)
