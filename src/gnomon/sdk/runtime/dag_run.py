"""The DAG run as a task sees it."""

from __future__ import annotations

import json
from calendar import timegm
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gnomon.model import states
from gnomon.sdk.runtime.channel import require_channel
from gnomon.sdk.settings import profile
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from pendulum import DateTime

    from gnomon.sdk.runtime.asset_events import AssetEventResult

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(micros: int | None) -> DateTime | None:
    """Return a time of the wire as pendulum's type, in UTC."""
    if micros is None:
        return None
    import pendulum

    at = _EPOCH + timedelta(microseconds=micros)
    return pendulum.DateTime(
        at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=pendulum.UTC
    )


def micros(at: datetime | None) -> int | None:
    """Return a time as it travels; one without a timezone counts as UTC."""
    if at is None:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    # Not by subtraction: pendulum's intervals cannot be divided by a timedelta.
    return timegm(at.utctimetuple()) * 1_000_000 + at.microsecond


#: In Airflow 3 what a run says of its type and state equals the value, yet a template prints the member's name.
_make: Any = Enum
_MEMBERS: dict[str, Any] = {
    name: _make(source.__name__, {one.name: one.value for one in source}, type=str, module=__name__)
    for name, source in (("run_type", states.DagRunType), ("state", states.DagRunState))
}
DagRunType, DagRunState = _MEMBERS.values()


#: Attributes that a DagRun takes from its RunInfo as they are.
_PLAIN = {
    "id": "id",
    "clear_number": "clear_number",
    "triggering_user_name": "triggering_user",
    "partition_key": "partition_key",
    "note": "note",
}


