"""Every error that DAG authors and providers can raise or catch, under the names they know.

AirflowException
├── AirflowFailException            end the task, no retry
├── AirflowSkipException            end the task as skipped
├── AirflowSensorTimeout            a sensor waited too long, no retry
├── AirflowRescheduleException      give the slot back until a date
├── AirflowNotFoundException …      something asked for by name does not exist
├── AirflowConfigException          a setting is wrong
└── …                               authoring errors: cycles, duplicate ids, invalid params
BaseException
├── TaskDeferred                    wait for a trigger
├── TaskAwaitingInput               wait for a person
├── AirflowTaskTimeout              `execution_timeout` is over
└── AirflowTaskTerminated           the process was told to end
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gnomon.sdk.trigger import BaseTrigger


class AirflowException(Exception):
    """Root of the errors that Airflow code raises on purpose."""

    status_code = HTTPStatus.INTERNAL_SERVER_ERROR


class AirflowBadRequest(AirflowException):
    """The request makes no sense."""

    status_code = HTTPStatus.BAD_REQUEST


class AirflowNotFoundException(AirflowException):
    """What was asked for does not exist."""

    status_code = HTTPStatus.NOT_FOUND


class AirflowConfigException(AirflowException):
    """A setting is missing or wrong."""


class AirflowOptionalProviderFeatureException(AirflowException):
    """A provider's optional feature needs a package that is not installed."""


class AirflowInternalRuntimeError(BaseException):
    """Something happened that never should."""


class AirflowRuntimeError(Exception):
    """The control side answered a task's request with an error."""

    def __init__(self, error: Any) -> None:
        self.error = error
        super().__init__(str(error))


class AirflowSecretsBackendAccessDenied(PermissionError):
    """A secrets backend knows the value and refuses it; the look-up ends here."""


# ------------------------------------------------------------------------------------ how a task can end


class AirflowFailException(AirflowException):
    """Fail now; no retry, whatever is left."""


class AirflowSkipException(AirflowException):
    """End as skipped."""


class AirflowSensorTimeout(AirflowException):
    """A sensor's `timeout` is over; not retried."""


class AirflowTaskTimeout(BaseException):
    """The task's `execution_timeout` is over."""


class AirflowTaskTerminated(BaseException):
    """The task's process was told to end."""


class AirflowRescheduleException(AirflowException):
    """Give the slot back, run again at `reschedule_date`."""

    def __init__(self, reschedule_date: datetime) -> None:
        super().__init__(f"reschedule at {reschedule_date}")
        self.reschedule_date = reschedule_date


class TaskDeferred(BaseException):
    """Give the slot back, wait for `trigger`, then resume with `method_name`.

    Args:
        trigger: what to wait for.
        method_name: the operator's method that is called with the event.
        kwargs: what else it is called with.
        timeout: give up after this long.
    """

    def __init__(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        super().__init__()
        self.trigger = trigger
        self.method_name = method_name
        self.kwargs = kwargs
        if timeout is not None and not isinstance(timeout, timedelta):
            if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
                raise ValueError(f"timeout must be a timedelta or seconds, not {type(timeout).__name__}")
            timeout = timedelta(seconds=timeout)
        self.timeout: timedelta | None = timeout

    def __repr__(self) -> str:
        return f"<TaskDeferred trigger={self.trigger!r} method={self.method_name}>"


class TaskAwaitingInput(BaseException):
    """Give the slot back until a person has answered, then resume with `method_name`."""

    def __init__(
        self,
        *,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | float | None = None,
        **details: Any,
    ) -> None:
        super().__init__()
        self.method_name = method_name
        self.kwargs = kwargs
        self.timeout = timedelta(seconds=timeout) if isinstance(timeout, (int, float)) else timeout
        self.details = details


class TaskDeferralError(AirflowException):
    """The trigger of a deferred task failed."""


class TaskDeferralTimeout(AirflowException):
    """The trigger of a deferred task did not fire in time."""


class DagRunTriggerException(AirflowException):
    """Raised by TriggerDagRunOperator: create a run of another DAG, then go on as the arguments say."""

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        dag_run_id: str,
        conf: dict[str, Any] | None,
        logical_date: datetime | None = None,
        reset_dag_run: bool = False,
        skip_when_already_exists: bool = False,
        wait_for_completion: bool = False,
        allowed_states: Sequence[str] = ("success",),
        failed_states: Sequence[str] = ("failed",),
        poke_interval: int = 60,
        deferrable: bool = False,
        run_after: datetime | None = None,
        note: str | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"trigger DAG {trigger_dag_id!r}")
        self.trigger_dag_id = trigger_dag_id
        self.dag_run_id = dag_run_id
        self.conf = conf
        self.logical_date = logical_date
        self.reset_dag_run = reset_dag_run
        self.skip_when_already_exists = skip_when_already_exists
        self.wait_for_completion = wait_for_completion
        self.allowed_states = list(allowed_states)
        self.failed_states = list(failed_states)
        self.poke_interval = poke_interval
        self.deferrable = deferrable
        self.run_after = run_after
        self.note = note
        self.extra = extra


