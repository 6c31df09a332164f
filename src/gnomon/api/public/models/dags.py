"""DAGs, tasks, versions, sources, tags, statistics and warnings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, computed_field

from gnomon.api.public.models.base import Body, NumberAsUuid, Response
from gnomon.model.states import DagRunState, DagRunType

#: A DAG without a schedule has "None" as its summary, which is null here, as in Airflow.
_Summary = Annotated[str | None, BeforeValidator(lambda text: None if text == "None" else text)]


class DagTag(Response):
    """A tag of a DAG."""

    name: str
    dag_id: str
    dag_display_name: str


class DagTagCollection(Response):
    """The names of all tags."""

    tags: list[str]
    total_entries: int


class DagVersion(Response):
    """One version of a DAG."""

    id: NumberAsUuid
    version_number: int
    dag_id: str
    bundle_name: str | None
    bundle_version: str | None
    created_at: datetime
    dag_display_name: str
    bundle_url: str | None = None


class DagVersionCollection(Response):
    """Versions of a DAG."""

    dag_versions: list[DagVersion]
    total_entries: int


class Dag(Response):
    """A DAG, as lists show it."""

    dag_id: str
    dag_display_name: str
    is_paused: bool
    is_stale: bool
    last_parsed_time: datetime | None
    last_parse_duration: float | None
    last_expired: datetime | None
    bundle_name: str | None
    bundle_version: str | None
    relative_fileloc: str | None
    fileloc: str
    description: str | None
    timetable_summary: _Summary
    timetable_description: str | None
    timetable_partitioned: bool
    timetable_periodic: bool
    tags: list[DagTag]
    max_active_tasks: int
    max_active_runs: int | None
    max_consecutive_failed_dag_runs: int
    has_task_concurrency_limits: bool
    has_import_errors: bool
    next_dagrun_logical_date: datetime | None
    next_dagrun_data_interval_start: datetime | None
    next_dagrun_data_interval_end: datetime | None
    next_dagrun_run_after: datetime | None
    allowed_run_types: list[DagRunType] | None
    owners: list[str]
    file_token: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_backfillable(self) -> bool:
        """Whether a backfill may create runs of this DAG."""
        allowed = self.allowed_run_types
        return self.timetable_periodic and (allowed is None or DagRunType.BACKFILL in allowed)


class DagCollection(Response):
    """A page of DAGs."""

    dags: list[Dag]
    total_entries: int


class DagDetails(Dag):
    """A DAG with what only its code says."""

    catchup: bool
    dag_run_timeout: timedelta | None
    asset_expression: dict[str, Any] | None
    doc_md: str | None
    start_date: datetime | None
    end_date: datetime | None
    is_paused_upon_creation: bool | None
    params: dict[str, Any] | None
    render_template_as_native_obj: bool
    template_search_path: list[str] | None
    timezone: str | None
    last_parsed: datetime | None
    default_args: dict[str, Any] | None
    rerun_with_latest_version: bool | None = None
    owner_links: dict[str, str] | None = None
    is_favorite: bool = False
    active_runs_count: int = 0
    concurrency: int
    latest_dag_version: DagVersion | None


class DagPatch(Body):
    """What may be changed of a DAG."""

    is_paused: bool


class Task(Response):
    """A task of a DAG."""

    task_id: str | None
    task_display_name: str | None
    owner: str | None
    start_date: datetime | None
    end_date: datetime | None
    trigger_rule: str | None
    depends_on_past: bool
    wait_for_downstream: bool
    retries: float | None
    queue: str | None
    pool: str | None
    pool_slots: float | None
    execution_timeout: TimeDelta | None
    retry_delay: TimeDelta | None
    retry_exponential_backoff: float
    priority_weight: float | None
    weight_rule: str | None
    ui_color: str | None
    ui_fgcolor: str | None
    template_fields: list[str] | None
    downstream_task_ids: list[str] | None
    doc_md: str | None
    operator_name: str | None
    params: dict[str, Any] | None
    class_ref: dict[str, Any] | None
    is_mapped: bool | None
    extra_links: list[str] = Field(default_factory=list)


class TimeDelta(Response):
    """A length of time, in the three parts that Airflow writes."""

    object_type: str = Field(default="TimeDelta", serialization_alias="__type")
    days: int
    seconds: int
    microseconds: int


class TaskCollection(Response):
    """The tasks of a DAG."""

    tasks: list[Task]
    total_entries: int


class DagSource(Response):
    """The file that a DAG version was read from."""

    content: str | None
    dag_id: str
    version_number: int | None
    dag_display_name: str


class StateCount(Response):
    """How many runs are in a state."""

    state: DagRunState
    count: int


class DagStats(Response):
    """How many runs of a DAG are in each state."""

    dag_id: str
    dag_display_name: str
    stats: list[StateCount]


class DagStatsCollection(Response):
    """Statistics of DAGs."""

    dags: list[DagStats]
    total_entries: int


class DagWarning(Response):
    """Something odd about a DAG that does not keep it from running."""

    dag_id: str
    warning_type: str
    message: str
    timestamp: datetime
    dag_display_name: str


class DagWarningCollection(Response):
    """Warnings about DAGs."""

    dag_warnings: list[DagWarning]
    total_entries: int
