"""What TriggerDagRunOperator asks for: create a run of another DAG, and wait for it or not."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from gnomon.sdk import exceptions as errors
from gnomon.sdk.runtime.dag_run import find_run, micros
from gnomon.service import clock
from gnomon.wire import execution as wire
from gnomon.worker import run_outcomes

if TYPE_CHECKING:
    from gnomon.worker.runner import Try

log = logging.getLogger("airflow.task")
_TIMETABLE_SECONDS = 60.0
_AGAIN_SECONDS = 0.05


def conclude(piece: Try, wish: Any) -> wire.Outcome:
    """Create the run that a DagRunTriggerException asks for, and return what became of the task.

    Raises:
        AirflowException: the run could not be created.
    """
    dag_id = wish.trigger_dag_id
    log.info("Triggering a run of DAG %s", dag_id)
    request = wire.TriggerRun(
        dag_id=dag_id,
        run_id=wish.dag_run_id,
        conf=json.dumps(wish.conf or {}).encode(),
        logical_date=micros(wish.logical_date),
        run_after=micros(wish.run_after),
        reset=wish.reset_dag_run,
        note=wish.note,
    )
    reply = _ask(piece, request)
    if isinstance(reply, wire.Problem):
        return _not_created(piece, wish, reply)
    if wish.reset_dag_run and wish.logical_date is not None:
        # With the profile 2 the run that was cleared may be one of another name and the same date.
        there = find_run(dag_id, run_id=wish.dag_run_id) or find_run(dag_id, logical_date=wish.logical_date)
        wish.dag_run_id = there.run_id if there is not None else wish.dag_run_id
    log.info("Triggered the run %s of DAG %s", wish.dag_run_id, dag_id)
    piece.ti.xcom_push("trigger_run_id", wish.dag_run_id)
    if not wish.wait_for_completion:
        return run_outcomes.success(piece, None)
    if wish.deferrable:
        return run_outcomes.of_exception(piece, _deferral(wish))
    return _wait(piece, wish)


def _ask(piece: Try, request: wire.TriggerRun) -> wire.Reply:
    """Ask, and go on asking while a custom timetable is working out the data interval."""
    until = time.monotonic() + _TIMETABLE_SECONDS
    while True:
        reply = piece.channel.ask(request)
        if not isinstance(reply, wire.Problem) or reply.code != "later" or time.monotonic() > until:
            return reply
        if request.run_after is None:
            request.run_after = clock.now_us()  # the question stays the same
        time.sleep(_AGAIN_SECONDS)


def _not_created(piece: Try, wish: Any, problem: wire.Problem) -> wire.Outcome:
    if problem.code != "exists":
        return run_outcomes.failed(piece, errors.AirflowException(problem.message))
    if wish.skip_when_already_exists:
        log.info("The run exists already, and skip_when_already_exists is set: skipping task")
        return run_outcomes.outcome(piece, "skipped")
    return run_outcomes.failed(piece, errors.AirflowFailException(problem.message))


def _deferral(wish: Any) -> errors.TaskDeferred:
    from gnomon.sdk.standard.triggers.external_task import DagStateTrigger

    trigger = DagStateTrigger(
        dag_id=wish.trigger_dag_id,
        states=[*wish.allowed_states, *wish.failed_states],
        execution_dates=None,
        run_ids=[wish.dag_run_id],
        poll_interval=wish.poke_interval,
    )
    return errors.TaskDeferred(trigger=trigger, method_name="execute_complete")


def _wait(piece: Try, wish: Any) -> wire.Outcome:
    while True:
        log.info("Waiting for the run %s of DAG %s", wish.dag_run_id, wish.trigger_dag_id)
        time.sleep(wish.poke_interval)
        run = find_run(wish.trigger_dag_id, run_id=wish.dag_run_id)
        state = run.state if run else "deleted"
        if state in wish.failed_states or run is None:
            error = errors.AirflowException(
                f"the run {wish.dag_run_id} of DAG {wish.trigger_dag_id} is {getattr(state, 'value', state)}"
            )
            return run_outcomes.failed(piece, error)
        if state in wish.allowed_states:
            return run_outcomes.success(piece, None)
