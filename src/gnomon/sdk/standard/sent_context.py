"""What of the context can be sent to another interpreter, where neither Gnomon nor pendulum need be installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

#: Names that are plain enough as they are; what only Airflow 2 had is at the end.
_AS_THEY_ARE = frozenset(
    {
        "ds", "ds_nodash", "expanded_ti_count", "inlets", "map_index_template", "outlets", "partition_key", "run_id",
        "task_instance_key_str", "task_reschedule_count", "test_mode", "try_number", "ts", "ts_nodash",
        "ts_nodash_with_tz", "templates_dict",
        "next_ds", "next_ds_nodash", "prev_ds", "prev_ds_nodash", "tomorrow_ds", "tomorrow_ds_nodash", "yesterday_ds",
        "yesterday_ds_nodash",
    }
)  # fmt: skip
_DATES = frozenset(
    {
        "data_interval_end", "data_interval_start", "logical_date", "partition_date", "prev_data_interval_end_success",
        "prev_data_interval_start_success", "prev_end_date_success", "prev_start_date_success",
        "execution_date", "next_execution_date", "prev_execution_date", "prev_execution_date_success",
    }
)  # fmt: skip
#: What a function gets only where the SDK can be imported.
OF_SDK = frozenset({"macros"})


def plain(name: str, value: Any) -> Any:
    """Return an entry of the context in terms of the standard library; an object becomes its data."""
    if value is None:
        return None
    make = _MAKERS.get(name)
    if make is not None:
        return make(value)
    return _date(value) if name in _DATES else value


def _date(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value.isoformat())


def _params(value: Any) -> Any:
    return json.loads(json.dumps(dict(value)))


def _dag(dag: Any) -> SimpleNamespace:
    return SimpleNamespace(
        dag_id=dag.dag_id,
        dag_display_name=dag.dag_display_name,
        description=dag.description,
        tags=sorted(dag.tags),
        owner=dag.owner,
        fileloc=dag.fileloc,
        start_date=_date(dag.start_date),
        end_date=_date(dag.end_date),
        catchup=dag.catchup,
        max_active_runs=dag.max_active_runs,
        task_ids=list(dag.task_ids),
    )


def _task(task: Any) -> SimpleNamespace:
    names = ("task_id", "dag_id", "task_type", "owner", "retries", "pool", "queue", "priority_weight")
    neighbours = {name: sorted(getattr(task, name)) for name in ("upstream_task_ids", "downstream_task_ids")}
    return SimpleNamespace(**{name: getattr(task, name) for name in names}, **neighbours)


def _dag_run(run: Any) -> SimpleNamespace:
    plain_names = ("dag_id", "run_id", "conf", "clear_number", "note", "partition_key", "triggering_user_name")
    dates = (
        *("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date", "end_date"),
        *("queued_at", "partition_date"),
    )
    return SimpleNamespace(
        **{name: getattr(run, name) for name in plain_names},
        **{name: _date(getattr(run, name, None)) for name in dates},
        run_type=str(getattr(run.run_type, "value", run.run_type)),
        state=str(getattr(run.state, "value", run.state)),
    )


_MAKERS: Mapping[str, Callable[[Any], Any]] = {"params": _params, "dag": _dag, "task": _task, "dag_run": _dag_run}
#: Everything that can be sent.
SENDABLE = _AS_THEY_ARE | _DATES | _MAKERS.keys()
