"""ExternalTaskSensor: wait for a task, a task group or a run of another DAG."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from gnomon.model.states import DagRunState, TaskInstanceState
from gnomon.sdk.exceptions import AirflowException, AirflowProviderDeprecationWarning, AirflowSkipException
from gnomon.sdk.operator_link import BaseOperatorLink
from gnomon.sdk.sensor import BaseSensorOperator
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.standard.timing import default_deferrable
from gnomon.sdk.standard.triggers.external_task import WorkflowTrigger, count_in_states


class AirflowExternalTaskSensorException(AirflowException):
    """What an ExternalTaskSensor raises."""


class ExternalTaskNotFoundError(AirflowExternalTaskSensorException):
    """The task does not exist."""


class ExternalDagNotFoundError(AirflowExternalTaskSensorException):
    """The DAG does not exist."""


class ExternalDagDeletedError(AirflowExternalTaskSensorException):
    """The DAG was deleted."""


class ExternalTaskGroupNotFoundError(AirflowExternalTaskSensorException):
    """The task group does not exist."""


class ExternalTaskFailedError(AirflowExternalTaskSensorException):
    """A task is in one of failed_states."""


class ExternalTaskGroupFailedError(AirflowExternalTaskSensorException):
    """A task group is in one of failed_states."""


class ExternalDagFailedError(AirflowExternalTaskSensorException):
    """A run is in one of failed_states."""


class DuplicateStateError(AirflowExternalTaskSensorException):
    """One state is in several of allowed_states, skipped_states and failed_states."""


class ExternalDagLink(BaseOperatorLink):
    """Leads to the other DAG."""

    name = "External DAG"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL of the DAG's run."""
        from urllib.parse import quote

        return f"/dags/{operator.external_dag_id}/runs/{quote(ti_key.run_id)}"