class _Moment:
    """An attribute that turns a time of the wire into pendulum's type when it is first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, run: Any, owner: type | None = None) -> Any:
        if run is None:
            return self
        value = run.__dict__[self.name] = moment(getattr(run._info, self.name))
        return value


class DagRun:
    """A DAG run: its dates, its conf, and questions about its task instances.

    Args:
        info: what is known of it.
        plain: its type and state print their values in every profile.
    """

    logical_date = _Moment()
    data_interval_start = _Moment()
    data_interval_end = _Moment()
    run_after = _Moment()
    start_date = _Moment()
    end_date = _Moment()
    queued_at = _Moment()
    partition_date = _Moment()
    if TYPE_CHECKING:
        id: int
        run_type: str
        state: str
        clear_number: int
        triggering_user_name: str | None
        partition_key: str | None
        note: str | None

    def __init__(self, info: wire.RunInfo, *, plain: bool = False) -> None:
        self._info = info
        self._is_plain = plain
        self.dag_id = info.dag_id
        self.run_id = info.run_id
        #: whether it has one, told without making it
        self.has_logical_date = info.logical_date is not None

    def __getattr__(self, name: str) -> Any:
        # Most tasks look at two of these.
        if name in _PLAIN:
            return getattr(self._info, _PLAIN[name])
        if name in _MEMBERS:
            value = getattr(self._info, name)
            return value if self._is_plain or profile() == 2 else _MEMBERS[name](value)
        raise AttributeError(f"a DagRun has no attribute {name!r}")

    @property
    def conf(self) -> dict[str, Any]:
        """What the run was triggered with."""
        if "_conf" not in self.__dict__:
            self.__dict__["_conf"] = json.loads(self._info.conf) or {}
        conf: dict[str, Any] = self.__dict__["_conf"]
        return conf

    @property
    def logical_date_text(self) -> str | None:
        """The logical date in ISO 8601."""
        at = self._info.logical_date
        return None if at is None else (_EPOCH + timedelta(microseconds=at)).isoformat()

    @property
    def has_conf(self) -> bool:
        """Whether it was triggered with anything, told without decoding it."""
        return self._info.conf not in (b"{}", b"null", b"")

    @property
    def execution_date(self) -> Any:
        """The logical date, by its name of Airflow 2."""
        return self.logical_date

    @property
    def external_trigger(self) -> bool:
        """Whether somebody triggered the run, as Airflow 2 called it."""
        return self.run_type not in ("scheduled", "backfill", "asset_triggered")

    @cached_property
    def consumed_asset_events(self) -> list[AssetEventResult]:
        """The asset events that this run was created for; asked for when they are looked at."""
        from gnomon.sdk.runtime.asset_events import triggering

        return triggering(self)

    @property
    def consumed_dataset_events(self) -> list[AssetEventResult]:
        """The same, by its name of Airflow 2."""
        return self.consumed_asset_events

    def get_state(self) -> str:
        """Return the state now."""
        current = find_run(self.dag_id, run_id=self.run_id)
        return current.state if current else self.state

    def get_task_instance(self, task_id: str, map_index: int = -1, **_: Any) -> TaskInstanceView | None:
        """Return the state of a task instance of this run; None if there is no such one."""
        name = task_id if map_index < 0 else f"{task_id}_{map_index}"
        states = self._task_states([task_id])
        return TaskInstanceView(self, task_id, map_index, states[name]) if name in states else None

    def get_task_instances(self, state: Any = None, **_: Any) -> list[TaskInstanceView]:
        """Return the task instances of this run, of the given state or states if there are any."""
        wanted = [state] if isinstance(state, str) or state is None else list(state)
        found = [_view(self, name, current) for name, current in self._task_states(None).items()]
        return [view for view in found if state is None or view.state in wanted]

    @classmethod
    def fetch_task_instances(
        cls, dag_id: str, run_id: str, task_ids: Iterable[str] | None = None, **_: Any
    ) -> list[TaskInstanceView]:
        """Return the task instances of a run."""
        run = find_run(dag_id, run_id=run_id)
        wanted = None if task_ids is None else set(task_ids)
        found = [] if run is None else run.get_task_instances()
        return [view for view in found if wanted is None or view.task_id in wanted]

    @staticmethod
    def _get_partial_task_ids(dag: Any) -> list[str] | None:
        """Return the tasks of a DAG that is a part of another, None for a whole one; openlineage asks for it."""
        return list(dag.task_ids) if dag is not None and dag.partial else None

    def _task_states(self, task_ids: list[str] | None) -> dict[str, str | None]:
        reply = require_channel().ask(wire.GetTaskStates(dag_id=self.dag_id, task_ids=task_ids, run_ids=[self.run_id]))
        states: dict[str, dict[str, str | None]] = found_value(reply)
        return states.get(self.run_id, {})

    def __repr__(self) -> str:
        return f"<DagRun {self.dag_id} @ {self.run_id}, state: {self.state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DagRun) and (self.dag_id, self.run_id) == (other.dag_id, other.run_id)

    def __hash__(self) -> int:
        return hash((self.dag_id, self.run_id))


class TaskInstanceView:
    """Another task instance, as far as a task may see it."""

    def __init__(self, run: DagRun, task_id: str, map_index: int, state: str | None) -> None:
        self.dag_run = run
        self.dag_id = run.dag_id
        self.run_id = run.run_id
        self.task_id = task_id
        self.map_index = map_index
        self.state = state
        #: not asked for
        self.start_date = self.end_date = self.duration = None

    def current_state(self) -> str | None:
        """Return the state as it was asked for."""
        return self.state

    def __repr__(self) -> str:
        return f"<TaskInstance {self.dag_id}.{self.task_id} {self.run_id} [{self.state}]>"


def _view(run: DagRun, name: str, state: str | None) -> TaskInstanceView:
    task_id, _, index = name.rpartition("_")
    if task_id and index.isdigit():
        from gnomon.sdk.runtime.current import known_task

        if known_task(run.dag_id, name) is None:
            return TaskInstanceView(run, task_id, int(index), state)
    return TaskInstanceView(run, name, -1, state)


def find_run(
    dag_id: str,
    *,
    run_id: str | None = None,
    logical_date: datetime | None = None,
    previous: bool = False,
    state: str | None = None,
) -> DagRun | None:
    """Ask for a run; None if there is no such one."""
    reply = require_channel().ask(
        wire.GetDagRun(dag_id=dag_id, run_id=run_id, logical_date=micros(logical_date), previous=previous, state=state)
    )
    if isinstance(reply, wire.Problem):
        if reply.code == "not_found":
            return None
        raise RuntimeError(reply.message)
    if not isinstance(reply, wire.RunFound) or reply.run is None:
        return None
    return DagRun(reply.run)


def found_value(reply: wire.Reply) -> Any:
    """Return the content of a `Found`.

    Raises:
        RuntimeError: it is a problem instead.
    """
    if isinstance(reply, wire.Found):
        return json.loads(reply.value)
    raise RuntimeError(reply.message if isinstance(reply, wire.Problem) else f"unexpected {type(reply).__name__}")
