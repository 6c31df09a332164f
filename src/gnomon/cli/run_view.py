"""One run on the terminal: a table that changes while it goes, or a line per change where nobody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gnomon.cli.output import STATE_STYLES
from gnomon.service import clock

if TYPE_CHECKING:
    from gnomon.store.records import Run, TaskInstance
    from gnomon.wire.dag import SerializedDag

#: Lines of a log that are shown of a failed task.
_LOG_LINES = 40
_FAILED = ("failed", "upstream_failed")
#: Frames in here say nothing to the author of a DAG.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_MARKS = {
    "success": "✔",
    "failed": "✘",
    "upstream_failed": "✘",
    "skipped": "○",
    "running": "●",
    "up_for_retry": "↻",
    "up_for_reschedule": "…",
    "deferred": "…",
    "awaiting_input": "?",
}


class RunView:
    """Shows a run."""

    def __init__(self, run: Run, dag: SerializedDag, *, quiet: bool = False) -> None:
        self._run = run
        self._order = [task.task_id for task in dag.tasks]
        self._quiet = quiet
        self._instances: list[TaskInstance] = []
        self._seen: dict[tuple[str, int], tuple[str | None, int]] = {}
        self._live: Any = None
        self._tty = sys.stdout.isatty()

    def __enter__(self) -> Self:
        if self._quiet:
            return self
        if self._tty:
            from rich.live import Live

            self._live = Live(_Table(self), refresh_per_second=8, transient=False)
            self._live.start()
        else:
            print(f"{self._run.dag_id}: run {self._run.run_id}", flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, run: Run, instances: list[TaskInstance]) -> None:
        """Take note of how things are."""
        self._run, self._instances = run, instances
        if self._quiet:
            return
        if self._live is not None:
            self._live.refresh()
            return
        for ti in instances:
            state, before = (ti.state, ti.try_number), self._seen.get((ti.task_id, ti.map_index))
            if state != before and ti.state not in (None, "scheduled", "queued"):
                print(line(ti), flush=True)
            self._seen[ti.task_id, ti.map_index] = state

    @contextmanager
    def asking(self) -> Iterator[bool]:
        """Yield whether somebody at the terminal can be asked; nothing else is drawn meanwhile."""
        if self._live is not None:
            self._live.stop()
        try:
            yield self._live is not None and sys.stdin.isatty()
        finally:
            if self._live is not None:
                self._live.start()

    def table(self) -> Any:
        """Return the run as a Rich table: a line per task, mapped ones summed up."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        now = clock.now()
        title = f"{self._run.dag_id}  {self._run.run_id}"
        table.add_row(Text(title, style="bold"), Text(self._run.state, style=STATE_STYLES.get(self._run.state, "")), "")
        for task_id in self._order:
            of_task = [ti for ti in self._instances if ti.task_id == task_id]
            state = _worst(of_task)
            text = Text(f"{_MARKS.get(state, '·')} {task_id}", style=STATE_STYLES.get(state, "dim"))
            table.add_row(text, Text(_summary(of_task), style=STATE_STYLES.get(state, "dim")), _times(of_task, now))
        return table

    def conclude(self, run: Run, instances: list[TaskInstance], *, logs_of_all: bool) -> None:
        """Print how it ended, and the logs of what failed."""
        for ti in instances:
            if ti.state == "failed" or (logs_of_all and ti.try_number):
                print_log(run, ti, whole=logs_of_all)
        counts: dict[str, int] = {}
        for ti in instances:
            counts[str(ti.state)] = counts.get(str(ti.state), 0) + 1
        how = ", ".join(f"{count} {state}" for state, count in counts.items())
        mark = "✔" if run.state == "success" else "✘"
        print(
            f"{mark} {run.dag_id} {run.state} in {_seconds(run.start_date, run.end_date)}: {how or 'it has no tasks'}"
        )