class ExternalTaskSensor(BaseSensorOperator):
    """Waits for another DAG, for one logical date or several.

    Args:
        external_dag_id: the DAG (templated).
        external_task_id: a task of it (templated).
        external_task_ids: several tasks of it (templated).
        external_task_group_id: a task group of it (templated).
        allowed_states: states that end the wait; success unless given.
        skipped_states: states that skip the sensor.
        failed_states: states that fail the sensor.
        execution_delta: the other run's logical date is this much earlier.
        execution_date_fn: returns the logical date, or several, from this run's.
        check_existence: fail at once if there is no such DAG.
        poll_interval: an old name of poke_interval.
        deferrable: wait without holding a slot.

    Raises:
        ValueError: arguments contradict each other, or a state does not exist.
        DuplicateStateError: one state is in several of the lists.
    """

    __module__ = "airflow.providers.standard.sensors.external_task"

    template_fields = ("external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id")
    ui_color = "#4db7db"
    operator_extra_links = (ExternalDagLink(),)
    #: what it has to do with another DAG, and the argument that names that
    dag_dependency: ClassVar[tuple[str, str]] = ("sensor", "external_dag_id")

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        allowed_states: Iterable[str] | None = None,
        skipped_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        execution_delta: timedelta | None = None,
        execution_date_fn: Callable[..., Any] | None = None,
        check_existence: bool = False,
        poll_interval: float | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if poll_interval is not None:
            _warn_of_poll_interval("Parameter")
            kwargs.setdefault("poke_interval", poll_interval)
        super().__init__(**kwargs)
        self.allowed_states = [str(state) for state in allowed_states or ["success"]]
        self.skipped_states = [str(state) for state in skipped_states or ()]
        self.failed_states = [str(state) for state in failed_states or ()]
        if external_task_id is not None and external_task_ids:
            raise ValueError(
                "Only one of `external_task_id` or `external_task_ids` may be provided to ExternalTaskSensor"
            )
        ids = [external_task_id] if external_task_id is not None else external_task_ids or None
        if external_task_group_id is not None and ids:
            raise ValueError(
                "Only one of `external_task_group_id` or `external_task_ids` may be provided to ExternalTaskSensor"
            )
        if execution_delta is not None and execution_date_fn is not None:
            raise ValueError(
                "Only one of `execution_delta` or `execution_date_fn` may be provided to ExternalTaskSensor; not both."
            )
        self._check_states(of_tasks=bool(ids or external_task_group_id))
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.external_task_ids = ids
        self.external_task_group_id = external_task_group_id
        self.execution_delta = execution_delta
        self.execution_date_fn = execution_date_fn
        self.check_existence = check_existence
        self.deferrable = default_deferrable(deferrable)
        #: the logical dates that were looked for, for listeners
        self.external_dates_filter: str | None = None

    @property
    def poll_interval(self) -> float:
        """An old name of poke_interval."""
        _warn_of_poll_interval("Attribute")
        return self.poke_interval

    @poll_interval.setter
    def poll_interval(self, value: float) -> None:
        _warn_of_poll_interval("Attribute")
        self.poke_interval = value

    def _check_states(self, *, of_tasks: bool) -> None:
        states = [*self.allowed_states, *self.skipped_states, *self.failed_states]
        if len(states) != len(set(states)):
            raise DuplicateStateError(
                "Duplicate values provided across allowed_states, skipped_states and failed_states."
            )
        known = {state.value for state in (TaskInstanceState if of_tasks else DagRunState)}
        unknown = sorted(set(states) - known)
        if unknown:
            what = "a task" if of_tasks else "a DAG run"
            raise ValueError(f"{', '.join(unknown)}: no state of {what}; the states are {', '.join(sorted(known))}")

    def _what(self) -> str:
        if self.external_task_ids:
            return f"tasks {list(self.external_task_ids)} in DAG {self.external_dag_id}"
        if self.external_task_group_id:
            return f"task_group '{self.external_task_group_id}' in DAG {self.external_dag_id}"
        return f"DAG {self.external_dag_id}"

    def _dates(self, context: Any) -> list[datetime]:
        dates = self._find_dates(context)
        self.external_dates_filter = ",".join(date.isoformat() for date in dates)
        return dates

    def _find_dates(self, context: Any) -> list[datetime]:
        date = context.get("logical_date")
        date = date if date is not None else context["dag_run"].run_after
        if self.execution_delta is not None:
            return [date - self.execution_delta]
        if self.execution_date_fn is None:
            return [date]
        from gnomon.sdk.calls import determine_kwargs

        further = {name: context[name] for name in context if name != "logical_date"}
        found = self.execution_date_fn(date, **determine_kwargs(self.execution_date_fn, [date], further))
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def _count(self, states: Collection[str], dates: list[datetime]) -> float:
        return count_in_states(
            self.external_dag_id,
            states,
            task_ids=self.external_task_ids,
            group_id=self.external_task_group_id,
            logical_dates=dates,
        )

    def poke(self, context: Any) -> bool:
        """Return whether what it waits for has ended.

        Raises:
            AirflowException: it is in one of failed_states.
            AirflowSkipException: it is in one of skipped_states, or in one of failed_states with soft_fail.
        """
        ids = self.external_task_ids
        if ids and len(ids) > len(set(ids)):
            raise ValueError("Duplicate task_ids passed in external_task_ids parameter")
        dates = self._dates(context)
        self.log.info("Poking for %s on %s ...", self._what(), self.external_dates_filter)
        if self.check_existence:
            self._check_existence(context)
        if self.failed_states and self._count(self.failed_states, dates) > 0:
            self._fail()
        if self.skipped_states and self._count(self.skipped_states, dates) > 0:
            raise AirflowSkipException(f"The external {self._what()} reached a state in skipped_states. Skipping.")
        return self._count(self.allowed_states, dates) == len(dates)

    def _check_existence(self, context: Any) -> None:
        try:
            context["ti"].get_dag(self.external_dag_id)
        except Exception as error:
            raise ExternalDagNotFoundError(f"The external DAG {self.external_dag_id} does not exist.") from error

    def _fail(self) -> None:
        message = f"The external {self._what()} failed."
        if self.soft_fail:
            raise AirflowSkipException(f"{message} Skipping due to soft_fail.")
        if self.external_task_ids:
            raise ExternalTaskFailedError(message)
        raise (ExternalTaskGroupFailedError if self.external_task_group_id else ExternalDagFailedError)(message)

    def execute(self, context: Any) -> Any:
        """Wait, or defer."""
        if not self.deferrable:
            return super().execute(context)
        if self.check_existence:
            self._check_existence(context)
        trigger = WorkflowTrigger(
            external_dag_id=self.external_dag_id,
            external_task_group_id=self.external_task_group_id,
            external_task_ids=self.external_task_ids,
            logical_dates=self._dates(context),
            allowed_states=self.allowed_states,
            failed_states=self.failed_states,
            skipped_states=self.skipped_states,
            poke_interval=self.poke_interval,
            soft_fail=self.soft_fail,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
        return None

    def execute_complete(self, context: Any, event: dict[str, Any] | None = None) -> None:
        """Look at how it ended."""
        if "dag_run" in context:
            self._dates(context)
        status = (event or {}).get("status")
        if status == "success":
            self.log.info("The external %s ended well.", self._what())
        elif status == "skipped":
            raise AirflowSkipException(f"The external {self._what()} was skipped. Skipping.")
        elif status == "failed":
            self._fail()
        else:
            raise ExternalTaskNotFoundError(f"Nothing is known of the external {self._what()}.")


def _warn_of_poll_interval(what: str) -> None:
    import warnings

    message = f"{what} `poll_interval` of ExternalTaskSensor is an old name; use `poke_interval`"
    warnings.warn(message, AirflowProviderDeprecationWarning, stacklevel=3)


class ExternalTaskMarker(EmptyOperator):
    """Marks that a task of another DAG depends on this one, so that clearing this clears that.

    Args:
        external_dag_id: the other DAG (templated).
        external_task_id: its task (templated).
        logical_date: of which run (templated).
        recursion_depth: how far to follow.
    """

    __module__ = "airflow.providers.standard.sensors.external_task"

    template_fields = ("external_dag_id", "external_task_id", "logical_date")
    ui_color = "#4db7db"
    operator_extra_links = (ExternalDagLink(),)

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str,
        logical_date: str | datetime | None = "{{ logical_date.isoformat() }}",
        recursion_depth: int = 10,
        execution_date: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if recursion_depth <= 0:
            raise ValueError("recursion_depth should be a positive integer")
        date = execution_date if execution_date is not None else logical_date
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.logical_date = date.isoformat() if isinstance(date, datetime) else date
        self.recursion_depth = recursion_depth
