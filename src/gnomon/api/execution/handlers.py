"""The answers to what user code asks, over whichever transport the question came.

A request never raises: whatever goes wrong is answered as a Problem, for the other end is somebody's task. One
function per message; a test proves that the table is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gnomon.api.execution import assets, human_input, state_store
from gnomon.api.refusals import AnswerPending, TriggerRefused
from gnomon.api.targets import members
from gnomon.api.triggering import TriggerRequest, trigger_run
from gnomon.model.states import DagRunType
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.service.masking import masker
from gnomon.store import errors
from gnomon.store.reads import execution as reads
from gnomon.store.reads.versions import VersionCache
from gnomon.store.task_instances import Selection
from gnomon.store.types import from_micros, to_micros
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.records import Run

_DONE = wire.Done()
_NEVER = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """Raised by a handler to answer with a Problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Handlers:
    """Answers requests from a store. Thread-safe as far as the store is.

    Args:
        store: where the answers come from.
        max_xcom_bytes: a longer XCom is refused; [core] max_xcom_size, 0 for no limit, unless given.
    """

    def __init__(self, store: Store, max_xcom_bytes: int | None = None) -> None:
        self.store = store
        self.versions = VersionCache()
        if max_xcom_bytes is None:
            max_xcom_bytes = conf.getint("core", "max_xcom_size", fallback=0)
        self.max_xcom_bytes = max_xcom_bytes

    def handle(self, key: wire.TryKey | None, request: wire.Request) -> wire.Reply:
        """Answer one request.

        Args:
            key: the piece of execution that asks; None for the DAG parser and triggers, which belong to no try.
        """
        try:
            return TABLE[type(request)](self, key, request)
        except Refused as refused:
            return wire.Problem(refused.code, str(refused))
        except errors.NotFound as error:
            return wire.Problem("not_found", str(error))
        except errors.AlreadyExists as error:
            return wire.Problem("exists", str(error))
        except errors.Unavailable as error:
            return wire.Problem("unavailable", str(error))
        except (errors.StoreError, TriggerRefused) as error:
            return wire.Problem("invalid", str(error))

    def group_members(self, dag_id: str, group_id: str) -> list[str]:
        """Return the tasks in a task group and the groups in it, as the newest version of the DAG has them."""
        dag = self.store.dags.get(dag_id)
        if dag is None:
            raise errors.DagNotFound(dag_id)
        with self.store.database.read() as conn:
            serialized = self.versions.dag(conn, dag.version_id)
        found = None if serialized is None else members(serialized, group_id)
        if found is None:
            raise Refused("not_found", f"task group {group_id!r} of DAG {dag_id!r} was not found")
        return found


Caller = wire.TryKey | None


# --------------------------------------------------------------------------------- connections and variables


def get_connection(self: Handlers, key: Caller, ask: wire.GetConnection) -> wire.Reply:
    """A connection with its secrets: user code is what they are for."""
    found = self.store.connections.get(ask.conn_id)
    if found is None:
        raise errors.ConnectionNotFound(ask.conn_id)
    return wire.ConnectionFound(**msgspec.structs.asdict(found))


def get_variable(self: Handlers, key: Caller, ask: wire.GetVariable) -> wire.Reply:
    """A variable's text."""
    found = self.store.variables.get(ask.key)
    if found is None:
        raise errors.VariableNotFound(ask.key)
    return wire.VariableFound(ask.key, found.value)


def put_variable(self: Handlers, key: Caller, ask: wire.PutVariable) -> wire.Reply:
    """Create or replace a variable."""
    self.store.variables.set(ask.key, ask.value, ask.description)
    return _DONE


def delete_variable(self: Handlers, key: Caller, ask: wire.DeleteVariable) -> wire.Reply:
    """Delete a variable, if it is there."""
    self.store.variables.delete(ask.key)
    return _DONE


def get_variable_keys(self: Handlers, key: Caller, ask: wire.GetVariableKeys) -> wire.Reply:
    """The keys that begin with a prefix."""
    return _found(self.store.variables.keys(ask.prefix, ask.limit))


# ---------------------------------------------------------------------------------------------------- XComs


