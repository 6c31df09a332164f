"""Runs callbacks on behalf of a DAG, or of a task whose process is gone."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gnomon.sdk import exceptions as errors
from gnomon.sdk import listeners
from gnomon.sdk.runtime import current, values
from gnomon.sdk.runtime.callbacks import as_list, run_callbacks
from gnomon.sdk.runtime.context import Context
from gnomon.sdk.runtime.dag_run import DagRun
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from gnomon.service import clock, config
from gnomon.wire import execution as wire
from gnomon.worker import run_emails

log = logging.getLogger("airflow.task")

_ATTRIBUTES = {
    "dag_success": "on_success_callback",
    "dag_failure": "on_failure_callback",
    "task_failure": "on_failure_callback",
    "task_retry": "on_retry_callback",
}
_STATES = {
    "dag_running": "running",
    "dag_success": "success",
    "dag_failure": "failed",
    "task_failure": "failed",
    "task_retry": "up_for_retry",
}


def run(workload: wire.CallbackWorkload, dags: dict[str, Any]) -> None:
    """Call what the DAG or task has for this occasion.

    Raises:
        AirflowException: the file has no such DAG or task any more.
    """
    if workload.kind == "deadline":
        _run_of_deadline(workload)
        return
    info = msgspec.msgpack.decode(workload.run, type=wire.RunInfo)
    dag = dags.get(info.dag_id)
    if dag is None:
        raise errors.AirflowException(f"{workload.file.relative_path} has no DAG {info.dag_id!r} any more")
    attribute = _ATTRIBUTES.get(workload.kind)
    if attribute is None and workload.kind != "dag_running":
        raise errors.AirflowException(f"{workload.kind!r} is not a kind of callback")
    of_task = workload.kind.startswith("task_")
    owner = _task(dag, workload) if of_task else dag
    callbacks = as_list(getattr(owner, attribute, None)) if attribute else []
    emailed = of_task and run_emails.wanted(owner, _STATES[workload.kind])
    if not callbacks and not emailed and listeners.manager is None:
        return
    context = _context(workload, dag, DagRun(info))
    context["reason"] = workload.reason
    if of_task:
        context["exception"] = errors.AirflowException(workload.reason or "the task's process is gone")
    with current.set_current_context(context):
        if callbacks:
            log.info("Running %s of %s: %s", attribute, owner, workload.reason or workload.kind)
            run_callbacks(str(attribute), callbacks, context)
        if emailed:
            run_emails.report(owner, context["ti"], context, context["exception"])
        if listeners.manager is not None:
            from gnomon.worker import run_listeners

            # After a try that another one follows too, as Airflow does.
            run_listeners.of_callback(workload, context["dag_run"], dag, context.get("ti"), workload.reason)


def _run_of_deadline(workload: wire.CallbackWorkload) -> None:
    """Call the function of a missed deadline, or make a notifier and call that."""
    from gnomon.sdk.callbacks import accepts_context, load

    data = values.decode(workload.data or b"{}")
    context, kwargs = data["context"], data["kwargs"]
    log.info("Running %s: the run %s", data["path"], workload.reason)
    # This process is a fork of the one that has imported the DAG file, so a function of that file is there.
    function = load(data["path"], None, lambda file: None)
    with _time_limit(config.conf.getint("callbacks", "callback_execution_timeout", fallback=0)):
        result = function(**kwargs, context=context) if accepts_context(function) else function(**kwargs)
        if isinstance(function, type) and callable(result):
            result(context)


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Raise in the middle of what takes longer; 0 is no limit."""
    if seconds <= 0:
        yield
        return

    def over(number: int, frame: Any) -> None:
        raise errors.AirflowTaskTimeout(f"it took longer than {seconds} s, [callbacks] callback_execution_timeout")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _task(dag: Any, workload: wire.CallbackWorkload) -> Any:
    task = dag.task_dict.get(workload.task_id)
    if task is None:
        raise errors.TaskNotFound(f"DAG {dag.dag_id!r} has no task {workload.task_id!r} any more")
    return task


def _context(workload: wire.CallbackWorkload, dag: Any, run: DagRun) -> dict[str, Any]:
    task = dag.task_dict.get(workload.task_id) if workload.task_id else None
    if task is None:
        return {"dag": dag, "dag_run": run, "run_id": run.run_id, "logical_date": run.logical_date}
    stand_in = wire.Workload(
        key=wire.TryKey(0, 0),
        task_id=task.task_id,
        map_index=workload.map_index,
        try_number=workload.try_number,
        max_tries=workload.max_tries,
        file=workload.file,
        run=workload.run,
    )
    ti = RuntimeTaskInstance(stand_in, task, run, start_date=clock.now_us(), profile=config.profile())
    ti.state = _STATES[workload.kind]
    context: Context = ti.get_template_context()
    return context
