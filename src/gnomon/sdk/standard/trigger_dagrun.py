"""TriggerDagRunOperator: start a run of another DAG, and wait for it if asked to."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar

from gnomon.model.states import DagRunState
from gnomon.sdk import listeners
from gnomon.sdk.exceptions import AirflowException, DagRunTriggerException
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.operator_link import BaseOperatorLink
from gnomon.sdk.standard.timing import default_deferrable
from gnomon.sdk.types import NOTSET, is_arg_set

XCOM_LOGICAL_DATE_ISO = "trigger_logical_date_iso"
XCOM_RUN_ID = "trigger_run_id"


class DagIsPaused(AirflowException):
    """The DAG is paused."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(dag_id)
        self.dag_id = dag_id

    def __str__(self) -> str:
        return f"Dag {self.dag_id} is paused"


class TriggerDagRunLink(BaseOperatorLink):
    """Leads to the run that was started."""

    name = "Triggered DAG"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL of the run."""
        from urllib.parse import quote

        from gnomon.sdk.runtime.xcom import BaseXCom

        run_id = BaseXCom.get_value(ti_key=ti_key, key=XCOM_RUN_ID)
        return f"/dags/{operator.trigger_dag_id}/runs/{quote(str(run_id))}" if run_id else ""


class TriggerDagRunOperator(BaseOperator):
    """Starts a run of another DAG.

    Args:
        trigger_dag_id: the DAG (templated).
        trigger_run_id: the run's id; made unless given (templated).
        conf: the run's conf (templated).
        logical_date: the run's logical date; now unless it or run_after is given (templated).
        reset_dag_run: clear the run if there is one already.
        wait_for_completion: wait for the run to end.
        poke_interval: seconds between looks, while waiting.
        allowed_states: states of the run that are a success.
        failed_states: states of the run that are a failure.
        skip_when_already_exists: skip if there is such a run already (templated).
        fail_when_dag_is_paused: fail if the DAG is paused.
        deferrable: wait without holding a slot.
        run_after: when the run may begin.
        note: a note for the run.
    """

    __module__ = "airflow.providers.standard.operators.trigger_dagrun"

    template_fields: Collection[str] = (
        "trigger_dag_id", "trigger_run_id", "logical_date", "conf", "wait_for_completion", "skip_when_already_exists",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"conf": "py"}
    ui_color = "#ffefeb"
    operator_extra_links = (TriggerDagRunLink(),)
    #: what it has to do with another DAG, and the argument that names that
    dag_dependency: ClassVar[tuple[str, str]] = ("trigger", "trigger_dag_id")

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: dict[str, Any] | None = None,
        logical_date: str | datetime | None = NOTSET,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: int = 60,
        allowed_states: Sequence[str | DagRunState] | None = None,
        failed_states: Sequence[str | DagRunState] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        deferrable: bool | None = None,
        openlineage_inject_parent_info: bool = True,
        run_after: str | datetime | None = NOTSET,
        note: str | None = None,
        execution_date: Any = NOTSET,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.trigger_dag_id = trigger_dag_id
        self.trigger_run_id = trigger_run_id
        self.conf = conf
        self.reset_dag_run = reset_dag_run
        self.wait_for_completion = wait_for_completion
        self.poke_interval = poke_interval
        self.allowed_states = [DagRunState(state).value for state in allowed_states or ["success"]]
        failed = ["failed"] if failed_states is None else failed_states
        self.failed_states = [DagRunState(state).value for state in failed]
        self.skip_when_already_exists = skip_when_already_exists
        self.fail_when_dag_is_paused = fail_when_dag_is_paused
        self.deferrable = default_deferrable(deferrable)
        self.openlineage_inject_parent_info = openlineage_inject_parent_info
        self.run_after: Any = run_after
        self.note = note
        self.logical_date: Any = logical_date if is_arg_set(logical_date) else execution_date
        for name in ("run_after", "logical_date"):
            given = getattr(self, name)
            if given is not None and is_arg_set(given) and not isinstance(given, (str, datetime)):
                raise TypeError(
                    f"Expected str, datetime.datetime, or None for parameter '{name}'. Got {type(given).__name__}"
                )

    def execute(self, context: Any) -> None:
        """Ask for the run.

        Raises:
            DagRunTriggerException: always; whoever runs the task creates the run.
            ValueError: conf is no JSON.
            DagIsPaused: the DAG is paused, and that is not wanted.
        """
        from gnomon.sdk.timezone import utcnow

        run_after = _moment(self.run_after)
        logical_date = _moment(self.logical_date)
        if not is_arg_set(self.logical_date) and not is_arg_set(self.run_after):
            logical_date = utcnow()
        self._check_conf()
        if self.openlineage_inject_parent_info and listeners.manager is not None:
            self.conf = _with_parent(self.conf, context["ti"])
        # As an attribute it is seen by listeners.
        self.trigger_run_id = str(self.trigger_run_id or _run_id(logical_date, run_after or utcnow()))
        if self.fail_when_dag_is_paused and context["ti"].get_dag(self.trigger_dag_id).is_paused:
            raise DagIsPaused(self.trigger_dag_id)
        raise DagRunTriggerException(
            trigger_dag_id=self.trigger_dag_id,
            dag_run_id=self.trigger_run_id,
            conf=self.conf,
            logical_date=logical_date,
            reset_dag_run=self.reset_dag_run,
            skip_when_already_exists=self.skip_when_already_exists,
            wait_for_completion=bool(self.wait_for_completion),
            allowed_states=self.allowed_states,
            failed_states=self.failed_states,
            poke_interval=self.poke_interval,
            deferrable=self.deferrable,
            run_after=run_after,
            note=self.note,
            timeout=self.execution_timeout or timedelta(0),
        )

    def _check_conf(self) -> None:
        try:
            if self.conf and isinstance(self.conf, str):
                self.conf = json.loads(self.conf)
            json.dumps(self.conf)
        except (TypeError, ValueError):
            raise ValueError(f"conf parameter should be JSON Serializable: {self.conf}") from None

    def execute_complete(self, context: Any, event: Any) -> None:
        """Look at how the run ended.

        Raises:
            AirflowException: it failed.
        """
        states = event[1] if isinstance(event, (list, tuple)) else event
        for run_id in states.get("run_ids") or ():
            state = states.get(run_id)
            if state in self.failed_states:
                raise AirflowException(f"{self.trigger_dag_id} failed with failed state {state}")
            if state not in self.allowed_states:
                raise AirflowException(f"{self.trigger_dag_id} return {state} which is not in {self.failed_states}")
            self.log.info("%s finished with allowed state %s", self.trigger_dag_id, state)


def _with_parent(conf: dict[str, Any] | None, ti: Any) -> dict[str, Any] | None:
    """Return a conf by which OpenLineage knows what triggers the run; one that says so already as it is."""
    try:
        settings = import_module("airflow.providers.openlineage.conf")
        lineage = import_module("airflow.providers.openlineage.plugins.macros")
    except ImportError:
        return conf
    known = (conf or {}).get("openlineage") or {}
    if settings.is_disabled() or not isinstance(known, dict) or any(n.startswith(("parent", "root")) for n in known):
        return conf
    parent = {
        "parentRunId": lineage.lineage_run_id(ti),
        "parentJobName": lineage.lineage_job_name(ti),
        "parentJobNamespace": lineage.lineage_job_namespace(),
        "rootParentRunId": lineage.lineage_root_run_id(ti),
        "rootParentJobName": lineage.lineage_root_job_name(ti),
        "rootParentJobNamespace": lineage.lineage_root_job_namespace(ti),
    }
    return {**(conf or {}), "openlineage": {**parent, **known}}


def _moment(given: Any) -> Any:
    """Return a date as it was given or rendered; None for none."""
    if not is_arg_set(given) or given in (None, "", "None"):
        return None
    if isinstance(given, datetime):
        return given
    from gnomon.sdk.timezone import parse

    return parse(given)


def _run_id(logical_date: datetime | None, run_after: datetime) -> str:
    if logical_date is not None:
        return f"manual__{logical_date.isoformat()}"
    import secrets

    # Without a logical date nothing else tells two runs at the same moment apart.
    return f"manual__{run_after.isoformat()}_{secrets.token_hex(4)}"