class DownstreamTasksSkipped(AirflowException):
    """Raised by branches: succeed, and skip `tasks`, each a task id or (task id, map index)."""

    def __init__(self, *, tasks: Sequence[str | tuple[str, int]]) -> None:
        super().__init__(f"skip {tasks}")
        self.tasks = tasks


# ---------------------------------------------------------------------------------------------- authoring


class AirflowDagCycleException(AirflowException):
    """Tasks depend on each other in a circle."""


class AirflowDagDuplicatedIdException(AirflowException):
    """Two files define the same dag_id."""

    def __init__(self, dag_id: str, incoming: str, existing: str) -> None:
        super().__init__(dag_id, incoming, existing)
        self.dag_id, self.incoming, self.existing = dag_id, incoming, existing

    def __str__(self) -> str:
        return f"the DAG id {self.dag_id!r} in {self.incoming} is already used in {self.existing}"


class AirflowTimetableInvalid(AirflowException):
    """A schedule cannot be understood."""


class AirflowClusterPolicyViolation(AirflowException):
    """A cluster policy forbids this DAG."""


class AirflowClusterPolicySkipDag(AirflowException):
    """A cluster policy wants this DAG left out."""


class AirflowClusterPolicyError(AirflowException):
    """A cluster policy itself failed."""


class DuplicateTaskIdFound(AirflowException):
    """Two tasks, or a task and a group, share one id."""


class TaskAlreadyInTaskGroup(AirflowException):
    """A task cannot be in two task groups."""

    def __init__(self, task_id: str, existing_group_id: str | None, new_group_id: str | None) -> None:
        super().__init__(task_id, new_group_id)
        self.task_id, self.existing_group_id, self.new_group_id = task_id, existing_group_id, new_group_id

    def __str__(self) -> str:
        existing = f"task group {self.existing_group_id!r}" if self.existing_group_id else "the root task group"
        return f"cannot add {self.task_id!r} to task group {self.new_group_id!r}: it is already in {existing}"


class TaskNotFound(AirflowException):
    """The DAG has no such task."""


class NodeNotFound(TaskNotFound, KeyError):
    """The DAG or group has no such task or group."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class FailFastDagInvalidTriggerRule(AirflowException):
    """A fail_fast DAG takes only tasks with the rule all_success."""

    _allowed_rules = ("all_success", "all_done_setup_success")

    @classmethod
    def check(cls, *, fail_fast: bool, trigger_rule: str) -> None:
        """Raise if a fail_fast DAG cannot have `trigger_rule`."""
        if fail_fast and trigger_rule not in cls._allowed_rules:
            raise cls()

    def __str__(self) -> str:
        return f"a DAG with fail_fast takes only tasks with the trigger rules {', '.join(self._allowed_rules)}"


class ParamValidationError(AirflowException, ValueError):
    """A param does not fit its schema."""


class NotMapped(Exception):
    """The task is not mapped, nor in a mapped group."""


class SerializationError(AirflowException):
    """Something cannot be written down."""


class XComForMappingNotPushed(TypeError):
    """A task that others expand over returned nothing."""

    def __str__(self) -> str:
        return "the task returned nothing, but a mapped task expands over what it returns"


class UnmappableXComTypePushed(TypeError):
    """A task that others expand over returned something without a length."""

    def __init__(self, value: Any, *values: Any) -> None:
        super().__init__(value, *values)

    def __str__(self) -> str:
        chain = " in ".join(type(value).__qualname__ for value in reversed(self.args))
        return f"cannot expand over a value of type {chain}"


class XComNotFound(AirflowException):
    """An XCom that is needed was not pushed."""

    def __init__(self, dag_id: str, task_id: str, key: str) -> None:
        super().__init__(dag_id, task_id, key)
        self.dag_id, self.task_id, self.key = dag_id, task_id, key

    def __str__(self) -> str:
        return f"task {self.task_id!r} of DAG {self.dag_id!r} pushed no XCom with the key {self.key!r}"


class AirflowInactiveAssetInInletOrOutletException(AirflowFailException):
    """A task uses an asset that is no longer active."""

    def __init__(self, inactive_asset_keys: Collection[Any]) -> None:
        super().__init__(inactive_asset_keys)
        self.inactive_asset_keys = inactive_asset_keys

    def __str__(self) -> str:
        return f"the task has these inactive assets as inlets or outlets: {list(self.inactive_asset_keys)}"


# ------------------------------------------------------------------------------------------- not found, exists


class DagNotFound(AirflowNotFoundException):
    """There is no such DAG."""


class DagCodeNotFound(AirflowNotFoundException):
    """The DAG's code is not stored."""


