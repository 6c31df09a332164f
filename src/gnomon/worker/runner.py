"""Runs one try in its process: a pipeline over one record.

wait for the go-ahead · clear old XComs · render · pre_execute · on_execute · execute · post_execute · report

Success is reported before its callbacks, so that the next task need not wait for them; anything else after, because a
callback may still want to look at a task instance that is running. Callbacks cannot change the outcome.

Each no-op task pays for this file. So nothing is imported here that `preload` has not imported in the template, the
context works its entries out when they are asked for, and there is no thread unless rendered fields have to be shown
while the task runs.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import cache
from typing import Any

import msgspec

from gnomon.sdk import exceptions as errors
from gnomon.sdk import listeners, nesting, operator_link, plugins, policies
from gnomon.sdk import log as sdk_log
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.runtime import current, values, xcom
from gnomon.sdk.runtime.callbacks import call, run_callbacks
from gnomon.sdk.runtime.channel import TaskChannel, set_channel
from gnomon.sdk.runtime.context import Context
from gnomon.sdk.runtime.dag_run import DagRun
from gnomon.sdk.runtime.exported import policies_variables, variables
from gnomon.sdk.runtime.task_end import ending_of
from gnomon.sdk.runtime.task_instance import RuntimeTaskInstance
from gnomon.service import clock, config
from gnomon.service.environment import RENDER_ONLY
from gnomon.wire import execution as wire
from gnomon.worker import logs, run_as, run_fields, run_outcomes
from gnomon.worker.run_signals import Interruptions

log = logging.getLogger("airflow.task")
_decode_run = msgspec.msgpack.Decoder(wire.RunInfo).decode
_RENDERS_ONLY = RENDER_ONLY in os.environ


class Try:
    """One piece of a try on its way through the pipeline."""

    def __init__(self, workload: wire.Workload, dag: Any, channel: TaskChannel) -> None:
        self.workload = workload
        self.channel = channel
        self.profile = profile()
        self.run = DagRun(_decode_run(workload.run))
        now = clock.now_us()
        #: start of this piece; of the try, where it goes on after a deferral
        self.started = workload.first_start or now if workload.next_method else now
        found = dag.task_dict.get(workload.task_id)
        if found is None:
            raise errors.TaskNotFound(f"DAG {dag.dag_id!r} has no task {workload.task_id!r} any more")
        #: the task as this piece has it: a copy, unmapped and rendered
        self.task: Any = found.prepare_for_execution()
        self.ti = RuntimeTaskInstance(
            workload, self.task, self.run, start_date=self.started, profile=self.profile, hostname=hostname()
        )
        self.context: Context = self.ti.get_template_context()
        self.interruptions = Interruptions(channel, self._on_kill)
        self.fields: bytes | None = None
        self.late_report: run_fields.LateReport | None = None
        self.error: BaseException | None = None
        #: whether another try follows a failure
        self.retries = False

    def _on_kill(self) -> None:
        if not self.task.is_mapped:  # a mapped operator that was not expanded has nothing to kill
            self.task.on_kill()


def preload() -> None:
    """Import and look up, once in the base process, what each try needs."""
    import pendulum  # noqa: F401

    from gnomon.sdk import dag, templating  # noqa: F401

    sdk_log.write_line = logs.say
    templating.environment_classes()
    hostname()
    profile()
    xcom.preload(with_project=False)
    xcom.max_size()

    from gnomon.worker.run_rehearsal import rehearse

    rehearse()


@cache
def hostname() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@cache
def profile() -> int:
    """Return the compatibility profile."""
    return config.profile()


def run_try(workload: wire.Workload, dag: Any, channel: TaskChannel) -> None:
    """Run one piece of a try, from the go-ahead to its report.

    Args:
        workload: what to run.
        dag: the DAG, as its file defines it in this process.
        channel: the connection to the worker.
    """
    set_channel(channel)
    try:
        piece: Try | None = Try(workload, dag, channel)
        problem: Exception | None = None
    except Exception as error:
        piece, problem = None, error
    if not channel.proceed().ok:
        return
    if piece is None:
        _report_unusable(workload, channel, problem)
        return
    current.push_context(piece.context)
    try:
        with piece.interruptions:
            if _RENDERS_ONLY:
                channel.finish(_only_render(piece))
                return
            outcome = _run(piece)
            _finish(piece, outcome)
    finally:
        current.pop_context()


def _only_render(piece: Try) -> wire.Outcome:
    try:
        _render(piece)
        outcome = run_outcomes.outcome(piece, "success")
    except Exception as error:
        outcome = run_outcomes.outcome(piece, "failed", retryable=False, error=run_outcomes.describe(error))
    _add_fields(piece, outcome)
    return outcome


def _report_unusable(workload: wire.Workload, channel: TaskChannel, problem: Exception | None) -> None:
    message = run_outcomes.describe(problem) if problem else "unknown"
    log.error("The task cannot be run: %s", message)
    end = clock.now_us()
    channel.finish(wire.Outcome(key=workload.key, state="failed", end_date=end, pid=os.getpid(), error=message))


def _run(piece: Try) -> wire.Outcome:
    """Take the piece through the pipeline; whatever happens has an Outcome."""
    workload = piece.workload
    index = f"[{workload.map_index}]" if workload.map_index >= 0 else ""
    tries = max(workload.max_tries + 1, workload.try_number)
    ti = piece.ti
    _say(f"Running {ti.dag_id}.{ti.task_id}{index} of {ti.run_id}, try {workload.try_number} of {tries}")
    try:
        if user := getattr(piece.task, "run_as_user", None) or run_as.default_user():
            run_as.become(user, ti.task_id)
        if listeners.manager is not None:
            _listening().starting()
        _clear_xcoms(piece)
        _render(piece)
        _check_assets(piece.task.__dict__)
        if listeners.manager is not None:
            _listening().running(piece)
        result = _execute(piece)
        outcome = run_outcomes.success(piece, result)
    except BaseException as error:
        if isinstance(error, errors.AirflowTaskTerminated | errors.AirflowTaskTimeout):
            piece.interruptions.kill()
        _render_label_quietly(piece)
        outcome = run_outcomes.of_exception(piece, error)
    piece.interruptions.deaf = True
    if piece.interruptions.terminated:
        piece.interruptions.kill()
    _add_fields(piece, outcome)
    return outcome


def _listening() -> Any:
    from gnomon.worker import run_listeners

    return run_listeners


def _say(event: str) -> None:
    if not logs.say(event):
        log.info("%s", event)


# ------------------------------------------------------------------------------------------------ the steps


def _clear_xcoms(piece: Try) -> None:
    """Remove what an earlier try or piece has pushed; a first piece has no earlier one, a resumed one goes on."""
    workload = piece.workload
    if workload.next_method is not None or workload.key.seq <= 1:
        return
    xcom.backend().delete(
        key=None,
        dag_id=piece.ti.dag_id,
        task_id=workload.task_id,
        run_id=piece.ti.run_id,
        map_index=workload.map_index,
    )


def _render(piece: Try) -> None:
    task, context = piece.task, piece.context
    if _has_params(piece):
        context["params"]  # a param that does not fit its schema fails the task before it begins
    if task.is_mapped:
        task.render_template_fields(context)
        piece.task = piece.ti.task = context["task"]
    else:
        if type(task).prepare_template is not BaseOperator.prepare_template:
            task.resolve_template_files()  # it works on what is in the files
        if _has_something_to_render(task):
            task.render_template_fields(context)
    piece.fields = run_fields.encode(piece.task)
    try:
        piece.ti.rendered_map_index = _label(piece)
    except Exception as error:  # it may name what only `execute` sets; it is rendered again afterwards
        log.debug("map_index_template cannot be rendered yet: %s", error)
    if piece.fields is not None:
        piece.late_report = run_fields.LateReport(piece.channel, piece.fields, piece.ti.rendered_map_index)


def _check_assets(given: dict[str, Any]) -> None:
    """Fail a task with inlets or outlets that are not active: its events would be lost, or are not to be had."""
    inlets, outlets = given.get("inlets"), given.get("outlets")
    if inlets or outlets:
        from gnomon.sdk.runtime.asset_events import inactive_of

        if inactive := inactive_of([*(inlets or ()), *(outlets or ())]):
            raise errors.AirflowInactiveAssetInInletOrOutletException(inactive)


def _has_params(piece: Try) -> bool:
    """Tell, without merging any, whether there are params to check."""
    task = piece.task
    if piece.run.has_conf or task.is_mapped:
        return True
    return bool(getattr(task, "_params", True)) or bool(getattr(task.dag, "_params", True))


def _has_something_to_render(task: Any) -> bool:
    if type(task).render_template_fields is not BaseOperator.render_template_fields:
        return True
    for name in task.template_fields:
        try:
            if getattr(task, name):
                return True
        except Exception:
            return True  # an attribute that is missing, or has no truth value: rendering says what is wrong
    return False


def _label(piece: Try) -> str | None:
    template = getattr(piece.task, "map_index_template", None)
    if template is None or piece.workload.map_index < 0:
        return None
    label = piece.task.render_template(template, piece.context)
    return None if label is None else str(label)


def _render_label_quietly(piece: Try) -> None:
    if getattr(piece.task, "map_index_template", None) is None:
        return
    try:
        piece.ti.rendered_map_index = _label(piece)
    except Exception as error:
        log.debug("map_index_template cannot be rendered: %s", error)


def _execute(piece: Try) -> Any:
    task, context = piece.task, piece.context
    for name, value in variables(piece.ti).items():  # `update` asks what kind of mapping this is: twenty pages
        os.environ[name] = value
    if policies.rules is not None:
        os.environ.update(policies_variables(context))
    _call_hooks(task, "pre_execute", context)
    run_callbacks("on_execute_callback", task.on_execute_callback, context)
    limit = _time_limit(piece)
    if limit is None:
        result = _call_execute(piece)
    else:
        with piece.interruptions.time_limit(limit):
            result = _call_execute(piece)
    _call_hooks(task, "post_execute", context, result)
    if task.map_index_template is not None:
        piece.ti.rendered_map_index = _label(piece)
    return result


def _call_execute(piece: Try) -> Any:
    method = piece.workload.next_method
    nesting.run_in(piece.task)
    if method is None:
        return piece.task.execute(context=piece.context)
    kwargs = _resumed_with(piece.workload.next_kwargs)
    if (ending := ending_of(kwargs.get("event"))) is not None:
        return _end_as_told(piece, *ending)
    log.info("Resuming after deferral in %s", method)
    return piece.task.resume_execution(next_method=method, next_kwargs=kwargs, context=piece.context)


def _resumed_with(saved: bytes | None) -> dict[str, Any]:
    """Return the arguments of the method that goes on: what was saved, and the event or the failure."""
    found = values.decode(saved) if saved else {}
    kwargs = dict(found.pop("kwargs", None) or {})
    return {**kwargs, **found}


def _end_as_told(piece: Try, state: str, pushed: dict[str, Any]) -> None:
    """End in the state that the trigger's event names; its method is not called."""
    log.info("The trigger ends the task: %s", state)
    for key, value in pushed.items():
        piece.ti.xcom_push(key, value)
    if state == "skipped":
        raise errors.AirflowSkipException("the trigger's event says so")
    if state != "success":
        raise errors.AirflowException(f"the trigger's event ended the task as {state}")


