"""A smaller `gnomon.worker.usercode`: a DAG file is a Python file with functions, and a task calls one of them."""

from __future__ import annotations

import os
import runpy
import signal
import traceback
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from gnomon.sdk.runtime.channel import TaskChannel, set_channel
from gnomon.service import clock
from gnomon.wire import execution as wire


@dataclass
class Loaded:
    """What the template needs of a LoadedFile."""

    dags: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


class Terminated(BaseException):
    """SIGTERM came."""


def preload() -> None:
    """Import nothing."""


def rehearsal_dag() -> dict[str, Any]:
    """Return what a file with an empty function would give."""
    return {"nothing": lambda channel: None}


def load_file(file: wire.FileRef) -> Loaded:
    """Run the file; its globals are the one DAG, `d`."""
    try:
        return Loaded(dags={"d": runpy.run_path(file.path)})
    except Exception:
        return Loaded(error=traceback.format_exc())


def run_try(workload: wire.Workload, dag: dict[str, Any], channel: TaskChannel) -> None:
    """Call the function that the task is named after."""
    if not channel.proceed().ok:
        return
    set_channel(channel)

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    outcome = wire.Outcome(key=workload.key, state="success", end_date=0, pid=os.getpid())
    try:
        dag[workload.task_id](channel)
    except Terminated:
        if on_kill := dag.get("on_kill"):
            on_kill()
        outcome.state, outcome.error = "failed", "terminated"
    except Exception as error:
        traceback.print_exc()
        outcome.state, outcome.error = "failed", repr(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        set_channel(None)
    outcome.end_date = clock.now_us()
    channel.finish(outcome)


def run_callback(workload: wire.CallbackWorkload, dags: dict[str, Any], channel: TaskChannel) -> None:
    """Call the function that the kind of callback is named after."""
    dags["d"][workload.kind](channel)
    channel.finish(wire.CallbackDone(id=workload.id))