class DagRunNotFound(AirflowNotFoundException):
    """There is no such DAG run."""


class TaskInstanceNotFound(AirflowNotFoundException):
    """There is no such task instance."""


class PoolNotFound(AirflowNotFoundException):
    """There is no such pool."""


class DagRunAlreadyExists(AirflowBadRequest):
    """The DAG has a run with this id or logical date."""

    def __init__(self, dag_run: Any) -> None:
        super().__init__(f"the DAG run {getattr(dag_run, 'run_id', dag_run)!r} already exists")
        self.dag_run = dag_run


class DagRunTypeNotAllowed(AirflowException):
    """The DAG's allowed_run_types do not include this type."""


class DagNotPartitionedError(ValueError):
    """A partition key was given for a DAG without partitions."""


class InvalidPartitionKeyError(ValueError):
    """A partition key is malformed."""


class PoolAlreadyExists(AirflowBadRequest):
    """There is a pool of this name."""


class ConnectionNotUnique(AirflowException):
    """One connection id is defined several times."""


class VariableNotUnique(AirflowException):
    """One variable is defined several times."""


class FileSyntaxError(NamedTuple):
    """One error in a file of secrets."""

    line_no: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.message}. Line number: {self.line_no}"


class AirflowFileParseException(AirflowException):
    """A file of secrets cannot be read."""

    def __init__(self, msg: str, file_path: str, parse_errors: list[FileSyntaxError]) -> None:
        super().__init__(msg)
        self.msg, self.file_path, self.parse_errors = msg, file_path, parse_errors

    def __str__(self) -> str:
        lines = "".join(f"\n  {error}" for error in self.parse_errors)
        return f"{self.msg} ({self.file_path}){lines}"


class AirflowUnsupportedFileTypeException(AirflowException):
    """A file of secrets has an unknown extension."""


class InvalidStatsNameException(AirflowException):
    """A metric's name is not valid."""


class UnknownExecutorException(ValueError):
    """No such executor is configured."""


class DeserializingResultError(ValueError):
    """What a subprocess returned cannot be read; usually the two Python versions differ."""

    def __str__(self) -> str:
        return "the result cannot be deserialized; do both environments have the same Python and package versions?"


class DeserializationError(Exception):
    """A stored DAG cannot be read."""

    def __init__(self, dag_id: str | None = None, message: str | None = None) -> None:
        self.dag_id = dag_id
        super().__init__(message or f"the stored DAG {dag_id!r} cannot be read")


class TaskAlreadyRunningError(AirflowException):
    """The task runs on another worker already."""


class AirflowClearRunningTaskException(AirflowException):
    """The task runs; it was asked not to clear running ones."""


class TaskInstanceInvalid(AirflowException):
    """A task instance's attributes contradict each other."""


class ErrorType:
    """Names of the errors that the control side answers with."""

    CONNECTION_NOT_FOUND = "CONNECTION_NOT_FOUND"
    VARIABLE_NOT_FOUND = "VARIABLE_NOT_FOUND"
    XCOM_NOT_FOUND = "XCOM_NOT_FOUND"
    ASSET_NOT_FOUND = "ASSET_NOT_FOUND"
    DAGRUN_ALREADY_EXISTS = "DAGRUN_ALREADY_EXISTS"
    GENERIC_ERROR = "GENERIC_ERROR"
    API_SERVER_ERROR = "API_SERVER_ERROR"
    PERMISSION_DENIED = "PERMISSION_DENIED"


# --------------------------------------------------------------------------------------------------- warnings


class RemovedInAirflow4Warning(DeprecationWarning):
    """Works now, will be gone in Airflow 4."""

    deprecated_since: str | None = None


class RemovedInAirflow3Warning(DeprecationWarning):
    """Airflow 2's warning of this kind, for code that names it."""

    deprecated_since: str | None = None


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """Works now, will be gone in a later release of the provider."""

    deprecated_provider_since: str | None = None


class DeprecatedImportWarning(FutureWarning):
    """Imported from a path that has moved."""