def get_xcom(self: Handlers, key: Caller, ask: wire.GetXCom) -> wire.Reply:
    """One value, or none; a missing XCom is nothing wrong."""
    run_id = _anchor(self, key, ask) if ask.include_prior_dates else ask.run_id
    value = self.store.xcoms.get(
        ask.dag_id, run_id, ask.task_id, ask.key, ask.map_index, include_prior_dates=ask.include_prior_dates
    )
    if value is None:
        return wire.XComValues([], 0)
    return wire.XComValues([wire.XComValue(ask.task_id, ask.map_index, ask.key, value)], 1)


def get_xcoms(self: Handlers, key: Caller, ask: wire.GetXComs) -> wire.Reply:
    """Several values, or how many there are."""
    matching: dict[str, Any] = {
        "task_ids": ask.task_ids,
        "key": ask.key,
        "map_indexes": ask.map_indexes,
        "include_prior_dates": ask.include_prior_dates,
    }
    run_id = _anchor(self, key, ask) if ask.include_prior_dates else ask.run_id
    xcoms = self.store.xcoms
    if ask.count_only:
        return wire.XComValues([], xcoms.count(ask.dag_id, run_id, **matching))
    values = xcoms.get_many(ask.dag_id, run_id, start=ask.start, stop=ask.stop, **matching)
    return wire.XComValues(values, len(values))


def _anchor(self: Handlers, key: Caller, ask: wire.GetXCom | wire.GetXComs) -> str:
    """Return the run from which earlier ones are looked at: in another DAG, its newest one at the caller's time."""
    if key is None or self.store.runs.by_run_id(ask.dag_id, ask.run_id) is not None:
        return ask.run_id
    with self.store.database.read() as conn:
        place = reads.place_of(conn, key.ti)
        found = None if place is None else reads.run_at(conn, ask.dag_id, place.moment)
    return found or ask.run_id


def put_xcom(self: Handlers, key: Caller, ask: wire.PutXCom) -> wire.Reply:
    """Write a value into the caller's own run."""
    entry = ask.entry
    if self.max_xcom_bytes and len(entry.value) > self.max_xcom_bytes:
        raise Refused(
            "invalid",
            f"the XCom {entry.key!r} of task {ask.task_id!r} has {len(entry.value)} bytes; [core] max_xcom_size allows"
            f" {self.max_xcom_bytes}: put the data into object storage and push its address",
        )
    _check_own_run(self, key, ask.dag_id, ask.run_id)
    self.store.xcoms.put(ask.dag_id, ask.run_id, ask.task_id, entry, clock.now(), ask.map_index)
    return _DONE


def delete_xcoms(self: Handlers, key: Caller, ask: wire.DeleteXComs) -> wire.Reply:
    """Delete one key, or all keys, of a task instance in the caller's own run."""
    _check_own_run(self, key, ask.dag_id, ask.run_id)
    self.store.xcoms.delete(ask.dag_id, ask.run_id, ask.task_id, ask.map_index, ask.key)
    return _DONE


def put_rendered_fields(self: Handlers, key: Caller, ask: wire.PutRenderedFields) -> wire.Reply:
    """Keep the templated fields as they were rendered."""
    place = _own_place(self, key)
    self.store.task_instances.put_rendered_fields(place.ti, ask.fields, clock.now(), ask.map_index_label)
    return _DONE


def _own_place(self: Handlers, key: Caller) -> reads.Place:
    if key is None:
        raise Refused("forbidden", "only a task can do this")
    with self.store.database.read() as conn:
        place = reads.place_of(conn, key.ti)
    if place is None or place.seq != key.seq:
        raise Refused("forbidden", "this try is over: it was cleared, marked or given to another worker")
    return place


def _check_own_run(self: Handlers, key: Caller, dag_id: str, run_id: str) -> None:
    place = _own_place(self, key)
    if (place.dag_id, place.run_id) != (dag_id, run_id):
        raise Refused("forbidden", f"a task of run {place.run_id!r} cannot change XComs of {dag_id!r}, {run_id!r}")


# -------------------------------------------------------------------------------------- runs and task states


def get_dag_run(self: Handlers, key: Caller, ask: wire.GetDagRun) -> wire.Reply:
    """A run, or none."""
    found = _previous_run(self, ask) if ask.previous else _named_run(self, ask)
    if found is None:
        return wire.RunFound(None)
    info = run_info(found)
    if found.version_id is not None:
        with self.store.database.read() as conn:
            info.version_number = reads.version_number(conn, found.version_id)
    return wire.RunFound(info)


