"""The execution protocol: what tasks, triggers and the DAG parser say, and what they are answered.

Why it looks like this: user code must never see the database, so everything it needs is a message, and the same
messages serve a Unix socket on one machine and HTTP from another. A message is declared once, here; the handler
table in `gnomon.api.execution` is tested to be complete. Times on the wire are microseconds since the epoch, UTC
(`int`), or None. Values of XComs and kwargs are JSON text (`Json`), which the control side never decodes into objects.

One try can run in several pieces: a sensor that reschedules and a task that defers come back with the same
try_number. `TryKey.seq` counts every hand-over to an executor, so that (ti, seq) names one piece of execution
for ever; each write of its outcome is a compare-and-set on it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gnomon.wire.assets import GetAsset, GetAssetEvents, GetAssetsOfAlias, GetConsumedEvents, GetInactiveAssets
from gnomon.wire.human_input import AskPeople, GetAnswer, GiveAnswer
from gnomon.wire.state_store import (
    DeleteAssetState,
    DeleteTaskState,
    GetAssetState,
    GetTaskState,
    SetAssetState,
    SetTaskState,
)

#: JSON text as it is stored; the control side passes it on without decoding it.
Json = bytes

#: Version of this protocol, by date. A peer with another version is told so and refused.
PROTOCOL = "2026-11-22"


class TryKey(msgspec.Struct, frozen=True, array_like=True):
    """One piece of execution of a task instance: its id and how many times it has been handed over."""

    ti: int
    seq: int


# ------------------------------------------------------------------------------------------------ workloads


class FileRef(msgspec.Struct, frozen=True):
    """A DAG file at one content. `source_hash` covers the file and the project modules it imports."""

    bundle: str
    path: str  # absolute, on this machine
    relative_path: str
    source_hash: str
    bundle_version: str | None = None
    bundle_root: str = ""


class RunInfo(msgspec.Struct, kw_only=True):
    """What a task may know of its DAG run."""

    id: int
    dag_id: str
    run_id: str
    run_type: str
    state: str = "running"
    logical_date: int | None = None
    data_interval_start: int | None = None
    data_interval_end: int | None = None
    run_after: int
    start_date: int | None = None
    queued_at: int | None = None
    end_date: int | None = None
    clear_number: int = 0
    conf: Json = b"{}"
    triggering_user: str | None = None
    partition_key: str | None = None
    partition_date: int | None = None
    note: str | None = None
    #: what made it, and the number of its DAG's version; only in answers to GetDagRun
    triggered_by: str | None = None
    version_number: int | None = None


class Workload(msgspec.Struct, kw_only=True, tag="execute"):
    """Run one try (or one more piece of it)."""

    key: TryKey
    task_id: str
    map_index: int = -1
    try_number: int
    max_tries: int
    file: FileRef
    run: Raw  # an encoded RunInfo, shared by all tasks of the run
    isolation: str = "fork"
    queue: str = "default"
    pool: str = "default_pool"
    pool_slots: int = 1
    priority_weight: int = 1
    operator: str = ""
    dag_version: int = 0
    #: resume after a deferral: the method to call, and a JSON object {"kwargs": what Outcome.next_kwargs held or null,
    #: "event": payload of the trigger's event}. When the trigger failed or timed out, the method is "__fail__" and
    #: the object is {"kwargs": …, "error": "Trigger timeout" | "Trigger failure", "traceback": text or null}.
    next_method: str | None = None
    next_kwargs: Json | None = None
    #: start of the first piece of this try, and how many reschedules it has had
    first_start: int | None = None
    reschedules: int = 0
    #: for an expanded task: number of instances, and for a task in mapped groups its index per group
    expanded_count: int | None = None
    #: deferral before any process (start_trigger) is decided by the scheduler, so it never comes here
    span_context: dict[str, str] = {}


class CallbackWorkload(msgspec.Struct, kw_only=True, tag="callback"):
    """Run a callback of user code that no task process can run any more."""

    id: int
    kind: str  # "dag_success" | "dag_failure" | "task_failure" | "task_retry" | "deadline"
    file: FileRef
    run: Raw
    reason: str = ""
    task_id: str | None = None
    map_index: int = -1
    try_number: int = 0
    max_tries: int = 0
    #: what to call and with what, where it is no attribute of the DAG or the task (a deadline)
    data: Json | None = None


# ---------------------------------------------------------------------------------- worker → control side


class WorkerHello(msgspec.Struct, kw_only=True, tag="hello"):
    """First message of a worker. The incarnation differs after each start; the name does not.

    Whatever the database holds as running on an earlier incarnation of this name is dead by the time this is sent.
    """

    protocol: str
    name: str
    incarnation: str
    pid: int
    hostname: str
    slots: int
    queues: list[str]  # none: it serves every queue
    #: pieces this incarnation has started and not finished, or whose results it resends after this
    held: list[TryKey] = []


class TryStarting(msgspec.Struct, kw_only=True, tag="starting"):
    """A process is being made for this piece; user code waits for `Proceed`."""

    key: TryKey
    start_date: int
    pid: int = 0


class XComEntry(msgspec.Struct, frozen=True, array_like=True):
    """A pushed value: raw JSON, and its length where a mapped task may expand over it."""

    key: str
    value: Json
    length: int | None = None


class Outcome(msgspec.Struct, kw_only=True, tag="outcome", omit_defaults=True):
    """How a piece of execution ended; `state` says which of the optional fields count.

    success: xcoms, skip, asset_events · failed: retryable, retry_delay, error · skipped ·
    deferred: trigger, next_method, next_kwargs, timeout · up_for_reschedule: reschedule_at ·
    awaiting_input: next_method, next_kwargs, timeout
    """

    key: TryKey
    state: str
    end_date: int
    start_date: int | None = None
    pid: int = 0
    xcoms: list[XComEntry] = []
    #: direct or indirect downstream task instances to skip: [task_id, map_index]; -1 for all of a task
    skip: list[tuple[str, int]] = []
    asset_events: list[dict[str, Any]] = []
    rendered_fields: Json | None = None
    rendered_map_index: str | None = None
    #: False for AirflowFailException and sensor timeouts: no retry whatever is left
    retryable: bool = True
    #: seconds, from a retry policy; None for the task's own delay
    retry_delay: float | None = None
    #: the last line of the traceback, or "killed by SIGKILL"
    error: str | None = None
    #: the worker says so, for the process of the try was gone, and with it whoever would run callbacks
    orphaned: bool = False
    trigger: TriggerSpec | None = None
    next_method: str | None = None
    next_kwargs: Json | None = None
    timeout: int | None = None
    reschedule_at: int | None = None


class TriggerSpec(msgspec.Struct, kw_only=True):
    """A trigger as data: its import path and its serialized arguments."""

    classpath: str
    kwargs: Json
    queue: str | None = None


class Heartbeat(msgspec.Struct, kw_only=True, tag="heartbeat"):
    """The worker lives, and so do these pieces."""

    held: list[TryKey]


class CallbackDone(msgspec.Struct, kw_only=True, tag="callback_done"):
    """The callback has run, well or badly; its log says how."""

    id: int
    #: why it failed, for a deadline's
    error: str | None = None


class Forward(msgspec.Struct, kw_only=True, tag="request"):
    """A task's request, sent on; `seq` numbers it on this connection."""

    n: int
    key: TryKey
    body: Request


