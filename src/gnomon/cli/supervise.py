"""The supervisor: starts the processes, restarts what dies, stops all of them, and says what it does.

It is a program of its own, with one thread and few imports, because it must live longer than anything it starts. The
control-side processes are forked by a zygote (see `gnomon.cli.zygote`), the worker is a program of its own.

    python -m gnomon.cli.supervise --port 8080 --events 5 …

Events are JSON lines on the file descriptor `--events`: whoever started the supervisor shows them. With `--bound`
the supervisor stops when that descriptor's other end is closed, so that a closed terminal leaves nothing behind.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from gnomon.cli import processes, statefile
from gnomon.cli.restarts import Restarts
from gnomon.cli.statefile import PartState, State
from gnomon.service import clock
from gnomon.service.environment import for_user_code, user_python
from gnomon.service.home import runtime_dir

#: What a stop may take before it becomes a SIGKILL.
GRACE_SECONDS = 10.0
#: Another supervisor holds the lock of this AIRFLOW_HOME.
ALREADY_RUNNING = 3
#: A log is set aside when it is longer than this at the start.
_LOG_BYTES = 10_000_000
#: How long the rest waits for the scheduler and the dag-processor, which may have many files to read.
_HEAD_START_SECONDS = 0.7
_FIRST = ("scheduler", "dag-processor")
_CONTROL_SIDE = ("scheduler", "dag-processor", "triggerer", "api-server")


class Supervisor:
    """Keeps a set of processes running."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.logs = Path(options.logs)
        me = processes.this()
        self.state = State(
            pid=me.pid,
            started=me.started,
            home=os.environ.get("AIRFLOW_HOME", ""),
            project=options.project,
            port=options.port,
            logs=str(self.logs),
            env_file=options.env_file,
            parts={name: PartState(name) for name in options.parts.split(",")},
        )
        self.restarts = {name: Restarts() for name in self.state.parts}
        self.born: dict[str, float] = {}
        #: how long the log of each process was when it was started
        self.said: dict[str, int] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.selector = selectors.DefaultSelector()
        self.workers: dict[int, str] = {}  # our own children: pid → part
        self.zygote: subprocess.Popen[bytes] | None = None
        self.zygotes = Restarts()
        self.channel: socket.socket | None = None
        self.buffer = b""
        self.preparing = 0
        self.prepared = False
        self.stopping = False
        self.was_ready = False
        self.exit_code = 0

    # ---------------------------------------------------------------------------------------------- the loop

    def run(self) -> int:
        """Start everything, keep it running until a signal, stop everything; return the exit code."""
        self._listen_for_signals()
        self._listen_for_ready()
        if self.options.bound:
            self.selector.register(self.options.events, selectors.EVENT_READ, self._starter_left)
        self._set_aside_old_logs()
        self._start_zygote()
        for name in self.state.parts:
            if name not in _CONTROL_SIDE:
                self._start(name)
        while not self._over():
            for key, _ in self.selector.select(self._until_next_timer()):
                key.data()
            self._fire_timers()
        statefile.remove()
        self._tell("stopped")
        return self.exit_code

    def _over(self) -> bool:
        return self.stopping and not any(part.pid for part in self.state.parts.values()) and not self.preparing

    def _until_next_timer(self) -> float | None:
        return max(0.0, min(at for at, _ in self.timers) - time.monotonic()) if self.timers else None

    def _fire_timers(self) -> None:
        now = time.monotonic()
        due = [timer for timer in self.timers if timer[0] <= now]
        self.timers = [timer for timer in self.timers if timer[0] > now]
        for _, action in due:
            action()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self.timers.append((time.monotonic() + seconds, action))

    def _tell(self, event: str, **details: Any) -> None:
        """Say what happened, to the starter if it is still there, and in supervisor.log."""
        line = json.dumps({"event": event, "at": clock.now_us() / 1e6, **details})
        print(line, flush=True)
        if self.options.events is not None:
            try:
                os.write(self.options.events, line.encode() + b"\n")
            except OSError:
                if not self.options.bound:
                    self.options.events = None

    # ------------------------------------------------------------------------------------------ what comes in

    def _listen_for_signals(self) -> None:
        read, write = os.pipe()
        for end in (read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

        def arrived() -> None:
            with contextlib.suppress(BlockingIOError):
                for number in os.read(read, 4096):
                    if number == signal.SIGCHLD:
                        self._reap()
                    elif self.stopping:
                        self._kill_all()  # asked twice: at once, then
                    else:
                        self.stop()

        self.selector.register(read, selectors.EVENT_READ, arrived)

    def _listen_for_ready(self) -> None:
        address = str(runtime_dir() / "ready.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(address)
        listener.setblocking(False)
        os.environ["NOTIFY_SOCKET"] = address

        def arrived() -> None:
            with contextlib.suppress(BlockingIOError):
                words = dict(line.partition("=")[::2] for line in listener.recv(4096).decode().splitlines())
                if words.get("READY") == "1":
                    self._is_ready(int(words.get("MAINPID", 0)))

        self.selector.register(listener, selectors.EVENT_READ, arrived)

    def _starter_left(self) -> None:
        # The starter never writes: readable means that it is gone.
        self.selector.unregister(self.options.events)
        self.options.events = None
        if not self.stopping:
            self.stop()

    def _is_ready(self, pid: int) -> None:
        for part in self.state.parts.values():
            if part.pid == pid and part.state == "starting":
                self._set(part, "running")
                self._tell(
                    "running", part=part.name, pid=pid, seconds=round(time.monotonic() - self.born[part.name], 3)
                )
        if self.prepared and all(
            self.state.parts[name].state == "running" for name in _FIRST if name in self.state.parts
        ):
            self._start_rest()
        if not self.was_ready and all(part.state == "running" for part in self.state.parts.values()):
            self.was_ready = True
            self._tell("ready", port=self.options.port)

    # --------------------------------------------------------------------------------------------- the zygote

    def _start_zygote(self) -> None:
        if self.stopping:
            return
        self.said["supervisor"] = self._log_size("supervisor")
        self.born["zygote"] = time.monotonic()
        ours, theirs = socket.socketpair()
        ours.setblocking(True)
        self.buffer = b""
        with self._log("supervisor") as log:
            self.zygote = subprocess.Popen(
                [sys.executable, "-m", "gnomon.cli.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        theirs.close()
        self.channel = ours
        self.selector.register(ours, selectors.EVENT_READ, self._zygote_says)
        self.state.zygote, self.state.zygote_started = processes.identify(self.zygote.pid)

    def _zygote_says(self) -> None:
        assert self.channel is not None
        try:
            data = self.channel.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._zygote_died()
            return
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                self._zygote_is_ready()
            elif "forked" in message:
                self._forked(message["forked"], message["pid"])
            else:
                self._ended(message["exited"], message["status"])

    def _zygote_is_ready(self) -> None:
        if self.prepared:
            for name in self._control_side():
                self._start(name)
        elif not self.stopping:
            (self.logs / "prepare.log").unlink(missing_ok=True)
            self._order("prepare", self.options.settings)

    def _zygote_died(self) -> None:
        """Its children are nobody's now; they are ended, and all start anew."""
        assert self.channel is not None
        assert self.zygote is not None
        self.selector.unregister(self.channel)
        self.channel.close()
        self.channel, self.preparing = None, 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.zygote.wait(1)
        orphans = [self.state.parts[name] for name in self._control_side()]
        processes.end([part.process for part in orphans if part.pid], grace=5)
        for part in orphans:
            part.pid = 0
            self._set(part, "stopped" if self.stopping else "restarting")
            self.restarts[part.name].died(0)
            part.restarts = self.restarts[part.name].total
        if self.stopping:
            return
        delay = self.zygotes.died(time.monotonic() - self.born["zygote"])
        if self.zygotes.looping and not self.prepared:
            self._tell("failed", part="prepare", why=self._last_words("supervisor"))
            self.exit_code = 1
            self.stop()
            return
        self._tell("zygote-died")
        self._after(delay, self._start_zygote)

    def _control_side(self) -> list[str]:
        return [name for name in _CONTROL_SIDE if name in self.state.parts]

    def _order(self, name: str, argv: list[str]) -> None:
        assert self.channel is not None
        order = {"fork": name, "argv": argv, "log": str(self.logs / f"{name}.log")}
        with contextlib.suppress(OSError):
            self.channel.sendall(json.dumps(order).encode() + b"\n")

    # --------------------------------------------------------------------------------------------- one process

    def _start(self, name: str) -> None:
        part = self.state.parts[name]
        if self.stopping or part.pid or part.state == "starting":
            return
        if name in _CONTROL_SIDE and self.channel is None:
            return  # the zygote's successor starts everything that is missing
        self.born[name] = time.monotonic()
        self.said[name] = self._log_size(name)
        self._set(part, "starting")
        if name in _CONTROL_SIDE:
            self._order(name, self._arguments(name))
            return
        with self._log(name) as log:
            child = subprocess.Popen(
                [user_python(), "-m", "gnomon.cli.worker_process", *self._arguments(name)],
                env=for_user_code(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=processes.die_with_parent,  # noqa: PLW1509 - there is one thread
            )
        self.workers[child.pid] = name
        child.returncode = 0  # we wait for it ourselves
        self._forked(name, child.pid)
        # It has nothing to prepare: it takes work as soon as the scheduler is there.
        self._is_ready(child.pid)

    def _arguments(self, name: str) -> list[str]:
        return ["--port", str(self.options.port), "--host", self.options.host] if name == "api-server" else []

    def _forked(self, name: str, pid: int) -> None:
        if name == "prepare":
            self.preparing = pid
            return
        part = self.state.parts[name]
        part.pid, part.started = processes.identify(pid)
        part.since = clock.now_us() / 1e6
        self._set(part, part.state)
        self._tell("started", part=name, pid=pid)
        if self.stopping:
            processes.send(part.process, signal.SIGTERM)

    def _reap(self) -> None:
        for pid in list(self.workers):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                del self.workers[pid]
                self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self.preparing:
            self._prepared(code)
            return
        for part in self.state.parts.values():
            if part.pid == pid:
                part.pid, part.ended = 0, how_it_ended(code)
                self._stopped(part) if self.stopping else self._died(part)

    def _prepared(self, code: int) -> None:
        self.preparing = 0
        if code or self.stopping:
            if code:
                self._tell("failed", part="prepare", why=self._last_words("prepare"))
                self.exit_code = 1
            self.stop()
            return
        self.prepared = True
        self._tell("prepared", said=self._last_words("prepare"))
        # First what runs start from; the rest costs a second of CPU time, which the first run needs more.
        for name in _FIRST:
            if name in self.state.parts:
                self._start(name)
        self._after(_HEAD_START_SECONDS, self._start_rest)

    def _start_rest(self) -> None:
        for name in self._control_side():
            self._start(name)

    def _died(self, part: PartState) -> None:
        delay = self.restarts[part.name].died(time.monotonic() - self.born[part.name])
        part.restarts = self.restarts[part.name].total
        self._set(part, "restarting")
        self._tell(
            "died",
            part=part.name,
            how=part.ended,
            delay=delay,
            looping=self.restarts[part.name].looping,
            why=self._last_words(part.name),
        )
        self._after(delay, lambda: self._start(part.name))

    def _stopped(self, part: PartState) -> None:
        self._set(part, "stopped")
        self._tell("stopped-part", part=part.name, how=part.ended)
        self._stop_scheduler_last()

    def _set(self, part: PartState, state: str) -> None:
        part.state = state
        statefile.write(self.state)

    # ------------------------------------------------------------------------------------------------ stopping

    def stop(self) -> None:
        """Ask every process to end; the scheduler last, so that it hears what became of the tasks."""
        self.stopping = True
        self._tell("stopping")
        for part in self.state.parts.values():
            if part.name != "scheduler":
                self._ask_to_end(part)
        self._stop_scheduler_last()
        self._after(GRACE_SECONDS, self._kill_all)

    def _stop_scheduler_last(self) -> None:
        others = any(part.pid for part in self.state.parts.values() if part.name != "scheduler")
        scheduler = self.state.parts.get("scheduler")
        if not others and scheduler is not None and scheduler.state != "stopping":
            self._ask_to_end(scheduler)

    def _ask_to_end(self, part: PartState) -> None:
        if part.pid:
            self._set(part, "stopping")
            # SIGTERM would let a worker finish its tasks, however long they are; SIGINT ends them well.
            processes.send(part.process, signal.SIGINT if part.name == "worker" else signal.SIGTERM)
        else:
            self._set(part, "stopped")

    def _kill_all(self) -> None:
        for part in self.state.parts.values():
            if part.pid and processes.send(part.process, signal.SIGKILL):
                self._tell("killed", part=part.name)

    # ---------------------------------------------------------------------------------------------------- logs

    def _log(self, name: str) -> IO[bytes]:
        # Children write to their files themselves: a supervisor that dies takes no pipe away from them.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        return os.fdopen(os.open(self.logs / f"{name}.log", flags, 0o600), "ab")

    def _set_aside_old_logs(self) -> None:
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > _LOG_BYTES:
                os.replace(log, log.with_suffix(".log.1"))

    def _log_size(self, name: str) -> int:
        try:
            return (self.logs / f"{name}.log").stat().st_size
        except OSError:
            return 0

    def _last_words(self, name: str, *, lines: int = 12) -> str:
        """Return the end of what a process has said since it was started."""
        path = self.logs / f"{name}.log"
        size, begun = self._log_size(name), self.said.get(name, 0)
        try:
            with path.open("rb") as file:
                file.seek(max(begun if begun <= size else 0, size - 16384))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""


def how_it_ended(code: int) -> str:
    """Return an exit code in words; negative ones are signals."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _only_one() -> int | None:
    """Take the lock of this AIRFLOW_HOME; it is let go when the process ends, however it ends."""
    lock = os.open(runtime_dir() / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _end_leftovers() -> None:
    """End what a supervisor that was killed has left running."""
    old = statefile.read()
    if old is not None:
        processes.end(old.processes, grace=5)
        statefile.remove()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gnomon.cli.supervise")
    parser.add_argument("--parts", default="worker,scheduler,dag-processor,triggerer,api-server")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--logs", required=True)
    parser.add_argument("--project", default="")
    parser.add_argument("--env-file", default="")
    parser.add_argument("--settings", action="append", default=[])
    parser.add_argument("--events", type=int)
    parser.add_argument("--bound", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the supervisor until it is told to stop."""
    options = _options(arguments)
    if options.events is not None:
        os.set_inheritable(options.events, False)
    Path(options.logs).mkdir(parents=True, exist_ok=True)
    if _only_one() is None:
        return ALREADY_RUNNING
    _end_leftovers()
    return Supervisor(options).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