def _previous_run(self: Handlers, ask: wire.GetDagRun) -> Run | None:
    before = _moment(ask.logical_date)
    if before is None and ask.run_id is not None:
        run = self.store.runs.by_run_id(ask.dag_id, ask.run_id)
        before = None if run is None else run.logical_date
    # A run that stands for no date has none before it.
    return None if before is None else self.store.runs.previous(ask.dag_id, before, state=ask.state)


def _named_run(self: Handlers, ask: wire.GetDagRun) -> Run | None:
    runs = self.store.runs
    if ask.run_id is not None:
        found = runs.by_run_id(ask.dag_id, ask.run_id)
    elif ask.logical_date is not None:
        found = runs.by_logical_date(ask.dag_id, from_micros(ask.logical_date))
    else:
        return next(iter(runs.all(ask.dag_id, state=ask.state, limit=1)), None)
    return found if found is None or ask.state is None or found.state == ask.state else None


def run_info(run: Run) -> wire.RunInfo:
    """Return what user code may know of a run."""
    return wire.RunInfo(
        id=run.id,
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=run.run_type,
        state=run.state,
        logical_date=_micros(run.logical_date),
        data_interval_start=_micros(run.data_interval_start),
        data_interval_end=_micros(run.data_interval_end),
        run_after=to_micros(run.run_after),
        start_date=_micros(run.start_date),
        queued_at=_micros(run.queued_at),
        end_date=_micros(run.end_date),
        clear_number=run.clear_number,
        conf=run.conf.encode(),
        triggering_user=run.triggering_user_name,
        partition_key=run.partition_key,
        partition_date=_micros(run.partition_date),
        note=run.note,
        triggered_by=run.triggered_by,
    )


def count_dag_runs(self: Handlers, key: Caller, ask: wire.CountDagRuns) -> wire.Reply:
    """How many runs match."""
    return _found(
        self.store.runs.count(
            ask.dag_id, logical_dates=_moments(ask.logical_dates), run_ids=ask.run_ids, states=ask.states
        )
    )


def count_task_instances(self: Handlers, key: Caller, ask: wire.CountTaskInstances) -> wire.Reply:
    """How many task instances match; "none" and "null" stand for those that are not scheduled yet."""
    states = None if ask.states is None else [None if state in ("none", "null") else state for state in ask.states]
    return _found(
        self.store.task_instances.count(
            ask.dag_id,
            task_ids=_task_ids(self, ask),
            map_index=ask.map_index,
            logical_dates=_moments(ask.logical_dates),
            run_ids=ask.run_ids,
            states=states,
        )
    )


def get_task_states(self: Handlers, key: Caller, ask: wire.GetTaskStates) -> wire.Reply:
    """The states of task instances by run and task."""
    found: dict[str, dict[str, str | None]] = {}
    rows = self.store.task_instances.states(
        ask.dag_id,
        task_ids=_task_ids(self, ask),
        map_index=ask.map_index,
        logical_dates=_moments(ask.logical_dates),
        run_ids=ask.run_ids,
    )
    for run_id, task_id, map_index, state in rows:
        found.setdefault(run_id, {})[task_id if map_index < 0 else f"{task_id}_{map_index}"] = state
    return _found(found)


def _task_ids(self: Handlers, ask: wire.CountTaskInstances | wire.GetTaskStates) -> list[str] | None:
    if ask.group_id is None:
        return ask.task_ids
    inside = self.group_members(ask.dag_id, ask.group_id)
    return inside if ask.task_ids is None else [*ask.task_ids, *inside]


def get_previous_ti(self: Handlers, key: Caller, ask: wire.GetPreviousTaskInstance) -> wire.Reply:
    """The same task in the newest earlier run, or null."""
    before = _moment(ask.logical_date) or _NEVER
    found = self.store.task_instances.previous(ask.dag_id, ask.task_id, ask.map_index, before, ask.state)
    if found is None:
        return _found(None)
    run, ti = found
    return _found(
        {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "task_id": ti.task_id,
            "map_index": ti.map_index,
            "state": ti.state,
            "try_number": ti.try_number,
            "logical_date": _micros(run.logical_date),
            "start_date": _micros(ti.start_date),
            "end_date": _micros(ti.end_date),
        }
    )


