"""Starting the supervisor, and following what it says until everything runs."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.cli import processes, statefile
from gnomon.cli.errors import CommandError

#: How many ports after the busy one are tried.
_PORTS_TO_TRY = 100


@dataclass
class Started:
    """A supervisor that was just started, and the pipe on which it tells what happens."""

    process: subprocess.Popen[bytes]
    events: int
    logs: Path
    _rest: bytes = b""

    def next_event(self, seconds: float | None) -> dict[str, Any] | None:
        """Return the next event, or None when `seconds` have passed.

        Raises:
            EOFError: the supervisor has ended.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._rest:
            # Looks at least once: `seconds` may be 0, for what has arrived already.
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.events], [], [], left)[0]:
                return None
            data = os.read(self.events, 65536)
            if not data:
                raise EOFError
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        found: dict[str, Any] = json.loads(line)
        return found

    def follow(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield events for up to `seconds`, and end early when the supervisor does."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self.next_event(deadline - time.monotonic())
            except EOFError:
                return
            if event is None:
                return
            yield event

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def launch(
    environ: Mapping[str, str],
    *,
    logs: Path,
    port: int,
    host: str = "127.0.0.1",
    project: str = "",
    env_file: str = "",
    settings: Path | None = None,
    bound: bool = False,
    parts: str | None = None,
) -> Started:
    """Start a supervisor in a session of its own.

    Args:
        environ: of it and everything below it.
        logs: the folder of the processes' logs.
        port: of the api-server.
        host: the address it listens on.
        project: for `dev ps`.
        env_file: for later commands, which should see the same settings.
        settings: an `airflow_settings.yaml` to load before anything runs.
        bound: end when this process ends.
        parts: names of the processes, if not all.
    """
    read, write = socket.socketpair()
    command = [sys.executable, "-m", "gnomon.cli.supervise", "--logs", str(logs), "--port", str(port), "--host", host]
    command += ["--events", str(write.fileno()), "--project", project, "--env-file", env_file]
    command += ["--settings", str(settings)] if settings else []
    command += ["--bound"] if bound else []
    command += ["--parts", parts] if parts else []
    logs.mkdir(parents=True, exist_ok=True)
    with open(logs / "supervisor.log", "ab") as log:
        process = subprocess.Popen(
            command,
            env={**environ, "AIRFLOW__LOGGING__JSON_LOGS": environ.get("AIRFLOW__LOGGING__JSON_LOGS", "True")},
            pass_fds=[write.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write.close()
    return Started(process, read.detach(), logs)


def ended_early(started: Started) -> CommandError:
    """Return why a supervisor that should be running is not."""
    from gnomon.cli.supervise import ALREADY_RUNNING

    code = started.process.wait()
    if code == ALREADY_RUNNING:
        return already_running()
    words = last_lines(started.logs / "supervisor.log", 8)
    return CommandError(f"the supervisor ended with exit code {code}; its last words:\n{words}")


def already_running() -> CommandError:
    """Return the error of a second start."""
    state = statefile.running()
    where = f" at http://localhost:{state.port}, with pid {state.pid}" if state else ""
    return CommandError(
        f"it is running already{where}", hint="gnomon dev restart starts it anew, gnomon dev stop ends it"
    )


def last_lines(path: Path, count: int) -> str:
    """Return the end of a text file; "" if there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


def stop(grace: float = 15.0) -> bool:
    """Stop what runs in this AIRFLOW_HOME, and whatever a killed supervisor has left; say whether there was any."""
    state = statefile.read()
    if state is None:
        return False
    had = [process for process in (state.supervisor, *state.processes) if process.alive()]
    processes.end([state.supervisor], grace=grace)
    # A supervisor that ended well has ended them all; this is for one that was killed, by us or by somebody else.
    processes.end(state.processes, grace=5)
    statefile.remove()
    return bool(had)


def free_port(wanted: int, *, host: str, must: bool) -> int:
    """Return `wanted` if nobody listens on it, else the next free port.

    Raises:
        CommandError: it is no port, or it is taken and `must` says that no other will do.
    """
    if not 0 < wanted < 65536:
        where = "-p/--port" if must else "[api] port"
        raise CommandError(f"{where}: {wanted} is no port; it must be from 1 to 65535", exit_code=2)
    if _is_free(wanted, host):
        return wanted
    if must:
        raise CommandError(f"-p/--port: port {wanted} is in use by another program")
    for port in range(wanted + 1, min(wanted + _PORTS_TO_TRY, 65536)):
        if _is_free(port, host):
            return port
    raise CommandError(f"no port from {wanted} to {wanted + _PORTS_TO_TRY} is free; name one with -p")


def _is_free(port: int, host: str) -> bool:
    for family, address in ((socket.AF_INET, host), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            import errno

            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
    return True
