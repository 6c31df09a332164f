"""The context: what templates, callables and callbacks know of their task instance.

It is a dict whose entries are worked out when they are first asked for, because most tasks look at two of the forty.
Whoever takes all of them (`**context`, `dict(context)`) gets real values, except for the few that cost a question to
the control side: those are stand-ins that ask when they are used.

A run without a logical date has none of the entries that derive from it, so that a template which names one fails
instead of showing "None". The entries that Airflow 3 removed exist in the profile of Airflow 2 only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from gnomon.sdk.runtime.accessors import (
    ConnectionAccessor,
    Lazy,
    MacrosAccessor,
    Variables,
)
from gnomon.sdk.runtime.current import get_current_context as get_current_context  # noqa: PLC0414 - its old home
from gnomon.sdk.runtime.dag_run import DagRun, find_run
from gnomon.sdk.runtime.exported import context_to_airflow_vars as context_to_airflow_vars  # noqa: PLC0414

if TYPE_CHECKING:
    from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance

_Maker = Callable[["RuntimeTaskInstance"], Any]


class RemovedContextKeyError(KeyError):
    """A template or callable uses an entry that Airflow 3 removed."""

    def __str__(self) -> str:
        return f"{self.args[0]!r} is not in the context of Airflow 3: {REMOVED[self.args[0]]}"


class Context(dict[str, Any]):
    """The context of one try; for tests of operators, a call without a task instance returns a plain dict of its arguments."""

    def __new__(cls, *given: Any, **entries: Any) -> Any:
        """Return a context, or what Airflow's typed dict would return."""
        if given and not isinstance(given[0], dict):
            return super().__new__(cls)
        return dict(*given, **entries)

    def __init__(self, ti: RuntimeTaskInstance, *, profile: int = 3) -> None:
        super().__init__(ti=ti, task_instance=ti, task=ti.task, dag=ti.task.dag, run_id=ti.run_id)
        self._makers: dict[str, _Maker] = _makers_for(ti.dag_run, profile)
        self._open = True
        self._profile = profile

    def __missing__(self, key: str) -> Any:
        maker = self._makers.get(key) if self._open else None
        if maker is None:
            if key in REMOVED and self._profile != 2:
                raise RemovedContextKeyError(key)
            raise KeyError(key)
        if key in REMOVED:
            warnings.warn(f"{key!r} is gone in Airflow 3: {REMOVED[key]}", DeprecationWarning, stacklevel=3)
        value = maker(dict.__getitem__(self, "ti"))
        self[key] = value
        return value

    def _complete(self) -> None:
        """Turn into a plain dict with every entry."""
        if not self._open:
            return
        self._open = False
        ti = dict.__getitem__(self, "ti")
        for key, maker in self._makers.items():
            if not dict.__contains__(self, key):
                self[key] = Lazy(partial(maker, ti)) if key in ASKING else maker(ti)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or (self._open and key in self._makers)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401 - it is the implementation of `get`

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return dict.__iter__(self)

    def __len__(self) -> int:
        self._complete()
        return dict.__len__(self)

    def __bool__(self) -> bool:
        return True

    def keys(self) -> Any:
        self._complete()
        return dict.keys(self)

    def values(self) -> Any:
        self._complete()
        return dict.values(self)

    def items(self) -> Any:
        self._complete()
        return dict.items(self)

    def copy(self) -> dict[str, Any]:
        self._complete()
        return dict(dict.items(self))

    __copy__ = copy

    def pop(self, key: str, *default: Any) -> Any:
        self._complete()
        return dict.pop(self, key, *default)

    def __delitem__(self, key: str) -> None:
        self._complete()
        dict.__delitem__(self, key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __eq__(self, other: object) -> bool:
        self._complete()
        return dict.__eq__(self, other)

    __hash__ = None

    def __or__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        return {**self, **other}

    def __repr__(self) -> str:
        return f"<Context of {dict.__getitem__(self, 'ti')!r}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (self.copy(),)


def context_merge(context: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    """Update a context in place, as `dict.update` does."""
    context.update(*args, **kwargs)


def context_get_outlet_events(context: dict[str, Any]) -> Any:
    """Return the accessors of the task's outlets."""
    if "outlet_events" in context:
        return context["outlet_events"]
    from gnomon.sdk.runtime.asset_events import OutletEventAccessors

    return OutletEventAccessors()


# -------------------------------------------------------------------------------------------------- params


def merged_params(ti: RuntimeTaskInstance) -> dict[str, Any]:
    """Return the params: the DAG's, under the task's, under the run's conf if settings let it override.

    Raises:
        ParamValidationError: a value does not fit its schema.
    """
    task, conf = ti.task, ti.dag_run.conf
    dag_params = getattr(task.dag, "params", None)
    if not dag_params and not task.params and not conf:
        return {}
    from gnomon.sdk.params import process_params

    return process_params(task.dag, task, conf, suppress_exception=False)


# --------------------------------------------------------------------------------------------- previous runs


def _previous_success(ti: RuntimeTaskInstance) -> DagRun | None:
    if "previous_success" not in ti.answers:
        date = ti.dag_run.logical_date
        found = None
        if date is not None:
            found = find_run(ti.dag_id, logical_date=date, previous=True, state="success")
        ti.answers["previous_success"] = found
    run: DagRun | None = ti.answers["previous_success"]
    return run


def _previous(attribute: str) -> _Maker:
    return lambda ti: getattr(_previous_success(ti), attribute, None)


# --------------------------------------------------------------------------------------------------- makers


def _ds(ti: RuntimeTaskInstance) -> str:
    date: str = ti.dag_run.logical_date.strftime("%Y-%m-%d")
    return date


def _ts(ti: RuntimeTaskInstance) -> str:
    text: str = ti.dag_run.logical_date.isoformat()
    return text


def _key(ti: RuntimeTaskInstance) -> str:
    last = ti.run_id if ti.dag_run.logical_date is None else _ds(ti).replace("-", "")
    return f"{ti.dag_id}__{ti.task_id}__{last}"


def _outlet_events(ti: RuntimeTaskInstance) -> Any:
    from gnomon.sdk.runtime.asset_events import OutletEventAccessors

    return OutletEventAccessors(ti.task.outlets)


def _inlet_events(ti: RuntimeTaskInstance) -> Any:
    from gnomon.sdk.runtime.asset_events import InletEventsAccessors

    return InletEventsAccessors(ti.task.inlets)


def _triggering_events(ti: RuntimeTaskInstance) -> Any:
    from gnomon.sdk.runtime.asset_events import TriggeringAssetEvents

    return TriggeringAssetEvents(ti.dag_run.consumed_asset_events)


def _triggering_datasets(ti: RuntimeTaskInstance) -> dict[str, list[Any]]:
    by_uri: dict[str, list[Any]] = {}
    for event in ti.dag_run.consumed_asset_events:
        by_uri.setdefault(event.uri, []).append(event)
    return by_uri


def _state_store(ti: RuntimeTaskInstance) -> Any:
    from gnomon.sdk.runtime.state_store import TaskStateStore

    return TaskStateStore(ti)


def _asset_state_store(ti: RuntimeTaskInstance) -> Any:
    from gnomon.sdk.runtime.state_store import AssetStateStores

    return AssetStateStores(ti.task.inlets, ti.task.outlets)


_ALWAYS: dict[str, _Maker] = {
    "conn": lambda ti: ConnectionAccessor(),
    "dag_run": lambda ti: ti.dag_run,
    "expanded_ti_count": lambda ti: ti.expanded_count,
    "inlet_events": _inlet_events,
    "inlets": lambda ti: ti.task.inlets,
    "macros": lambda ti: MacrosAccessor(),
    "map_index_template": lambda ti: ti.task.map_index_template,
    "outlet_events": _outlet_events,
    "outlets": lambda ti: ti.task.outlets,
    "params": merged_params,
    "prev_end_date_success": _previous("end_date"),
    "prev_start_date_success": _previous("start_date"),
    "task_instance_key_str": _key,
    "test_mode": lambda ti: ti.test_mode,
    "try_number": lambda ti: ti.try_number,
    "var": lambda ti: Variables(),
}

_NEW_IN_3: dict[str, _Maker] = {
    "asset_state_store": _asset_state_store,
    "partition_date": lambda ti: ti.dag_run.partition_date,
    "partition_key": lambda ti: ti.dag_run.partition_key,
    "task_reschedule_count": lambda ti: ti.reschedules,
    "task_state_store": _state_store,
    "triggering_asset_events": _triggering_events,
}

_WITH_LOGICAL_DATE: dict[str, _Maker] = {
    "data_interval_end": lambda ti: ti.dag_run.data_interval_end,
    "data_interval_start": lambda ti: ti.dag_run.data_interval_start,
    "ds": _ds,
    "ds_nodash": lambda ti: _ds(ti).replace("-", ""),
    "logical_date": lambda ti: ti.dag_run.logical_date,
    "prev_data_interval_end_success": _previous("data_interval_end"),
    "prev_data_interval_start_success": _previous("data_interval_start"),
    "ts": _ts,
    "ts_nodash": lambda ti: ti.dag_run.logical_date.strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda ti: _ts(ti).replace("-", "").replace(":", ""),
}


def _settings(ti: RuntimeTaskInstance) -> Any:
    from gnomon.service.config import conf

    return conf


def _neighbour(direction: int) -> _Maker:
    def make(ti: RuntimeTaskInstance) -> Any:
        if ti.dag_run.external_trigger:
            return ti.dag_run.logical_date
        from gnomon.sdk.runtime.schedule import neighbouring_logical_date

        return neighbouring_logical_date(ti.task.dag, ti.dag_run, direction)

    return make


def _day(make: _Maker, *, dashes: bool = True) -> _Maker:
    def text(ti: RuntimeTaskInstance) -> str | None:
        date = make(ti)
        return None if date is None else date.strftime("%Y-%m-%d" if dashes else "%Y%m%d")

    return text


def _shifted(days: int) -> _Maker:
    return lambda ti: ti.dag_run.logical_date + timedelta(days=days)


_IN_2: dict[str, _Maker] = {
    "conf": _settings,
    "execution_date": lambda ti: ti.dag_run.logical_date,
    "next_ds": _day(_neighbour(1)),
    "next_ds_nodash": _day(_neighbour(1), dashes=False),
    "next_execution_date": _neighbour(1),
    "prev_ds": _day(_neighbour(-1)),
    "prev_ds_nodash": _day(_neighbour(-1), dashes=False),
    "prev_execution_date": _neighbour(-1),
    "prev_execution_date_success": _previous("logical_date"),
    "tomorrow_ds": _day(_shifted(1)),
    "tomorrow_ds_nodash": _day(_shifted(1), dashes=False),
    "triggering_dataset_events": _triggering_datasets,
    "yesterday_ds": _day(_shifted(-1)),
    "yesterday_ds_nodash": _day(_shifted(-1), dashes=False),
}

#: Entries that Airflow 3 removed, and what to use there.
REMOVED = {
    "conf": "import conf from airflow.configuration",
    "execution_date": "use logical_date",
    "next_ds": "use data_interval_end | ds",
    "next_ds_nodash": "use data_interval_end | ds_nodash",
    "next_execution_date": "use data_interval_end",
    "prev_ds": "use prev_data_interval_start_success | ds",
    "prev_ds_nodash": "use prev_data_interval_start_success | ds_nodash",
    "prev_execution_date": "use prev_data_interval_start_success",
    "prev_execution_date_success": "use prev_data_interval_start_success",
    "tomorrow_ds": "use macros.ds_add(ds, 1)",
    "tomorrow_ds_nodash": "use macros.ds_add(ds, 1)",
    "triggering_dataset_events": "use triggering_asset_events",
    "yesterday_ds": "use macros.ds_add(ds, -1)",
    "yesterday_ds_nodash": "use macros.ds_add(ds, -1)",
}

#: Entries that ask the control side, or work on the schedule.
ASKING = frozenset(
    {key for key in (*_ALWAYS, *_WITH_LOGICAL_DATE, *_IN_2) if key.startswith(("prev_", "next_"))}
    | {"conf", "triggering_asset_events", "triggering_dataset_events"}
)

_WITHOUT_DATE = {**_ALWAYS, **_NEW_IN_3}
_WITH_DATE = {**_WITHOUT_DATE, **_WITH_LOGICAL_DATE}
_PROFILE_2 = {**_WITH_DATE, **_IN_2}

#: All keys a context may have, with those that only operators and callbacks set.
KNOWN_CONTEXT_KEYS = frozenset(
    {*_WITH_DATE, "dag", "exception", "reason", "run_id", "task", "task_instance", "templates_dict", "ti"}
)


def _makers_for(run: DagRun, profile: int) -> dict[str, _Maker]:
    if not run.has_logical_date:
        return _WITHOUT_DATE
    return _PROFILE_2 if profile == 2 else _WITH_DATE
