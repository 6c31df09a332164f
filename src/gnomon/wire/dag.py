"""The serialized DAG: what the parser writes, the scheduler plans on and the API shows.

Everything here is data. Times are ISO 8601 strings with an offset, durations are seconds. A field that has its
default is left out of the JSON, so that a plain task costs a few dozen bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

#: Raised when the meaning of a field changes; a reader refuses a newer format than its own.
FORMAT = 1


class TimetableSpec(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A schedule as data; `gnomon.model.timetables.build` turns it into a timetable.

    `kind` is one of null, once, continuous, cron_trigger, multiple_cron_trigger, cron_interval, delta_trigger,
    delta_interval, events, assets, asset_or_time, custom.
    """

    kind: str
    #: cron expressions (one, except for multiple_cron_trigger)
    crons: list[str] = []
    #: IANA name or a fixed offset such as "+02:00"
    timezone: str = "UTC"
    #: seconds of a fixed delta; a dateutil relativedelta is its keyword arguments in `relative`
    delta: float | None = None
    relative: dict[str, int] | None = None
    #: seconds of data interval before the tick (CronTriggerTimetable(interval=…)), or its relativedelta
    interval: float = 0.0
    interval_relative: dict[str, int] | None = None
    #: seconds, or True/False as in CronTriggerTimetable(run_immediately=…)
    run_immediately: bool | float = False
    #: EventsTimetable
    events: list[str] = []
    restrict_to_events: bool = False
    description: str | None = None
    #: asset condition: {"all": […]}, {"any": […]}, {"asset": {"name":…, "uri":…}}, {"alias": name}, {"ref": {…}}
    assets: dict[str, Any] | None = None
    #: the time part of asset_or_time
    base: TimetableSpec | None = None
    #: custom timetables: import path and serialized state
    classpath: str | None = None
    data: dict[str, Any] | None = None
    #: what a custom timetable says of itself
    summary: str | None = None
    can_be_scheduled: bool = True
    periodic: bool = True
    active_runs_limit: int | None = None
    #: a custom timetable makes run ids of its own
    names_runs: bool = False


class ExpandInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a mapped operator or a mapped task group expands over.

    `inputs` maps each argument to how long it is: an int for a literal, or a reference {"task_id": …, "kind":
    "xcom"|"map"|"zip"|"concat", "sources": […]} whose length the scheduler reads from pushed XCom lengths. For
    expand_kwargs the one argument is called "*". Argument order is expansion order: the last one varies fastest.
    """

    kind: str  # "expand" | "expand_kwargs"
    inputs: dict[str, int | XComLength]


class XComLength(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The length of a value that is known only once `task_id` has pushed it."""

    #: xcom: length of the return value of task_id (its number of instances, if it is mapped);
    #: zip: min (or max with fillvalue) of sources; concat: sum of sources; map: that of its one source
    kind: str = "xcom"
    task_id: str | None = None
    sources: list[int | XComLength] = []
    longest: bool = False