def trigger(self: Handlers, key: Caller, ask: wire.TriggerRun) -> wire.Reply:
    """Create a run of another DAG; with `reset`, clear the run that is there instead."""
    try:
        run_conf = msgspec.json.decode(ask.conf or b"{}", type=dict[str, Any])
        run_type = DagRunType(ask.run_type)
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused("invalid", f"the run of DAG {ask.dag_id!r} cannot be triggered: {error}") from None
    request = TriggerRequest(
        dag_id=ask.dag_id,
        now=clock.now(),
        run_id=ask.run_id,
        run_type=run_type,
        logical_date=_moment(ask.logical_date),
        run_after=_moment(ask.run_after),
        conf=run_conf,
        note=ask.note,
        partition_key=ask.partition_key,
        triggered_by="operator",
        infer_from_logical_date=False,
        patience=0.0,  # this may be the scheduler's loop; the task asks again
    )
    try:
        trigger_run(self.store, self.versions, request)
    except AnswerPending as pending:
        return wire.Problem("later", str(pending))
    except errors.RunExists as exists:
        if not ask.reset:
            raise
        _clear(self, exists, request)
    return _DONE


def _clear(self: Handlers, exists: errors.RunExists, request: TriggerRequest) -> None:
    run_id = exists.run_id
    if request.logical_date and self.store.runs.by_run_id(exists.dag_id, run_id) is None:
        same_date = self.store.runs.by_logical_date(exists.dag_id, request.logical_date)
        if same_date is not None and request.run_id is not None and conf.profile() == 3:
            raise Refused(
                "not_found",
                f"DAG {exists.dag_id!r} has no run {request.run_id!r} that could be cleared; the one of this logical"
                f" date is {same_date.run_id!r}",
            )
        run_id = run_id if same_date is None else same_date.run_id
    self.store.task_instances.clear(Selection(dag_id=exists.dag_id, run_ids=[run_id]), request.now)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _moments(micros: list[int] | None) -> list[datetime] | None:
    return None if micros is None else [from_micros(one) for one in micros]


# ----------------------------------------------------------------------------------------------------- DAGs


def get_dag_info(self: Handlers, key: Caller, ask: wire.GetDagInfo) -> wire.Reply:
    """What a task may know of a DAG."""
    dag = self.store.dags.get(ask.dag_id)
    if dag is None:
        raise errors.DagNotFound(ask.dag_id)
    return _found(
        {
            "dag_id": dag.dag_id,
            "is_paused": dag.is_paused,
            "is_stale": dag.is_stale,
            "bundle_name": dag.bundle_name,
            "bundle_version": dag.bundle_version,
            "relative_fileloc": dag.relative_fileloc,
            "fileloc": dag.fileloc,
            "owners": dag.owners,
            "tags": self.store.dags.tags(ask.dag_id),
            "next_dagrun": _micros(dag.next_logical_date),
            "next_dagrun_run_after": _micros(dag.next_run_after),
        }
    )


def set_dag_paused(self: Handlers, key: Caller, ask: wire.SetDagPaused) -> wire.Reply:
    """Pause or unpause a DAG."""
    self.store.dags.set_paused(ask.dag_id, ask.is_paused)
    return _DONE


def mask_secret(self: Handlers, key: Caller, ask: wire.MaskSecret) -> wire.Reply:
    """Hide a value in what the control side prints, too."""
    masker.add(ask.value, ask.name)
    return _DONE


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _found(value: Any) -> wire.Found:
    return wire.Found(msgspec.json.encode(value))


#: Which function answers which message.
TABLE: dict[type, Callable[[Handlers, Caller, Any], wire.Reply]] = {
    wire.GetConnection: get_connection,
    wire.GetVariable: get_variable,
    wire.PutVariable: put_variable,
    wire.DeleteVariable: delete_variable,
    wire.GetVariableKeys: get_variable_keys,
    wire.GetXCom: get_xcom,
    wire.GetXComs: get_xcoms,
    wire.PutXCom: put_xcom,
    wire.DeleteXComs: delete_xcoms,
    wire.PutRenderedFields: put_rendered_fields,
    wire.GetDagRun: get_dag_run,
    wire.CountDagRuns: count_dag_runs,
    wire.CountTaskInstances: count_task_instances,
    wire.GetTaskStates: get_task_states,
    wire.GetPreviousTaskInstance: get_previous_ti,
    wire.TriggerRun: trigger,
    wire.GetDagInfo: get_dag_info,
    wire.SetDagPaused: set_dag_paused,
    wire.MaskSecret: mask_secret,
    **human_input.TABLE,
    **state_store.TABLE,
    **assets.TABLE,
}