def _time_limit(piece: Try) -> float | None:
    timeout = piece.task.execution_timeout
    if timeout is None:
        return None
    seconds: float = timeout.total_seconds()
    if piece.profile == 2 and piece.workload.next_method is not None:
        return seconds - (clock.now_us() - piece.started) / 1e6  # it counts from the start of the try
    return seconds


def _call_hooks(task: Any, name: str, context: Any, *more: Any) -> None:
    """Call the hook given to the operator, and the method if a subclass has its own."""
    attribute = f"_{name}_hook"
    hook = getattr(task, attribute, None)
    if hook is not None:
        setattr(task, attribute, None)  # the method of BaseOperator would call it once more
        call(hook, context, context, *more)
    if getattr(type(task), name) is not getattr(BaseOperator, name):
        call(getattr(task, name), context, context, *more)


def _add_fields(piece: Try, outcome: wire.Outcome) -> None:
    sent = piece.late_report.stop() if piece.late_report is not None else False
    if getattr(piece.task, "overwrite_rtif_after_execution", False):
        piece.fields, sent = run_fields.encode(piece.task), False
    if not sent:
        outcome.rendered_fields = piece.fields
    outcome.rendered_map_index = piece.ti.rendered_map_index


# --------------------------------------------------------------------------------------- report and callbacks