# ---------------------------------------------------------------------------------- control side → worker


class Welcome(msgspec.Struct, kw_only=True, tag="welcome"):
    """The worker is known; results it held back can be sent."""

    scheduler: str
    epoch: int


class Refused(msgspec.Struct, kw_only=True, tag="refused"):
    """The worker cannot be used: another protocol version, or its name is taken."""

    reason: str


class Proceed(msgspec.Struct, kw_only=True, tag="proceed"):
    """Go ahead (`ok`), after `running` was committed; or end the process, because the piece is no longer wanted."""

    key: TryKey
    ok: bool
    reason: str = ""


class Settled(msgspec.Struct, kw_only=True, tag="settled"):
    """These outcomes are committed (or void); the worker may forget them."""

    keys: list[TryKey]


class Terminate(msgspec.Struct, kw_only=True, tag="terminate"):
    """End this piece's process: somebody cleared, marked or timed it out. on_kill is called, then SIGKILL."""

    key: TryKey
    reason: str


class Answer(msgspec.Struct, kw_only=True, tag="answer"):
    """The reply to `Forward` number `n`."""

    n: int
    key: TryKey
    body: Reply


class Drain(msgspec.Struct, kw_only=True, tag="drain"):
    """Take nothing new, finish what runs, then leave."""


