"""Variables, connections, pools, import errors, jobs, the audit log, settings and health."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue, field_validator

from gnomon.api.public.models.base import Body, Response

NoTeam = Annotated[None, Field(description="Teams are not supported; must be null.")]


class Variable(Response):
    """A variable; values under a sensitive key are masked."""

    key: str
    value: str | None
    description: str | None
    is_encrypted: bool
    team_name: str | None = None


class VariableCollection(Response):
    """A page of variables."""

    variables: list[Variable]
    total_entries: int


class VariableBody(Body):
    """A variable to create or change. A value that is no text is stored as its JSON."""

    key: str = Field(max_length=250, min_length=1)
    value: JsonValue
    description: str | None = None
    team_name: NoTeam = None

    def text(self) -> str:
        """Return the value as it is stored."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, indent=2)


class Connection(Response):
    """A connection; its secrets are masked."""

    connection_id: str
    conn_type: str
    description: str | None
    host: str | None
    login: str | None
    schema_: str | None = Field(alias="schema")
    port: int | None
    password: str | None
    extra: str | None
    team_name: str | None = None


class ConnectionCollection(Response):
    """A page of connections."""

    connections: list[Connection]
    total_entries: int


class ConnectionBody(Body):
    """A connection to create or change."""

    connection_id: str = Field(max_length=200, pattern=r"^[\w.-]+$")
    conn_type: str
    description: str | None = None
    host: str | None = None
    login: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    port: int | None = None
    password: str | None = None
    extra: str | None = None
    team_name: NoTeam = None

    @field_validator("extra")
    @classmethod
    def _is_object(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parsed = json.loads(value or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(f"extra must be a JSON object, but is no JSON: {error}") from None
        if not isinstance(parsed, dict):
            raise ValueError('extra must be a JSON object such as {"key": "value"}')
        return value or "{}"


class ConnectionTest(Response):
    """Whether a connection works."""

    status: bool
    message: str


class ConnectionTestRequest(ConnectionBody):
    """A connection to test while the client does something else."""

    commit_on_success: bool = False
    executor: str | None = None
    queue: str | None = None


class ConnectionTestQueued(Response):
    """By which token to ask for the result."""

    token: str
    connection_id: str
    state: str


class AsyncConnectionTest(ConnectionTestQueued):
    """How a test stands."""

    result_message: str | None = None
    created_at: datetime


class Pool(Response):
    """A pool and how full it is."""

    name: str
    slots: int
    description: str | None = None
    include_deferred: bool
    occupied_slots: int
    running_slots: int
    queued_slots: int
    scheduled_slots: int
    open_slots: int
    deferred_slots: int
    team_name: str | None = None


class PoolCollection(Response):
    """A page of pools."""

    pools: list[Pool]
    total_entries: int


class PoolBody(Body):
    """A pool to create."""

    name: str = Field(max_length=256, min_length=1)
    slots: int = Field(ge=-1)
    description: str | None = None
    include_deferred: bool = False
    team_name: NoTeam = None


class PoolPatch(Body):
    """What may be changed of a pool."""

    name: str | None = Field(default=None, alias="pool")
    slots: int | None = Field(default=None, ge=-1)
    description: str | None = None
    include_deferred: bool | None = None
    team_name: NoTeam = None


class DagImportError(Response):
    """Why a DAG file could not be read."""

    import_error_id: int
    timestamp: datetime
    filename: str
    bundle_name: str | None
    stack_trace: str


class ImportErrorCollection(Response):
    """A page of import errors."""

    import_errors: list[DagImportError]
    total_entries: int


class Job(Response):
    """A process."""

    id: int
    dag_id: str | None = None
    state: str | None
    job_type: str | None
    start_date: datetime | None
    end_date: datetime | None
    latest_heartbeat: datetime | None
    executor_class: str | None
    hostname: str | None
    unixname: str | None
    dag_display_name: str | None = None


class JobCollection(Response):
    """A page of processes."""

    jobs: list[Job]
    total_entries: int


class EventLog(Response):
    """One entry of the audit log."""

    event_log_id: int
    when: datetime
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int | None
    try_number: int | None
    event: str
    logical_date: datetime | None
    owner: str | None
    extra: str | None
    dag_display_name: str | None = None
    task_display_name: str | None = None


class EventLogCollection(Response):
    """A page of the audit log."""

    event_logs: list[EventLog]
    total_entries: int


class ConfigOption(Response):
    """A setting; where it comes from, if that was asked for."""

    key: str
    value: str | tuple[str, str]


class ConfigSection(Response):
    """The settings of a section."""

    name: str
    options: list[ConfigOption]


class Config(Response):
    """The settings."""

    sections: list[ConfigSection]


class Provider(Response):
    """An installed provider package."""

    package_name: str
    description: str
    version: str
    documentation_url: str | None


class ProviderCollection(Response):
    """The installed provider packages."""

    providers: list[Provider]
    total_entries: int


class PluginCollection(Response):
    """The loaded plugins."""

    plugins: list[dict[str, Any]]
    total_entries: int


class PluginImportErrorCollection(Response):
    """The plugins that could not be loaded."""

    import_errors: list[dict[str, Any]]
    total_entries: int


class Version(Response):
    """Which version this is."""

    version: str
    git_version: str | None


class Status(Response):
    """healthy or unhealthy; null where there is none of it."""

    status: str | None


class SchedulerStatus(Status):
    """The newest scheduler."""

    latest_scheduler_heartbeat: str | None


class TriggererStatus(Status):
    """The newest triggerer."""

    latest_triggerer_heartbeat: str | None


class DagProcessorStatus(Status):
    """The newest dag-processor."""

    latest_dag_processor_heartbeat: str | None


class Health(Response):
    """The state of each part."""

    metadatabase: Status
    scheduler: SchedulerStatus
    triggerer: TriggererStatus
    dag_processor: DagProcessorStatus | None = None