_CALLBACKS = {
    "success": "on_success_callback",
    "skipped": "on_skipped_callback",
    "up_for_retry": "on_retry_callback",
    "failed": "on_failure_callback",
}


def _finish(piece: Try, outcome: wire.Outcome) -> None:
    ti = piece.ti
    state = "up_for_retry" if outcome.state == "failed" and piece.retries else outcome.state
    ti.state = state
    ti.end_date = clock.now()
    _push_links(piece, outcome)
    if state == "success":
        _say("Task succeeded")
        piece.channel.finish(outcome)
        _run_callbacks(piece, state)
        if listeners.manager is not None:
            _listening().ended(piece, state, outcome)
        return
    try:
        if _callbacks_are_wanted(piece):
            _run_callbacks(piece, state)
            _report_by_email(piece, state)
            if listeners.manager is not None:
                _listening().ended(piece, state, outcome)
    finally:
        log.info("Task ended: %s", state)
        piece.channel.finish(outcome)


def _run_callbacks(piece: Try, state: str) -> None:
    kind = _CALLBACKS.get(state)
    callbacks = getattr(piece.task, kind, None) if kind else None
    if kind is None or not callbacks:
        return
    if piece.error is not None:
        piece.context["exception"] = piece.error
    try:
        piece.interruptions.deaf = False
        run_callbacks(kind, callbacks, piece.context)
    except BaseException as error:  # a callback that exits, or SIGTERM while it ran: the outcome stands
        log.error("%s ended by %s; the state of the task is not affected", kind, run_outcomes.describe(error))
    finally:
        piece.interruptions.deaf = True


