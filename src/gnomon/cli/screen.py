"""The foreground view on a terminal: processes, runs with the state of each task, warnings; drawn anew when it changes."""

from __future__ import annotations

import contextlib
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gnomon.cli import dev_look, events, statefile
from gnomon.cli.output import STATE_STYLES
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.records import Run, TaskInstance

#: Memory is looked up this often; reading it costs the kernel some work.
_MEMORY_SECONDS = 5.0
_MESSAGES = 5
_PARTS = {"running": "green", "starting": "yellow", "restarting": "red", "stopping": "yellow", "stopped": "dim"}
_MARKS = {"success": "✔", "failed": "✘", "upstream_failed": "✘", "skipped": "○", "running": "●", "up_for_retry": "↻"}
#: Drawn at most this often, however much happens.
_FRAME_SECONDS = 0.1


class Screen:
    """Shows everything in one picture."""

    def __init__(self, title: str, port: int) -> None:
        self._title = title
        self._url = f"http://localhost:{port}"
        self._state = "starting"
        self._dags = 0
        self._errors: list[tuple[str, str, str]] = []
        self._messages: list[Text] = []
        self._runs: dict[int, tuple[Run, list[TaskInstance]]] = {}
        self._memory: dict[str, int] = {}
        self._measured = 0.0
        self._drawn = 0.0
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, screen=False, vertical_overflow="crop")
        self._echo = _without_echo()
        self._live.start()

    # ---------------------------------------------------------------------------------------------- what happens

    def event(self, event: dict[str, Any]) -> None:
        """Take note of what a process did."""
        if event["event"] == "ready":
            self._state = "running"
            self._measured = 0.0
        elif event["event"] == "stopping":
            self._state = "stopping"
        elif event["event"] != "running" and (said := events.line(event)):
            self._note(said, "red" if event["event"] in ("died", "failed") else "")
        self._draw(force=True)

    def run_changed(self, run: Run, instances: list[TaskInstance]) -> None:
        """Take note of a run."""
        self._runs.pop(run.id, None)
        self._runs[run.id] = (run, instances)
        while len(self._runs) > 40:
            del self._runs[next(iter(self._runs))]
        self._draw()

    def dags(self, count: int, errors: list[tuple[str, str, str]]) -> None:
        """Take note of DAGs and import errors."""
        self._dags, self._errors = count, errors
        self._draw()

    def log_line(self, component: str, text: str) -> None:
        """Take note of what a process says."""
        self._note(text, "yellow")

    def tick(self) -> None:
        """A second has passed."""
        self._draw(force=True)

    def close(self) -> None:
        """Leave the last picture on the terminal."""
        self._state = "ended"
        self._draw(force=True)
        self._live.stop()
        if self._echo is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._echo)

    def _note(self, text: str, style: str) -> None:
        self._messages.append(Text(text.splitlines()[0], style=style, no_wrap=True, overflow="ellipsis"))
        del self._messages[:-_MESSAGES]

    # --------------------------------------------------------------------------------------------------- drawing

    def _draw(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._drawn >= _FRAME_SECONDS:
            self._drawn = now
            self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        head = Text.assemble(
            (self._title, "bold"), "  ", (self._state, _PARTS.get(self._state, "")), "  ",
            (self._url if self._state == "running" else "", "underline"),
            f"  {self._dags} DAGs", ("" if self._state == "ended" else "   Ctrl-C ends it", "dim"),
        )  # fmt: skip
        parts: list[Any] = [head, Text(), self._processes()]
        for _, path, text in self._errors[:3]:
            parts.append(Text(f"✘ {path}: {events.last_message(text)}", style="red", no_wrap=True, overflow="ellipsis"))
        if self._messages:
            parts += [Text(), *self._messages]
        left = self._console.height - len(self._messages) - len(self._errors[:3]) - 13
        if self._runs and left > 0:
            parts += [Text(), self._recent(left)]
        return Group(*parts)

    def _processes(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("process", "state", "pid", "restarts", "memory"):
            table.add_column(name, justify="right" if name in ("pid", "restarts", "memory") else "left")
        state = statefile.read()
        if state is None:
            return table
        self._measure(state)
        for part in state.parts.values():
            table.add_row(
                part.name,
                Text(part.state, style=_PARTS.get(part.state, "")),
                str(part.pid or ""),
                str(part.restarts or ""),
                dev_look.megabytes(self._memory[part.name]) if self._memory.get(part.name) else "",
            )
        if self._memory:
            table.add_row(Text("all", style="dim"), "", "", "", dev_look.megabytes(sum(self._memory.values())))
        return table

    def _measure(self, state: statefile.State) -> None:
        if time.monotonic() - self._measured > _MEMORY_SECONDS:
            self._measured = time.monotonic()
            with contextlib.suppress(OSError):
                self._memory = dev_look.memory_of(state)

    def _recent(self, lines: int) -> Table:
        """The newest runs, what runs now first; each with its tasks."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        table.add_column("run", no_wrap=True, max_width=46)
        table.add_column("state", no_wrap=True)
        table.add_column("took", no_wrap=True, justify="right")
        table.add_column("tasks", ratio=1, no_wrap=True, overflow="ellipsis")
        newest = list(reversed(self._runs.values()))
        newest.sort(key=lambda pair: pair[0].state not in ("running", "queued"))
        for run, instances in newest[:lines]:
            table.add_row(
                Text.assemble((run.dag_id, "bold"), " ", (_when(run), "dim")),
                Text(run.state, style=STATE_STYLES.get(run.state, "")),
                _took(run),
                tasks_line(instances),
            )
        return table


def _without_echo() -> list[Any] | None:
    """Stop the terminal from writing ^C into the picture; return what it did before."""
    if not sys.stdin.isatty():
        return None
    before = termios.tcgetattr(sys.stdin)
    now = [*before]
    now[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, now)
    return before


def _when(run: Run) -> str:
    moment = run.logical_date or run.run_after
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _took(run: Run) -> str:
    if run.start_date is None:
        return ""
    return f"{((run.end_date or clock.now()) - run.start_date).total_seconds():.1f} s"


def tasks_line(instances: list[TaskInstance]) -> Text:
    """Return the tasks of a run in one line, each in the colour of its state; mapped ones as 3/9."""
    by_task: dict[str, list[TaskInstance]] = {}
    for ti in instances:
        by_task.setdefault(ti.task_id, []).append(ti)
    line = Text()
    for task_id, of_task in by_task.items():
        state = _most_telling(of_task)
        mapped = of_task[0].map_index >= 0
        done = sum(ti.state in ("success", "skipped") for ti in of_task)
        name = f"{task_id} {done}/{len(of_task)}" if mapped else task_id
        line.append(f"{_MARKS.get(state, '·')} {name}  ", style=STATE_STYLES.get(state, "dim"))
    return line


def _most_telling(instances: list[TaskInstance]) -> str:
    states = [ti.state or "none" for ti in instances]
    order = ("failed", "up_for_retry", "running", "deferred", "up_for_reschedule", "queued", "scheduled", "none")
    return next((state for state in order if state in states), states[0])