# ----------------------------------------------------------------------------------- requests of user code


class GetConnection(msgspec.Struct, tag="get_connection"):
    conn_id: str


class GetVariable(msgspec.Struct, tag="get_variable"):
    key: str


class PutVariable(msgspec.Struct, tag="put_variable"):
    key: str
    value: str
    description: str | None = None


class DeleteVariable(msgspec.Struct, tag="delete_variable"):
    key: str


class GetVariableKeys(msgspec.Struct, tag="get_variable_keys"):
    """Keys of the variables in the database, for `Variable.keys`."""

    prefix: str = ""
    limit: int = 1000


class GetXCom(msgspec.Struct, kw_only=True, tag="get_xcom"):
    """One value. Answered by XComValues of at most one entry."""

    dag_id: str
    run_id: str
    task_id: str
    key: str = "return_value"
    map_index: int = -1
    include_prior_dates: bool = False


class GetXComs(msgspec.Struct, kw_only=True, tag="get_xcoms"):
    """All values that match, ordered by (task order given, map_index); a slice of them if start or stop is set.

    With `task_ids` None the newest come first: in the profile of Airflow 2, that is whose value a pull gives.
    """

    dag_id: str
    run_id: str
    task_ids: list[str] | None = None
    key: str | None = "return_value"
    map_indexes: list[int] | None = None
    include_prior_dates: bool = False
    start: int | None = None
    stop: int | None = None
    count_only: bool = False


class PutXCom(msgspec.Struct, kw_only=True, tag="put_xcom"):
    """Write a value of the calling task instance, or of the named one in its own run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    entry: XComEntry


class DeleteXComs(msgspec.Struct, kw_only=True, tag="delete_xcoms"):
    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    key: str | None = None


class PutRenderedFields(msgspec.Struct, kw_only=True, tag="put_rendered_fields"):
    fields: Json
    map_index_label: str | None = None


class GetDagRun(msgspec.Struct, kw_only=True, tag="get_dag_run"):
    """Answered by RunFound; `previous` takes the run before logical_date, of the given state."""

    dag_id: str
    run_id: str | None = None
    logical_date: int | None = None
    previous: bool = False
    state: str | None = None


class CountDagRuns(msgspec.Struct, kw_only=True, tag="count_dag_runs"):
    dag_id: str
    logical_dates: list[int] | None = None
    run_ids: list[str] | None = None
    states: list[str] | None = None


class CountTaskInstances(msgspec.Struct, kw_only=True, tag="count_task_instances"):
    dag_id: str
    task_ids: list[str] | None = None
    group_id: str | None = None
    map_index: int | None = None
    logical_dates: list[int] | None = None
    run_ids: list[str] | None = None
    states: list[str] | None = None


class GetTaskStates(msgspec.Struct, kw_only=True, tag="get_task_states"):
    """Answered by Found: {run_id: {task_id or "task_id_<index>": state}}."""

    dag_id: str
    task_ids: list[str] | None = None
    group_id: str | None = None
    map_index: int | None = None
    logical_dates: list[int] | None = None
    run_ids: list[str] | None = None


class GetPreviousTaskInstance(msgspec.Struct, kw_only=True, tag="get_previous_ti"):
    dag_id: str
    task_id: str
    map_index: int = -1
    logical_date: int | None = None
    state: str | None = None


class TriggerRun(msgspec.Struct, kw_only=True, tag="trigger_run"):
    """Create a run of another DAG. Answered by Done, or Problem("exists")."""

    dag_id: str
    run_id: str | None = None
    conf: Json = b"{}"
    logical_date: int | None = None
    run_after: int | None = None
    reset: bool = False
    run_type: str = "operator_triggered"
    note: str | None = None
    partition_key: str | None = None


class GetDagInfo(msgspec.Struct, tag="get_dag_info"):
    """Answered by Found: dag_id, is_paused, is_stale, fileloc, tags, next_run …; Problem("not_found")."""

    dag_id: str


class SetDagPaused(msgspec.Struct, tag="set_dag_paused"):
    dag_id: str
    is_paused: bool


class MaskSecret(msgspec.Struct, tag="mask_secret"):
    """One way: hide this value in whatever the task's processes print."""

    value: str
    name: str | None = None


