"""Tells listeners of plugins, in a process of their own; see `gnomon.parsing.listening`.

    python -P -m gnomon.parsing.listener_host <descriptor of a socket to the dag-processor>

What is about a run or a task of a DAG is told in a fork that has imported the DAG's file, as in processes of tasks.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

from msgspec import Raw

from gnomon.parsing import loader, project, surroundings
from gnomon.sdk import listeners
from gnomon.sdk.runtime.channel import ChannelClosedError, set_channel
from gnomon.service.config import conf, profile
from gnomon.service.masked_output import mask_output
from gnomon.wire import execution as wire
from gnomon.wire import framing
from gnomon.wire.listening import HOOKS, Announcement, AnnouncementMade, ToHost

log = logging.getLogger("airflow.listeners")

_PR_SET_PDEATHSIG = 1
_decode = wire.decoder(ToHost).decode


class Channel:
    """The channel of listeners to the control side."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def ask(self, request: wire.Request) -> wire.Reply:
        """Return the answer to a request."""
        self.send(wire.Ask(body=request))
        payload = framing.read_frame(self._sock)
        if payload is None:
            raise ChannelClosedError("the dag-processor has closed the connection")
        reply: wire.Reply = _decode(payload)
        return reply

    def tell(self, request: wire.Request) -> None:
        """Say something."""
        self.send(wire.Tell(body=request))

    def send(self, message: Any) -> None:
        """Send a message."""
        self._sock.sendall(framing.pack(wire.encode(message)))


def main() -> None:
    """Start as described above."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.set_inheritable(False)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a listener that hangs does not see the end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the dag-processor, which closes the socket
    mask_output()
    logging.basicConfig(level=logging.INFO, format="listeners: %(levelname)s %(message)s")
    channel = Channel(sock)
    set_channel(channel)
    folder = os.path.expanduser(conf.get("core", "dags_folder", fallback="") or "")
    owned = project.roots(folder)
    project.prepare_sys_path(folder, owned)
    while (payload := framing.read_frame(sock)) is not None:
        announced = _decode(payload)
        assert isinstance(announced, Announcement)
        surroundings.prepare(owned)  # anew, when a plugin has changed
        channel.send(AnnouncementMade(announced.id, _made(announced)))


def _made(announced: Announcement) -> str | None:
    """Tell listeners; return why that was not possible."""
    try:
        if announced.kind.startswith(("run_", "task_")):
            return _in_fork(announced)
        _TELLS[announced.kind](announced)
    except Exception as error:
        log.exception("listeners could not be told of %s", announced.kind)
        return f"{type(error).__name__}: {error}"
    return None


# --------------------------------------------------------------------------------------- processes, assets


def _starting(announced: Announcement) -> None:
    listeners.tell("on_starting", component=_job(announced.data))


def _stopping(announced: Announcement) -> None:
    listeners.tell("before_stopping", component=_job(announced.data))


def _job(data: dict[str, Any]) -> listeners.Job:
    dates = {name: _moment(data.get(name)) for name in ("start_date", "end_date")}
    return listeners.Job(**{**data, **dates})


def _asset_created(announced: Announcement) -> None:
    asset = _asset(announced.data)
    listeners.tell("on_asset_created", asset=asset)
    listeners.tell("on_dataset_created", dataset=asset)


def _alias_created(announced: Announcement) -> None:
    from gnomon.sdk.assets import AssetAlias

    listeners.tell("on_asset_alias_created", asset_alias=AssetAlias(**announced.data))


def _asset_event(announced: Announcement) -> None:
    from gnomon.sdk.listener_specs import AssetEvent

    data = announced.data
    asset = _asset(data["asset"])
    listeners.tell("on_asset_changed", asset=asset)
    listeners.tell("on_dataset_changed", dataset=asset)
    event = AssetEvent(
        asset, data["extra"], None, None, None, -1,
        partition_key=data["partition_key"], partition_date=_moment(data["partition_date"]),
    )  # fmt: skip
    listeners.tell("on_asset_event_emitted", asset_event=event)


def _asset(data: dict[str, Any]) -> Any:
    from gnomon.sdk.assets import Asset

    return Asset(name=data["name"], uri=data["uri"], group=data["group"], extra=data["extra"])


_TELLS = {
    "starting": _starting,
    "stopping": _stopping,
    "asset_created": _asset_created,
    "alias_created": _alias_created,
    "asset_event": _asset_event,
}


# ------------------------------------------------------------------------------------------- runs and tasks


def _in_fork(announced: Announcement) -> str | None:
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(announced, parent)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == 0 else f"the process that told them ended with {code}"


def _child(announced: Announcement, parent: int) -> NoReturn:
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            _tell_of_mark(announced)
            status = 0
    except Exception:
        log.exception("listeners could not be told of %s", announced.kind)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell_of_mark(announced: Announcement) -> None:
    from gnomon.sdk.runtime.dag_run import find_run
    from gnomon.sdk.runtime.stored import ToldRun

    data, state = announced.data, announced.kind.partition("_")[2]
    found = find_run(data["dag_id"], run_id=data["run_id"])
    if found is None:
        return  # it was deleted meanwhile
    dag = _dag(announced)
    run = ToldRun(found, dag, state if announced.kind.startswith("run_") else str(found.state))
    (name,) = HOOKS[announced.kind]
    if announced.kind.startswith("run_"):
        listeners.tell(name, dag_run=run, msg=f"somebody has marked the run as {state}")
    else:
        error = {"error": f"somebody has marked the task instance as {state}"} if state == "failed" else {}
        listeners.tell(name, previous_state=None, task_instance=_task_instance(data, dag, run), **error)
    listeners.tell("before_stopping", component=listeners.TaskRunnerMarker())


def _dag(announced: Announcement) -> Any:
    """Return the DAG as it is now; None if its file has it no more."""
    file = announced.file
    if file is None:
        return None
    loaded = loader.load_file(file.path, bundle_root=file.bundle_root, relative_path=file.relative_path)
    if loaded.error:
        log.warning("%s cannot be imported: %s", file.relative_path, loaded.error)
    return loaded.dags.get(announced.data["dag_id"])


def _task_instance(data: dict[str, Any], dag: Any, run: Any) -> Any:
    from gnomon.sdk.runtime.marked import MarkedTaskInstance

    task = None if dag is None else dag.task_dict.get(data["task_id"])
    workload = wire.Workload(
        key=wire.TryKey(data["id"], 0),
        task_id=data["task_id"],
        map_index=data["map_index"],
        try_number=data["try_number"],
        max_tries=data["max_tries"],
        file=wire.FileRef("", "", "", ""),
        run=Raw(b""),
    )
    ti = MarkedTaskInstance(workload, task, run, start_date=data.get("start_date") or 0, profile=profile())
    for name in ("state", "queue", "pool", "pool_slots", "priority_weight", "hostname", "pid", "note"):
        setattr(ti, name, data[name])
    ti.operator = data["operator"] or ti.operator
    ti.end_date = _moment(data.get("end_date"))
    return ti


def _moment(micros: int | None) -> Any:
    if micros is None:
        return None
    import pendulum

    return pendulum.instance(datetime.fromtimestamp(0, UTC)).add(microseconds=micros)


if __name__ == "__main__":
    main()
