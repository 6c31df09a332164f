"""What the end of a try means: from an exception, or from a result, to an Outcome."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gnomon.model.retry import may_retry
from gnomon.sdk import exceptions as errors
from gnomon.sdk.runtime import values, xcom
from gnomon.sdk.runtime.dag_run import micros
from gnomon.service import clock
from gnomon.service.masking import masker
from gnomon.wire import execution as wire

if TYPE_CHECKING:
    from gnomon.worker.runner import Try

log = logging.getLogger("airflow.task")
#: Longer messages of exceptions are cut in the list of tries; the log has them whole.
_MAX_ERROR = 1000
_GNOMON = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def outcome(piece: Try, state: str, **fields: Any) -> wire.Outcome:
    """Return an Outcome of this piece that ends now."""
    return wire.Outcome(key=piece.workload.key, state=state, end_date=clock.now_us(), pid=os.getpid(), **fields)


# -------------------------------------------------------------------------------------------------- success


def success(piece: Try, result: Any, *, skip: list[tuple[str, int]] | None = None) -> wire.Outcome:
    """Return the Outcome of a try that succeeded, with what it returned as XComs.

    Raises:
        XComError: the result has no JSON form, or is too large.
        TypeError: the result is not what multiple_outputs, or a mapped task downstream, needs.
    """
    return outcome(piece, "success", xcoms=_entries(piece, result), skip=skip or [], asset_events=_asset_events(piece))


def _entries(piece: Try, result: Any) -> list[wire.XComEntry]:
    task = piece.task
    value = result if task.do_xcom_push else None
    is_mapped_over = not piece.ti.is_mapped and next(task.iter_mapped_dependants(), None) is not None
    if value is None:
        if is_mapped_over:
            raise errors.XComForMappingNotPushed
        return []
    length = _length(piece, value) if is_mapped_over else None
    names: dict[str, Any] = {
        "dag_id": piece.ti.dag_id,
        "task_id": piece.ti.task_id,
        "run_id": piece.ti.run_id,
        "map_index": piece.ti.map_index,
    }
    entries = []
    if task.multiple_outputs:
        entries = [xcom.entry_for(key, item, **names) for key, item in _outputs(piece, value).items()]
    entries.append(xcom.entry_for(xcom.XCOM_RETURN_KEY, value, length=length, **names))
    return entries


def _outputs(piece: Try, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(
            f"task {piece.ti.task_id} has multiple_outputs, so it must return a dict, not a {type(value).__name__}"
        )
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"task {piece.ti.task_id} has multiple_outputs, so the key {key!r} must be a string")
    return value


def _length(piece: Try, value: Any) -> int:
    length = xcom.mappable_length(value)
    if length is None:
        raise errors.UnmappableXComTypePushed(value)
    limit = max_map_length()
    if length > limit:
        raise ValueError(
            f"task {piece.ti.task_id} returned {length} elements that a mapped task expands over;"
            f" [core] max_map_length allows {limit}"
        )
    return length


def max_map_length() -> int:
    """Return `[core] max_map_length`."""
    from gnomon.service.config import conf

    return conf.getint("core", "max_map_length", fallback=1024)


def _asset_events(piece: Try) -> list[dict[str, Any]]:
    # Reading the attribute would make an empty list in each of the many tasks that have none.
    outlets = piece.task.__dict__.get("outlets")
    return list(piece.context["outlet_events"].events(outlets)) if outlets else []


# ----------------------------------------------------------------------------------------------- exceptions


def of_exception(piece: Try, error: BaseException) -> wire.Outcome:
    """Return what an exception of the task's code means; also logs it."""
    for kind, conclude in _MEANINGS:
        if isinstance(error, kind):
            try:
                return conclude(piece, error)
            except BaseException as second:  # the kwargs of a trigger have no JSON form, or SIGTERM while waiting
                return failed(piece, second)
    return failed(piece, error)


def failed(piece: Try, error: BaseException) -> wire.Outcome:
    """Return a failure; another try follows if any is left and neither the error nor a policy forbids it."""
    retryable = not isinstance(error, errors.AirflowFailException | errors.AirflowSensorTimeout)
    if isinstance(error, errors.AirflowTaskTerminated):
        retryable = piece.interruptions.terminated
    delay = None
    _log_failure(error)
    if retryable:
        retryable, delay = _ask_policy(piece, error)
    piece.error = error
    piece.retries = may_retry(
        try_number=piece.workload.try_number, max_tries=piece.workload.max_tries, retryable=retryable
    )
    return outcome(piece, "failed", retryable=retryable, retry_delay=delay, error=describe(error))


