"""What the supervisor tells the other commands: one JSON file in the runtime directory, replaced as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gnomon.cli.processes import Process
from gnomon.service.home import runtime_dir


@dataclass
class PartState:
    """One process as the supervisor sees it."""

    name: str
    #: waiting, starting, running, restarting, stopping, stopped
    state: str = "waiting"
    pid: int = 0
    started: str = ""
    #: seconds since the epoch
    since: float = 0.0
    restarts: int = 0
    #: how it ended last, for example "exit code 1" or "killed by SIGKILL"
    ended: str = ""

    @property
    def process(self) -> Process:
        """The process, to be checked before it is signalled."""
        return Process(self.pid, self.started)


@dataclass
class State:
    """The supervisor and its processes."""

    pid: int
    started: str
    home: str
    project: str = ""
    port: int = 0
    logs: str = ""
    env_file: str = ""
    zygote: int = 0
    zygote_started: str = ""
    parts: dict[str, PartState] = field(default_factory=dict)

    @property
    def supervisor(self) -> Process:
        """The supervisor's own process."""
        return Process(self.pid, self.started)

    @property
    def processes(self) -> list[Process]:
        """Everything that it started, without itself."""
        found = [part.process for part in self.parts.values() if part.pid]
        return [*found, Process(self.zygote, self.zygote_started)] if self.zygote else found


def path() -> Path:
    """Return where the state of this AIRFLOW_HOME's supervisor is."""
    return runtime_dir() / "supervisor.json"


def write(state: State) -> None:
    """Replace the file; a reader sees the old one or the new one."""
    target = path()
    temporary = target.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
    os.replace(temporary, target)


def read() -> State | None:
    """Return the last state; None if there is none, or it cannot be read."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
        parts = {name: PartState(**part) for name, part in found.pop("parts").items()}
        return State(**found, parts=parts)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def running() -> State | None:
    """Return the state of a supervisor that lives; None otherwise."""
    state = read()
    return state if state is not None and state.supervisor.alive() else None


def remove() -> None:
    """Remove the file: everything has been stopped."""
    path().unlink(missing_ok=True)
