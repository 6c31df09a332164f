"""Creating a run because somebody asked for it: the REST API, a task, the command line."""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from gnomon.api import inference
from gnomon.api.refusals import TriggerRefused
from gnomon.model.schedule import plan_manual
from gnomon.model.states import DagRunType
from gnomon.model.timetables import DataInterval, Timetable, TimetableError, build
from gnomon.model.timetables.run_ids import check_manual_run_id
from gnomon.service import config
from gnomon.store.errors import DagNotFound
from gnomon.store.reads.versions import VersionCache

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Run
    from gnomon.wire.dag import SerializedDag


class TriggerRequest(msgspec.Struct, kw_only=True):
    """What the run is to be."""

    dag_id: str
    now: datetime
    run_id: str | None = None
    run_type: DagRunType = DagRunType.MANUAL
    logical_date: datetime | None = None
    run_after: datetime | None = None
    data_interval: DataInterval | None = None
    conf: dict[str, Any] | None = None
    note: str | None = None
    partition_key: str | None = None
    triggered_by: str = "rest_api"
    user: str | None = None
    #: whether the data interval is inferred from the logical date (REST) or from run_after (operators, CLI)
    infer_from_logical_date: bool = True
    #: seconds to wait for a custom timetable that has to say what the data interval is
    patience: float = inference.PATIENCE_SECONDS


def trigger_run(store: Store, versions: VersionCache, request: TriggerRequest) -> Run:
    """Create a run and ring the scheduler's bell.

    Raises:
        DagNotFound: there is no such DAG, or it is gone from its file.
        RunExists: the DAG has a run with this run id or this logical date.
        TriggerRefused: the DAG, its parameters or the run id do not allow it.
        AnswerPending: its custom timetable has not said in time what the data interval is.
    """
    dag = store.dags.get(request.dag_id)
    if dag is None or dag.is_stale:
        raise DagNotFound(request.dag_id)
    if dag.has_import_errors:
        raise TriggerRefused(f"Dag with dag_id: '{request.dag_id}' has import errors and cannot be triggered")
    with store.database.read() as conn:
        serialized = versions.dag(conn, dag.version_id)
    if serialized is None:
        raise TriggerRefused(f"Dag with dag_id: '{request.dag_id}' has not been parsed yet")
    if serialized.allowed_run_types is not None and request.run_type not in serialized.allowed_run_types:
        raise TriggerRefused(f"Dag with dag_id: '{request.dag_id}' does not allow {request.run_type} runs")
    conf = request.conf or {}
    check_params(serialized, conf)
    profile = config.profile()
    timetable = build(serialized.timetable, profile)
    plan = partial(
        plan_manual,
        timetable,
        logical_date=request.logical_date,
        run_after=request.run_after or request.now,
        profile=profile,
        salt=secrets.token_hex(4),
        data_interval=request.data_interval,
        run_type=request.run_type,
        infer_from_logical_date=request.infer_from_logical_date,
        is_named=request.run_id is not None,
    )
    planned = inference.planned(store, request.dag_id, plan, patience=request.patience)
    if request.run_id is not None and request.run_type is DagRunType.MANUAL:
        try:
            check_manual_run_id(request.run_id)
        except ValueError as error:
            raise TriggerRefused(str(error)) from None
    return store.runs.create(
        request.dag_id,
        request.run_id or planned.run_id,
        now=request.now,
        run_after=planned.run_after,
        run_type=request.run_type,
        logical_date=planned.logical_date,
        data_interval=planned.data_interval,
        conf=conf,
        note=request.note,
        triggered_by=request.triggered_by,
        user=request.user,
        partition_key=request.partition_key,
        partition_date=_date_of_partition(store, timetable, request),
        version_id=dag.version_id,
    )


def _date_of_partition(store: Store, timetable: Timetable, request: TriggerRequest) -> datetime | None:
    key = request.partition_key
    if key is None:
        return None
    if not timetable.partitioned:
        raise TriggerRefused(f"Dag '{request.dag_id}' is not a partitioned Dag and does not accept a partition_key.")
    if not key.strip():
        raise TriggerRefused("partition_key must not be empty or whitespace-only.")
    try:
        return inference.date_of_partition(store, request.dag_id, timetable, key, patience=request.patience)
    except TimetableError as error:
        raise TriggerRefused(str(error)) from None


def check_params(dag: SerializedDag, conf: dict[str, Any]) -> None:
    """Do nothing if the DAG's parameters, overridden by `conf`, fit their schemas.

    Raises:
        TriggerRefused: a required one is missing, or one has a value that its schema does not allow.
    """
    import jsonschema

    for name, param in dag.params.items():
        overridden = dag.dag_run_conf_overrides_params and name in conf
        value, schema = conf[name] if overridden else param.get("value"), param.get("schema") or {}
        if not overridden and value is None and "value" not in param:
            raise TriggerRefused(f"Param {name!r} is required: it has no default, so conf must have it")
        try:
            jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            raise TriggerRefused(f"Param {name!r} is not valid: {error.message}") from None