def _report_by_email(piece: Try, state: str) -> None:
    if not getattr(piece.task, "email", None) or piece.error is None:
        return
    from gnomon.worker import run_emails

    if run_emails.wanted(piece.task, state):
        run_emails.report(piece.task, piece.ti, piece.context, piece.error)


def _callbacks_are_wanted(piece: Try) -> bool:
    """After SIGTERM: somebody may have marked the task instance as success, which is no failure to call about."""
    if not piece.interruptions.terminated:
        return True
    try:
        states = piece.ti.get_task_states(piece.ti.dag_id, task_ids=[piece.ti.task_id], run_ids=[piece.ti.run_id])
    except Exception:
        return True
    name = piece.ti.task_id if piece.ti.map_index < 0 else f"{piece.ti.task_id}_{piece.ti.map_index}"
    state = states.get(piece.ti.run_id, {}).get(name, "running")
    return state in ("running", "failed", "up_for_retry")


def _push_links(piece: Try, outcome: wire.Outcome) -> None:
    """Add the operator's links, which only its own code can make, as XComs."""
    links = [*piece.task.operator_extra_links, *plugins.links_of(piece.task)]
    if not links or outcome.state not in ("success", "failed", "skipped"):
        return
    for link in links:
        try:
            url = link.get_link(operator=piece.task, ti_key=piece.ti.key)
            entry = wire.XComEntry(operator_link.xcom_key_of(link), values.encode(url))
            outcome.xcoms = [*outcome.xcoms, entry]
        except Exception:
            log.exception("The link %r could not be made", getattr(link, "name", link))


# ------------------------------------------------------------------------------------------------ callbacks


def run_callback(workload: wire.CallbackWorkload, dags: dict[str, Any], channel: TaskChannel) -> None:
    """Run the callbacks of a DAG, or those of a task that has no process any more.

    Args:
        workload: which ones, and why.
        dags: the DAGs of the file.
        channel: the connection to the worker.
    """
    from gnomon.worker.run_callbacks import run

    set_channel(channel)
    failure: str | None = None
    try:
        run(workload, dags)
    except BaseException as error:
        failure = run_outcomes.describe(error)
        log.error(
            "The callback failed: %s",
            run_outcomes.describe(error),
            exc_info=(type(error), error, run_outcomes.users_frames(error)),
        )
    finally:
        channel.finish(wire.CallbackDone(id=workload.id, error=failure))
