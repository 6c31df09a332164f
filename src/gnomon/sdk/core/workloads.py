"""What an executor of Airflow's kind is given to run: the messages that providers' executors send to their workers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Hashable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnomon.model.states import TaskInstanceState
from gnomon.sdk.runtime.task_instance import TaskInstanceKey
from gnomon.sdk.states import CallbackState


class ConnectionTestState(StrEnum):
    """How far the test of a connection is."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class CallbackKey(NamedTuple):
    """What names a callback."""

    id: str


class ConnectionTestKey(NamedTuple):
    """What names the test of a connection."""

    id: str


WorkloadKey: TypeAlias = TaskInstanceKey | CallbackKey | ConnectionTestKey
WorkloadState: TypeAlias = TaskInstanceState | CallbackState | ConnectionTestState
WorkloadResultType: TypeAlias = tuple[WorkloadKey, WorkloadState, Exception | None]


def state_class_for_key(key: WorkloadKey) -> type[WorkloadState]:
    """Return the states that what a key names can have."""
    for kind, states in (
        (TaskInstanceKey, TaskInstanceState),
        (ConnectionTestKey, ConnectionTestState),
        (CallbackKey, CallbackState),
    ):
        if isinstance(key, kind):
            return states
    raise TypeError(f"{key!r} is no key of a workload")


class BaseWorkload:
    """What can be routed to an executor says whose it is."""

    def get_dag_id(self) -> str | None:
        """Return the DAG that it belongs to."""
        raise NotImplementedError

    def get_executor_name(self) -> str | None:
        """Return the executor that it asks for."""
        raise NotImplementedError


class BundleInfo(BaseModel):
    """The bundle that a DAG file is in."""

    name: str
    version: str | None = None


class BaseWorkloadSchema(BaseModel):
    """What every message to an executor has: the token with which whoever runs it may speak."""

    model_config = ConfigDict(populate_by_name=True)

    token: str = Field(repr=False)

    @staticmethod
    def generate_token(sub_id: str, generator: Any = None) -> str:
        """Return a token for one workload; empty without a generator."""
        if generator is None:
            return ""
        from gnomon.sdk.configuration import conf

        seconds = conf.getfloat("scheduler", "task_queued_timeout")
        token: str = generator.generate(extras={"sub": sub_id, "scope": "workload"}, valid_for=seconds)
        return token


class BaseDagBundleWorkload(BaseWorkloadSchema, ABC):
    """Something in a DAG file that is to be run."""

    dag_rel_path: os.PathLike[str]
    bundle_info: BundleInfo
    log_path: str | None

    @property
    @abstractmethod
    def key(self) -> Hashable:
        """What names it among all that the executor has."""

    @property
    @abstractmethod
    def display_name(self) -> str:
        """How logs and process titles call it."""

    @property
    @abstractmethod
    def success_state(self) -> WorkloadState:
        """The state of success."""

    @property
    @abstractmethod
    def failure_state(self) -> WorkloadState:
        """The state of failure."""

    @property
    def running_state(self) -> WorkloadState | None:
        """The state to report when it begins; None if none is."""
        return None


class TaskInstanceDTO(BaseModel):
    """A task instance as executors see it."""

    id: UUID
    task_id: str
    dag_id: str
    run_id: str
    try_number: int
    dag_version_id: UUID
    map_index: int = -1
    hostname: str | None = None
    context_carrier: dict[str, Any] | None = None
    queue: str = "default"
    pool_slots: int
    priority_weight: int
    external_executor_id: str | None = Field(default=None, exclude=True)
    executor_config: dict[str, Any] | None = Field(default=None, exclude=True)

    @property
    def key(self) -> TaskInstanceKey:
        """What names this try."""
        return TaskInstanceKey(self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)


