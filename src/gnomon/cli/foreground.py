"""The processes, the runs and what each task is doing, live; Ctrl-C ends it all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gnomon.cli import events
from gnomon.cli.dev_look import readable, tail
from gnomon.cli.starter import Started, ended_early
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.cli.feed import Feed
    from gnomon.store.engine import Store
    from gnomon.store.records import Run, TaskInstance

#: How often logs are looked at for warnings, and durations on the screen go on.
_TICK_SECONDS = 1.0
_OVER = ("success", "failed")
_LEVELS = ('"warning"', '"error"', '"critical"')


class View(Protocol):
    """Where it is shown: a terminal, or lines for a file."""

    def event(self, event: dict[str, Any]) -> None: ...
    def run_changed(self, run: Run, instances: list[TaskInstance]) -> None: ...
    def dags(self, count: int, errors: list[tuple[str, str, str]]) -> None: ...
    def log_line(self, component: str, text: str) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


def show(started: Started, *, title: str, port: int) -> int:
    """Show what a supervisor does until it ends, and return the exit code."""
    if sys.stdout.isatty():
        from gnomon.cli.screen import Screen

        view: View = Screen(title, port)
    else:
        view = Lines(port)
    try:
        failure = asyncio.run(_Foreground(started, view).run())
    finally:
        view.close()
    if failure:
        print(failure, file=sys.stderr)
        return 1
    code = started.process.wait()
    if code:
        raise ended_early(started)
    print("Stopped.")
    return 0


class _Foreground:
    def __init__(self, started: Started, view: View) -> None:
        self._started = started
        self._began = clock.now()
        self._view = view
        self._store: Store | None = None
        self._feed: asyncio.Task[None] | None = None
        self._offsets: dict[str, int] = {}
        self._failure = ""
        self._over = asyncio.Event()

    async def run(self) -> str:
        """Show until the supervisor has ended; return why it could not start, if so."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        self._skip_old_logs()
        loop.add_reader(self._started.events, self._read_events)
        ticking = asyncio.create_task(self._tick())
        try:
            await self._over.wait()
        finally:
            loop.remove_reader(self._started.events)
            for task in (ticking, self._feed):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
            if self._store is not None:
                self._store.close()
        return self._failure

    def _stop(self) -> None:
        # A second Ctrl-C is passed on too: then the supervisor does not wait any longer.
        with contextlib.suppress(ProcessLookupError):
            self._started.process.send_signal(signal.SIGTERM)

    def _read_events(self) -> None:
        while True:
            try:
                event = self._started.next_event(0)
            except EOFError:
                self._over.set()
                return
            if event is None:
                return
            if event["event"] == "failed":
                self._failure = f"Error: the database could not be prepared: {events.last_message(event['why'])}"
            if event["event"] == "prepared" and self._feed is None:
                self._feed = asyncio.create_task(self._follow())
            self._view.event(event)

    async def _follow(self) -> None:
        from gnomon.cli.feed import Feed
        from gnomon.store.engine import open_store
        from gnomon.store.errors import StoreError

        store = self._store = open_store()

        def dags_changed() -> None:
            with contextlib.suppress(StoreError):
                self._view.dags(len(store.dags.all()), store.dags.import_errors())

        while True:
            feed: Feed = Feed(store, self._began, self._view.run_changed, dags_changed)
            try:
                await feed.run()
            except StoreError as error:
                self._view.log_line("gnomon", f"{error}; looking again in 2 s")
                await asyncio.sleep(2)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for path in sorted(self._started.logs.glob("*.log")):
                if path.stem in ("supervisor", "prepare"):
                    continue
                lines, self._offsets[path.stem] = tail(path, self._offsets.get(path.stem, 0))
                for line in lines:
                    if not line.startswith("{") or any(level in line for level in _LEVELS):
                        self._view.log_line(path.stem, readable(path.stem, line))
            self._view.tick()

    def _skip_old_logs(self) -> None:
        for path in self._started.logs.glob("*.log"):
            self._offsets[path.stem] = path.stat().st_size


class Lines:
    """A line for each thing that happens."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._runs: dict[int, str] = {}
        self._tasks: dict[int, tuple[str | None, int]] = {}
        self._errors: dict[str, str] = {}

    def event(self, event: dict[str, Any]) -> None:
        """Say what a process did."""
        if event["event"] == "ready":
            self._say("gnomon", f"running at http://localhost:{self._port}; Ctrl-C ends it")
        elif said := events.line(event):
            self._say("gnomon", said)

    def run_changed(self, run: Run, instances: list[TaskInstance]) -> None:
        """Say what is new of a run."""
        from gnomon.cli.run_view import line

        before = self._runs.get(run.id)
        if before in _OVER and run.state in _OVER:
            return
        if before is None or before in _OVER:
            self._say(run.dag_id, f"run {run.run_id} {'queued' if run.state == 'queued' else 'running'}")
        for ti in instances:
            state = (ti.state, ti.try_number)
            if state != self._tasks.get(ti.id) and ti.state not in (None, "scheduled", "queued"):
                self._say(run.dag_id, f"  {line(ti)}")
            self._tasks[ti.id] = state
        if run.state in _OVER:
            self._say(run.dag_id, f"run {run.run_id} {run.state} after {_took(run)}")
            for ti in instances:
                self._tasks.pop(ti.id, None)
        self._runs[run.id] = run.state

    def dags(self, count: int, errors: list[tuple[str, str, str]]) -> None:
        """Say which files cannot be imported, and which can be again."""
        now = {path: text for _, path, text in errors}
        for path, text in now.items():
            if self._errors.get(path) != text:
                self._say("gnomon", f"{path} cannot be imported: {events.last_message(text)}")
        for path in self._errors.keys() - now.keys():
            self._say("gnomon", f"{path} is in order again")
        self._errors = now

    def log_line(self, component: str, text: str) -> None:
        """Pass on what a process says."""
        print(text, flush=True)

    def tick(self) -> None:
        """Nothing moves on by itself here."""

    def close(self) -> None:
        """Nothing to undo."""

    def _say(self, who: str, what: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {who:<16} | {what}", flush=True)


def _took(run: Run) -> str:
    return seconds(run.start_date, run.end_date)


def seconds(start: datetime | None, end: datetime | None) -> str:
    """Return a duration in words."""
    return f"{(end - start).total_seconds():.2f} s" if start and end else "no time"