class _Table:
    """Renders anew at each refresh, so that durations go on between two changes."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def __rich__(self) -> Any:
        return self._view.table()


def _worst(instances: list[TaskInstance]) -> str:
    """The state that stands for all instances of a task: what is going on, else what went wrong, else the rest."""
    states = [ti.state or "none" for ti in instances]
    order = ("failed", "running", "up_for_retry", "deferred", "up_for_reschedule", "queued", "scheduled", "none")
    return next((state for state in order if state in states), states[0] if states else "none")


def _summary(instances: list[TaskInstance]) -> str:
    if not instances:
        return ""
    if len(instances) == 1 and instances[0].map_index < 0:
        ti = instances[0]
        tried = f" (try {ti.try_number})" if ti.try_number > 1 else ""
        again = f", again in {_until(ti.wake_at)}" if ti.state in ("up_for_retry", "up_for_reschedule") else ""
        return f"{ti.state or ''}{tried}{again}"
    counts: dict[str, int] = {}
    for ti in instances:
        counts[ti.state or "waiting"] = counts.get(ti.state or "waiting", 0) + 1
    return f"[{len(instances)}] " + ", ".join(f"{count} {state}" for state, count in counts.items())


def _times(instances: list[TaskInstance], now: datetime) -> str:
    begun = [ti.start_date for ti in instances if ti.start_date]
    if not begun:
        return ""
    ends = [ti.end_date for ti in instances]
    last = max((end for end in ends if end), default=now) if all(ends) else now
    return _seconds(min(begun), last)


def line(ti: TaskInstance) -> str:
    """Return one line about how a task instance is."""
    index = f"[{ti.map_index}]" if ti.map_index >= 0 else ""
    tried = f" (try {ti.try_number})" if ti.try_number > 1 else ""
    took = f" after {_seconds(ti.start_date, ti.end_date)}" if ti.end_date and ti.start_date else ""
    again = f", again in {_until(ti.wake_at)}" if ti.state in ("up_for_retry", "up_for_reschedule") else ""
    why = f": {ti.error}" if ti.error and ti.state in ("failed", "up_for_retry") else ""
    return f"{_MARKS.get(ti.state or '', '·')} {ti.task_id}{index} {ti.state}{tried}{took}{again}{why}"


def _until(moment: datetime | None) -> str:
    return "a moment" if moment is None else f"{max(0.0, (moment - clock.now()).total_seconds()):.0f} s"


def _seconds(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.2f} s" if start and end else "no time"


def print_log(run: Run, ti: TaskInstance, *, whole: bool) -> None:
    """Print the end of a try's log, or all of it."""
    from gnomon.service import task_logs

    path = task_logs.try_log_path(run.dag_id, run.run_id, ti.task_id, ti.map_index, ti.try_number)
    entries = task_logs.read_all(path)
    index = f"[{ti.map_index}]" if ti.map_index >= 0 else ""
    print(f"── log of {ti.task_id}{index}, try {ti.try_number}, {ti.state} " + "─" * 20)
    lines = [line for entry in entries for line in entry_lines(entry)]
    if not whole and len(lines) > _LOG_LINES:
        print(f"   … {len(lines) - _LOG_LINES} lines before")
        lines = lines[-_LOG_LINES:]
    for line in lines or [ti.error or "(nothing was logged)"]:
        print(f"   {line}")


def entry_lines(entry: dict[str, Any]) -> list[str]:
    """Return a log entry as lines of text."""
    clock_part = str(entry.get("timestamp", ""))[11:19]
    level = str(entry.get("level", "")).upper()
    head = f"{clock_part} {level + ' ' if level in ('WARNING', 'ERROR', 'CRITICAL') else ''}".lstrip()
    text = f"{head}{entry['event']}"
    return [*text.splitlines(), *trace_lines(entry)]


def trace_lines(entry: dict[str, Any]) -> list[str]:
    """Return the traceback of a log entry as Python prints it, from the first frame of user code on."""
    detail = entry.get("error_detail")
    if not isinstance(detail, list):
        return str(entry.get("exception") or "").splitlines()
    lines: list[str] = []
    for error in reversed(detail):
        frames = error.get("frames") or []
        mine = next((n for n, frame in enumerate(frames) if not _ours(frame["filename"])), 0)
        lines += [
            f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}' for frame in frames[mine:]
        ]
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def _ours(path: str) -> bool:
    return path.startswith(_PACKAGE)