class ExecuteTask(BaseDagBundleWorkload):
    """Run one try of a task."""

    ti: TaskInstanceDTO
    sentry_integration: str = ""
    type: Literal["ExecuteTask"] = Field(init=False, default="ExecuteTask")

    @property
    def key(self) -> TaskInstanceKey:
        return self.ti.key

    @property
    def display_name(self) -> str:
        return str(self.ti.id)

    @property
    def success_state(self) -> TaskInstanceState:
        return TaskInstanceState.SUCCESS

    @property
    def failure_state(self) -> TaskInstanceState:
        return TaskInstanceState.FAILED

    @classmethod
    def make(
        cls,
        ti: Any,
        dag_rel_path: Path | None = None,
        generator: Any = None,
        bundle_info: BundleInfo | None = None,
        sentry_integration: str = "",
    ) -> ExecuteTask:
        """Return the workload of a task instance; the bundle and the file are the task instance's unless given."""
        from gnomon.service.task_logs import try_log_path

        if bundle_info is None:
            bundle_info = BundleInfo(name=ti.dag_model.bundle_name, version=ti.dag_run.bundle_version)
        return cls(
            ti=TaskInstanceDTO.model_validate(ti, from_attributes=True),
            dag_rel_path=dag_rel_path or Path(ti.dag_model.relative_fileloc or ""),
            token=cls.generate_token(str(ti.id), generator),
            log_path=try_log_path(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number, folder="").lstrip("/"),
            bundle_info=bundle_info,
            sentry_integration=sentry_integration,
        )


class CallbackFetchMethod(StrEnum):
    """Where a callback is found."""

    DAG_ATTRIBUTE = "dag_attribute"
    IMPORT_PATH = "import_path"


class CallbackDTO(BaseModel):
    """A callback as executors see it."""

    id: str
    fetch_method: CallbackFetchMethod
    data: dict[str, Any]

    @field_validator("id", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, UUID) else value

    @property
    def key(self) -> CallbackKey:
        """What names it."""
        return CallbackKey(id=self.id)


class ExecuteCallback(BaseDagBundleWorkload):
    """Run a callback."""

    callback: CallbackDTO
    type: Literal["ExecuteCallback"] = Field(init=False, default="ExecuteCallback")

    @property
    def key(self) -> CallbackKey:
        return self.callback.key

    @property
    def display_name(self) -> str:
        path: str = self.callback.data.get("path", "")
        return path.rpartition(".")[2] or self.callback.id

    @property
    def success_state(self) -> CallbackState:
        return CallbackState.SUCCESS

    @property
    def failure_state(self) -> CallbackState:
        return CallbackState.FAILED

    @property
    def running_state(self) -> CallbackState:
        return CallbackState.RUNNING

    @classmethod
    def make(
        cls,
        callback: Any,
        dag_run: Any,
        dag_rel_path: Path | None = None,
        generator: Any = None,
        bundle_info: BundleInfo | None = None,
    ) -> ExecuteCallback:
        """Return the workload of a DAG run's callback."""
        if bundle_info is None:
            bundle_info = BundleInfo(name=dag_run.dag_model.bundle_name, version=dag_run.bundle_version)
        return cls(
            callback=CallbackDTO.model_validate(callback, from_attributes=True),
            dag_rel_path=dag_rel_path or Path(dag_run.dag_model.relative_fileloc or ""),
            token=cls.generate_token(str(callback.id), generator),
            log_path=f"executor_callbacks/{dag_run.dag_id}/{dag_run.run_id}/{callback.id}",
            bundle_info=bundle_info,
        )


class TestConnection(BaseWorkloadSchema):
    """Test a connection where tasks run."""

    connection_test_id: UUID
    connection_id: str
    timeout: int
    queue: str | None = None
    type: Literal["TestConnection"] = Field(init=False, default="TestConnection")

    @property
    def key(self) -> ConnectionTestKey:
        """What names it."""
        return ConnectionTestKey(id=str(self.connection_test_id))

    @property
    def display_name(self) -> str:
        """How logs call it."""
        return f"connection-test {self.connection_id}"

    @property
    def success_state(self) -> ConnectionTestState:
        """The state of success."""
        return ConnectionTestState.SUCCESS

    @property
    def failure_state(self) -> ConnectionTestState:
        """The state of failure."""
        return ConnectionTestState.FAILED

    @property
    def running_state(self) -> ConnectionTestState:
        """The state to report when it begins."""
        return ConnectionTestState.RUNNING


class RunTrigger(BaseModel):
    """Run a trigger."""

    id: int
    classpath: str
    encrypted_kwargs: str
    ti: TaskInstanceDTO | None = None
    timeout_after: datetime | None = None
    type: Literal["RunTrigger"] = Field(init=False, default="RunTrigger")
    dag_data: dict[str, Any] | None = None
    dag_run_data: dict[str, Any] | None = None
    watched_assets: dict[str, str] | None = None


ExecutorWorkload: TypeAlias = Annotated[ExecuteTask | ExecuteCallback | TestConnection, Field(discriminator="type")]
All: TypeAlias = Annotated[ExecuteTask | ExecuteCallback | TestConnection | RunTrigger, Field(discriminator="type")]