Request = (
    GetConnection
    | GetVariable
    | PutVariable
    | DeleteVariable
    | GetVariableKeys
    | GetXCom
    | GetXComs
    | PutXCom
    | DeleteXComs
    | PutRenderedFields
    | GetDagRun
    | CountDagRuns
    | CountTaskInstances
    | GetTaskStates
    | GetPreviousTaskInstance
    | TriggerRun
    | GetDagInfo
    | SetDagPaused
    | MaskSecret
    | AskPeople
    | GetAnswer
    | GiveAnswer
    | GetTaskState
    | SetTaskState
    | DeleteTaskState
    | GetAssetState
    | SetAssetState
    | DeleteAssetState
    | GetAsset
    | GetAssetEvents
    | GetConsumedEvents
    | GetInactiveAssets
    | GetAssetsOfAlias
)


# ------------------------------------------------------------------------------------------------- replies


class Done(msgspec.Struct, tag="done"):
    """It was done; nothing more to say."""


class ConnectionFound(msgspec.Struct, kw_only=True, tag="connection"):
    conn_id: str
    conn_type: str
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    port: int | None = None
    extra: str | None = None
    description: str | None = None


class VariableFound(msgspec.Struct, tag="variable"):
    key: str
    value: str


class XComValue(msgspec.Struct, frozen=True, array_like=True):
    task_id: str
    map_index: int
    key: str
    value: Json


class XComValues(msgspec.Struct, tag="xcoms"):
    values: list[XComValue]
    count: int = 0


class RunFound(msgspec.Struct, tag="run"):
    run: RunInfo | None


class Found(msgspec.Struct, tag="found"):
    """A number, a mapping or a list, as raw JSON."""

    value: Json


class Problem(msgspec.Struct, tag="problem"):
    """It could not be done. `code`: not_found, exists, forbidden, invalid, unavailable, later (ask again soon)."""

    code: str
    message: str


Reply = Done | ConnectionFound | VariableFound | XComValues | RunFound | Found | Problem


# --------------------------------------------------------------------- one machine: worker ↔ template ↔ task


class OpenTemplate(msgspec.Struct, kw_only=True, tag="open_template"):
    """Worker → base: fork a process, import this DAG file in it, keep it warm."""

    id: int
    file: FileRef


class Importing(msgspec.Struct, kw_only=True, tag="importing"):
    """Template → worker, first message on the connection on which its DAG file asks while it is imported."""

    id: int


class TemplateReady(msgspec.Struct, kw_only=True, tag="template_ready"):
    """Template → worker, first message on its own connection."""

    id: int
    pid: int
    dag_ids: list[str] = []
    error: str | None = None


class TemplateForked(msgspec.Struct, kw_only=True, tag="template_forked"):
    """Base → worker: the process of this template exists; it imports the file now."""

    id: int
    pid: int