class SerializedTask(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One task. The first block is what planning needs, the rest is for screens and the API."""

    task_id: str
    upstream: list[str] = []
    trigger_rule: str = "all_success"
    retries: int = 0
    retry_delay: float = 300.0
    #: factor per retry; 0 means constant delay (True in Airflow 2 is 2.0)
    retry_exponential_backoff: float = 0.0
    max_retry_delay: float | None = None
    depends_on_past: bool = False
    ignore_first_depends_on_past: bool = True
    wait_for_downstream: bool = False
    wait_for_past_depends_before_skipping: bool = False
    pool: str = "default_pool"
    pool_slots: int = 1
    priority_weight: int = 1
    weight_rule: str = "downstream"
    #: what a strategy of a user's said: the priority after 0, 1, … tries; the last one stays. Empty without one.
    weights: list[int] = []
    queue: str = "default"
    executor: str | None = None
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    execution_timeout: float | None = None
    start_date: str | None = None
    end_date: str | None = None
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False
    #: an EmptyOperator without outlets and callbacks: succeeds without a process
    inline: bool = False
    #: "fork" (a process per try) or "reuse" (a process runs many tries)
    isolation: str = "fork"
    expand: ExpandInput | None = None
    #: nearest task group; None is the root group
    group: str | None = None
    #: the scheduler must tell a worker to run these when it ends the task itself
    has_failure_callback: bool = False
    has_retry_callback: bool = False
    #: user code decides before each try where it runs and how important it is (`model.asking`)
    is_asked: bool = False
    #: start_from_trigger: defer without a process, with trigger_cls, trigger_kwargs, next_method, next_kwargs, timeout,
    #: and `templates`, the names of those trigger_kwargs that are rendered where the trigger runs
    start_trigger: dict[str, Any] | None = None
    #: of a mapped task: the same for each map index, None for one that begins with a process
    start_triggers: list[dict[str, Any] | None] = []

    task_type: str = "BaseOperator"
    task_module: str = ""
    #: the name shown for it, as `@task.bash` → "@task.bash"
    operator_name: str = ""
    task_display_name: str | None = None
    owner: str = "airflow"
    doc_md: str | None = None
    template_fields: list[str] = []
    template_fields_renderers: dict[str, str] = {}
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    params: dict[str, Any] = {}
    email: list[str] = []
    inlets: list[dict[str, Any]] = []
    outlets: list[dict[str, Any]] = []
    extra_links: list[str] = []
    #: for each of them the XCom that the task leaves it in
    link_keys: dict[str, str] = {}
    executor_config: dict[str, Any] = {}
    #: anything a screen may show that has no field of its own
    extra: dict[str, Any] = {}


class SerializedGroup(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task group; `parent` None is the root. `expand` is set on a mapped task group."""

    group_id: str
    parent: str | None = None
    tooltip: str = ""
    display_name: str | None = None
    ui_color: str = "CornflowerBlue"
    ui_fgcolor: str = "#000"
    expand: ExpandInput | None = None
    #: groups and tasks wired to the group as a whole, for drawing it collapsed
    upstream_groups: list[str] = []
    downstream_groups: list[str] = []
    upstream_tasks: list[str] = []
    downstream_tasks: list[str] = []


class SerializedDag(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A whole DAG. `tasks` are in topological order, ties in the order of definition."""

    format: int = FORMAT
    dag_id: str
    tasks: list[SerializedTask] = []
    groups: list[SerializedGroup] = []
    timetable: TimetableSpec
    #: as the UI shows the schedule: "0 0 * * *", "Asset", "1 day, 0:00:00"
    timetable_summary: str = ""
    timetable_description: str = ""
    timezone: str = "UTC"
    start_date: str | None = None
    end_date: str | None = None
    catchup: bool = False
    max_active_tasks: int = 16
    #: "run" (Airflow 3) or "dag" (Airflow 2): what max_active_tasks is counted over
    max_active_tasks_scope: str = "run"
    max_active_runs: int = 16
    max_consecutive_failed_dag_runs: int = 0
    dagrun_timeout: float | None = None
    fail_fast: bool = False
    is_paused_upon_creation: bool | None = None
    has_success_callback: bool = False
    has_failure_callback: bool = False
    #: a listener wants to hear when a run begins
    has_running_listener: bool = False
    #: param name → {"value", "schema", "description", "source"}
    params: dict[str, dict[str, Any]] = {}
    dag_run_conf_overrides_params: bool = True
    render_template_as_native_obj: bool = False
    allowed_run_types: list[str] | None = None
    deadline: list[dict[str, Any]] = []

    dag_display_name: str | None = None
    description: str | None = None
    doc_md: str | None = None
    tags: list[str] = []
    owners: list[str] = []
    owner_links: dict[str, str] = {}
    fileloc: str = ""
    relative_fileloc: str = ""
    access_control: dict[str, Any] = {}
    default_args: dict[str, Any] = {}
    #: upstream → downstream → label
    edge_labels: dict[str, dict[str, str]] = {}
    rerun_with_latest_version: bool | None = None


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(SerializedDag)


def encode(dag: SerializedDag) -> bytes:
    """Return the canonical JSON of a DAG: equal DAGs give equal bytes."""
    return _encoder.encode(dag)


def decode(data: bytes | str) -> SerializedDag:
    """Read a serialized DAG back.

    Raises:
        msgspec.ValidationError: the data is not a serialized DAG of this format.
    """
    return _decoder.decode(data)