def describe(error: BaseException) -> str:
    """Return an exception in one line, masked."""
    text = str(error).strip()
    kind = type(error).__name__
    line = f"{kind}: {text}" if text else kind
    masked: str = masker.redact(line)
    return masked if len(masked) <= _MAX_ERROR else masked[:_MAX_ERROR] + "…"


def _log_failure(error: BaseException) -> None:
    if isinstance(error, SystemExit):
        log.error("Task exited with code %s", error.code)
        return
    log.error("Task failed: %s", describe(error), exc_info=(type(error), error, users_frames(error)))


def users_frames(error: BaseException) -> Any:
    """Return the traceback from where the user's code begins; all of it if that is never reached."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_GNOMON):
        trace = trace.tb_next
    return trace if trace is not None else error.__traceback__


def _ask_policy(piece: Try, error: BaseException) -> tuple[bool, float | None]:
    policy = getattr(piece.task, "retry_policy", None)
    if policy is None:
        return True, None
    try:
        decision = policy.evaluate(
            exception=error,
            try_number=piece.workload.try_number,
            max_tries=piece.workload.max_tries,
            context=piece.context,
        )
    except Exception:
        log.exception("The retry policy failed; the task's own retries count")
        return True, None
    action = getattr(decision.action, "value", decision.action)
    if decision.reason:
        log.info("Retry policy: %s, %s", action, decision.reason)
    delay = decision.retry_delay
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    return action != "fail", seconds if action == "retry" else None


def _skipped(piece: Try, error: BaseException) -> wire.Outcome:
    log.info("Skipping task%s", f": {error}" if str(error) else "")
    return outcome(piece, "skipped")


def _rescheduled(piece: Try, error: Any) -> wire.Outcome:
    log.info("Rescheduling task for %s", error.reschedule_date)
    return outcome(piece, "up_for_reschedule", reschedule_at=micros(error.reschedule_date))


def _downstream_skipped(piece: Try, error: Any) -> wire.Outcome:
    tasks = [error.tasks] if isinstance(error.tasks, str) else list(error.tasks)
    skip = [(task, -1) if isinstance(task, str) else (task[0], int(task[1])) for task in tasks]
    log.info("Skipping downstream tasks: %s", ", ".join(_name(*one) for one in skip) or "none")
    return success(piece, getattr(error, "result", None), skip=skip)


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


# ------------------------------------------------------------------------------------------------- deferral


def _deferred(piece: Try, error: Any) -> wire.Outcome:
    classpath, kwargs = error.trigger.serialize()
    log.info("Deferring task to the trigger %s", classpath)
    queue = getattr(piece.task, "queue", None) if _queues_enabled() else None
    return outcome(
        piece,
        "deferred",
        trigger=wire.TriggerSpec(classpath=classpath, kwargs=values.encode(kwargs), queue=queue),
        next_method=error.method_name,
        next_kwargs=values.encode(error.kwargs or {}),
        timeout=_deferral_ends(piece, error.timeout),
    )


def _deferral_ends(piece: Try, timeout: Any) -> int | None:
    limit = None if timeout is None else clock.now_us() + int(_seconds(timeout) * 1e6)
    if piece.profile == 2 and piece.task.execution_timeout is not None:
        execution_ends = piece.started + int(_seconds(piece.task.execution_timeout) * 1e6)
        limit = execution_ends if limit is None else min(limit, execution_ends)
    return limit


def _seconds(duration: Any) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _queues_enabled() -> bool:
    from gnomon.service.config import conf

    return conf.getboolean("triggerer", "queues_enabled", fallback=False)


def _awaiting_input(piece: Try, error: Any) -> wire.Outcome:
    log.info("Waiting for somebody's input")
    return outcome(
        piece,
        "awaiting_input",
        next_method=error.method_name,
        next_kwargs=values.encode(error.kwargs or {}),
        timeout=None if error.timeout is None else clock.now_us() + int(_seconds(error.timeout) * 1e6),
    )


def _run_triggered(piece: Try, error: Any) -> wire.Outcome:
    from gnomon.worker.run_trigger_dag import conclude

    return conclude(piece, error)


def _exited(piece: Try, error: Any) -> wire.Outcome:
    if piece.profile == 2 and error.code in (None, 0):
        return success(piece, None)
    return failed(piece, error)


_MEANINGS: list[tuple[type[BaseException], Callable[[Try, Any], wire.Outcome]]] = [
    (errors.DownstreamTasksSkipped, _downstream_skipped),
    (errors.TaskDeferred, _deferred),
    (errors.TaskAwaitingInput, _awaiting_input),
    (errors.AirflowSkipException, _skipped),
    (errors.AirflowRescheduleException, _rescheduled),
    (errors.DagRunTriggerException, _run_triggered),
    (SystemExit, _exited),
]