class TemplateGone(msgspec.Struct, kw_only=True, tag="template_gone"):
    """Base → worker: the process of this template is gone, and its tasks with it; `status` as waitpid gives it."""

    id: int
    status: int


class OpenRunner(msgspec.Struct, kw_only=True, tag="open_runner"):
    """Worker → template: fork a process that runs one Launch after another (`isolation="reuse"`)."""

    id: int


class RunnerReady(msgspec.Struct, kw_only=True, tag="runner_ready"):
    """Reuse runner → worker, first message on its own connection; Launch and Proceed come back on it."""

    id: int
    pid: int


class RunnerGone(msgspec.Struct, kw_only=True, tag="runner_gone"):
    """Template → worker: this reuse runner is gone; `status` as waitpid gives it."""

    id: int
    status: int


class Launch(msgspec.Struct, kw_only=True, tag="launch"):
    """Worker → template or reuse runner: fork (or take) a process for this workload."""

    workload: Workload | CallbackWorkload
    log_path: str


class Launched(msgspec.Struct, kw_only=True, tag="launched"):
    """Template → worker: the process exists."""

    key: TryKey
    pid: int


class Exited(msgspec.Struct, kw_only=True, tag="exited"):
    """Template → worker: the process is gone; `status` as waitpid gives it. Reuse runner → worker: done with this one."""

    key: TryKey
    status: int


class TaskHello(msgspec.Struct, kw_only=True, tag="task_hello"):
    """Task → worker, first message on its own connection."""

    key: TryKey
    pid: int


class Ask(msgspec.Struct, kw_only=True, tag="ask"):
    """Task → worker: a request; the reply comes back on the same connection, in order."""

    body: Request


class Tell(msgspec.Struct, kw_only=True, tag="tell"):
    """Task → worker: a request that wants no reply."""

    body: Request


# ------------------------------------------------------------------------------------------------- parsing


class ParseFile(msgspec.Struct, kw_only=True, tag="parse_file"):
    """dag-processor → parser."""

    bundle: str
    bundle_root: str
    path: str
    relative_path: str
    bundle_version: str | None = None
    #: it could not be imported the last time either
    failed_before: bool = False


class ParsedFile(msgspec.Struct, kw_only=True, tag="parsed_file"):
    """Parser → dag-processor: serialized DAGs, or what went wrong, for one file."""

    relative_path: str
    bundle: str = ""
    dags: list[Json] = []
    #: a traceback cut to the user's frames, or None
    error: str | None = None
    #: (kind, message) pairs shown beside the DAG
    warnings: list[tuple[str, str]] = []
    #: files under the bundle (or plugins, include …) that the import touched, relative to the bundle root
    modules: list[str] = []
    source_hash: str = ""
    seconds: float = 0.0
    #: what listeners of plugins want to hear; None if that could not be told
    listens: list[str] | None = None


FromWorker = WorkerHello | TryStarting | Outcome | Heartbeat | CallbackDone | Forward
ToWorker = Welcome | Refused | Workload | CallbackWorkload | Proceed | Settled | Terminate | Answer | Drain
FromTask = TaskHello | RunnerReady | TryStarting | Ask | Tell | Outcome | CallbackDone | Exited
ToTask = Proceed | Reply
ToRunner = Launch | Proceed | Reply
FromBase = TemplateForked | TemplateGone
ToBase = OpenTemplate
FromTemplate = Importing | TemplateReady | Launched | Exited | RunnerGone
ToTemplate = OpenTemplate | OpenRunner | Launch | MaskSecret
FromParser = ParsedFile | Ask | Tell
ToParser = ParseFile | Reply

_encoder = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as MessagePack."""
    return _encoder.encode(message)


def decoder(of: Any) -> msgspec.msgpack.Decoder[Any]:
    """Return a decoder for one of the unions above, for example `decoder(FromWorker)`."""
    return msgspec.msgpack.Decoder(of)
