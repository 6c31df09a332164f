"""The process of a try, from its fork to its end. Everything here is paid for by each task: keep it short."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import socket
import sys
import traceback
from typing import Any, Protocol

from gnomon.sdk.runtime.channel import ChannelClosedError, TaskChannel
from gnomon.service import clock
from gnomon.service.masking import masker
from gnomon.wire import execution as wire
from gnomon.worker import linux, logs
from gnomon.worker.pieces import decode_run_name

#: As the kernel knows them: the enums of `signal` would cost each task fifty pages.
_RESET = tuple(int(number) for number in (_signal.SIGCHLD, _signal.SIGTERM, _signal.SIGHUP))
_set_signal = _signal.signal


class UserCode(Protocol):
    """The functions of `gnomon.worker.usercode`."""

    def preload(self) -> None: ...
    def rehearsal_dag(self) -> Any: ...
    def load_file(self, file: wire.FileRef) -> Any: ...
    def run_try(self, workload: wire.Workload, dag: Any, channel: TaskChannel) -> None: ...
    def run_callback(self, workload: wire.CallbackWorkload, dags: dict[str, Any], channel: TaskChannel) -> None: ...


def begin(parent: int, raw_output: int, learnt: socket.socket, not_ours: tuple[int, ...]) -> None:
    """Turn a fresh fork into a process of its own: session, signals, descriptors.

    Args:
        parent: the template, with which it dies.
        raw_output: the pipe for descriptors 1 and 2.
        learnt: where to send secrets that raw output must not show.
        not_ours: descriptors of the template. They are closed beneath their objects, which are never looked at again;
            taking those apart would touch, and so copy, the memory of all that they refer to.
    """
    os.setsid()
    linux.die_with_parent(parent)
    _signal.set_wakeup_fd(-1)
    for number in _RESET:
        _set_signal(number, _signal.SIG_DFL)
    _set_signal(_signal.SIGINT, _signal.default_int_handler)
    for fd in not_ours:
        os.close(fd)
    os.dup2(raw_output, 1)
    os.dup2(raw_output, 2)
    os.close(raw_output)
    gc.enable()

    def tell(secret: str) -> None:
        learnt.send(secret.encode("utf-8", "surrogatepass"))

    masker.on_learn = tell


def run(launch: wire.Launch, dags: dict[str, Any], usercode: UserCode, channel: TaskChannel) -> None:
    """Run one workload with its log open; what the pipeline itself lets through is logged and raised.

    Raises:
        BaseException: the runner failed in a way it did not report.
    """
    workload = launch.workload
    try:
        logs.open_log(launch.log_path)
    except OSError as error:
        _refuse(workload, channel, f"the log {launch.log_path} cannot be written: {error.strerror}")
        return
    try:
        if isinstance(workload, wire.Workload):
            _run_try(workload, dags, usercode, channel)
        else:
            usercode.run_callback(workload, dags, channel)
    except (SystemExit, ChannelClosedError):
        raise
    except BaseException:
        # The runner reports whatever user code does; this is a fault of the pipeline, and the log must show it.
        sys.stderr.write(traceback.format_exc())
        raise
    finally:
        logs.close_log()
    if logs.kept_elsewhere and launch.log_path != os.devnull:
        from gnomon.worker import kept_logs

        kept_logs.keep(launch)


def _run_try(workload: wire.Workload, dags: dict[str, Any], usercode: UserCode, channel: TaskChannel) -> None:
    dag_id = decode_run_name(workload.run).dag_id
    dag = dags.get(dag_id)
    if dag is not None:
        usercode.run_try(workload, dag, channel)
        return
    present = ", ".join(sorted(dags)) or "none"
    error = f"DAG {dag_id!r} is not in {workload.file.relative_path} any more; the file has {present}"
    sys.stderr.write(error + "\n")
    _refuse(workload, channel, error)


def _refuse(workload: wire.Workload | wire.CallbackWorkload, channel: TaskChannel, error: str) -> None:
    """Report that user code could not even begin."""
    if isinstance(workload, wire.CallbackWorkload):
        channel.finish(wire.CallbackDone(id=workload.id, error=error))
    elif channel.proceed().ok:
        end = clock.now_us()
        channel.finish(wire.Outcome(key=workload.key, state="failed", end_date=end, pid=os.getpid(), error=error))
