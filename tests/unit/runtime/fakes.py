"""A control side in memory, for what runs in a task's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from gnomon.wire import execution as wire

Key = tuple[str, str, str, int, str]

#: 2024-03-10 00:00 UTC
DATE = 1_710_028_800_000_000
DAY = 86_400_000_000


class FakeChannel:
    """Keeps XComs, variables and connections, and records everything that was said."""

    def __init__(self, *, ok: bool = True) -> None:
        self.ok = ok
        self.log: list[Any] = []
        self.outcome: wire.Outcome | None = None
        self.xcoms: dict[Key, wire.XComEntry] = {}
        self.variables: dict[str, str] = {}
        self.connections: dict[str, wire.ConnectionFound] = {}
        self.runs: list[wire.RunInfo] = []
        self.states: dict[str, dict[str, str | None]] = {}
        self.custom: Callable[[Any], wire.Reply | None] = lambda request: None
        self.is_busy = False

    # ---------------------------------------------------------------------------------- as a TaskChannel

    def proceed(self) -> wire.Proceed:
        self.log.append("proceed")
        return wire.Proceed(key=wire.TryKey(1, 1), ok=self.ok)

    def finish(self, outcome: Any) -> None:
        self.log.append(outcome)
        if isinstance(outcome, wire.Outcome):
            self.outcome = msgspec.msgpack.decode(wire.encode(outcome), type=wire.Outcome)

    def busy(self) -> bool:
        return self.is_busy

    def interrupt(self, error: BaseException) -> None:
        raise error

    def tell(self, request: Any) -> None:
        self.log.append(request)

    def ask(self, request: Any) -> wire.Reply:
        # What cannot travel is found here, not in production.
        request = msgspec.msgpack.decode(wire.encode(wire.Ask(body=request)), type=wire.Ask).body
        self.log.append(request)
        reply = self.custom(request)
        if reply is None:
            reply = getattr(self, "_" + type(request).__name__)(request)
        return msgspec.msgpack.decode(wire.encode(reply), type=wire.Reply)

    # ------------------------------------------------------------------------------------------- answers

    def _PutXCom(self, ask: wire.PutXCom) -> wire.Reply:
        self.xcoms[ask.dag_id, ask.run_id, ask.task_id, ask.map_index, ask.entry.key] = ask.entry
        return wire.Done()

    def _GetXCom(self, ask: wire.GetXCom) -> wire.Reply:
        entry = self.xcoms.get((ask.dag_id, ask.run_id, ask.task_id, ask.map_index, ask.key))
        found = [] if entry is None else [wire.XComValue(ask.task_id, ask.map_index, ask.key, entry.value)]
        return wire.XComValues(found, len(found))

    def _GetXComs(self, ask: wire.GetXComs) -> wire.Reply:
        found = [
            wire.XComValue(task, index, key, entry.value)
            for (dag, run, task, index, key), entry in self.xcoms.items()
            if (dag, run) == (ask.dag_id, ask.run_id)
            and (ask.task_ids is None or task in ask.task_ids)
            and (ask.key is None or key == ask.key)
            and (ask.map_indexes is None or index in ask.map_indexes)
        ]
        if ask.task_ids is None:
            found.reverse()  # the newest first
        else:
            found.sort(key=lambda one: (ask.task_ids.index(one.task_id), one.map_index))  # type: ignore[union-attr]
        if ask.count_only:
            return wire.XComValues([], len(found))
        return wire.XComValues(found[ask.start : ask.stop], len(found))

    def _DeleteXComs(self, ask: wire.DeleteXComs) -> wire.Reply:
        for name in list(self.xcoms):
            if name[:4] == (ask.dag_id, ask.run_id, ask.task_id, ask.map_index) and ask.key in (None, name[4]):
                del self.xcoms[name]
        return wire.Done()

    def _GetVariable(self, ask: wire.GetVariable) -> wire.Reply:
        value = self.variables.get(ask.key)
        return (
            wire.Problem("not_found", f"no variable {ask.key}") if value is None else wire.VariableFound(ask.key, value)
        )

    def _GetConnection(self, ask: wire.GetConnection) -> wire.Reply:
        return self.connections.get(ask.conn_id) or wire.Problem("not_found", f"no connection {ask.conn_id}")

    def _GetDagRun(self, ask: wire.GetDagRun) -> wire.Reply:
        runs = [run for run in self.runs if run.dag_id == ask.dag_id and ask.state in (None, run.state)]
        if ask.previous:
            runs = [run for run in runs if run.logical_date is not None and run.logical_date < (ask.logical_date or 0)]
            runs.sort(key=lambda run: run.logical_date or 0)
        elif ask.run_id is not None:
            runs = [run for run in runs if run.run_id == ask.run_id]
        return wire.RunFound(runs[-1] if runs else None)

    def _GetTaskStates(self, ask: wire.GetTaskStates) -> wire.Reply:
        return wire.Found(json.dumps(self.states).encode())

    def _CountTaskInstances(self, ask: wire.CountTaskInstances) -> wire.Reply:
        return wire.Found(b"3")

    def _CountDagRuns(self, ask: wire.CountDagRuns) -> wire.Reply:
        return wire.Found(b"2")

    def _TriggerRun(self, ask: wire.TriggerRun) -> wire.Reply:
        if any(run.run_id == ask.run_id for run in self.runs):
            return wire.Problem("exists", f"the run {ask.run_id} exists")
        self.runs.append(run_info(dag_id=ask.dag_id, run_id=ask.run_id or "x", state="success"))
        return wire.Done()

    # ------------------------------------------------------------------------------------------ questions

    def said(self, kind: type) -> list[Any]:
        """Return what was said of one kind."""
        return [message for message in self.log if type(message) is kind]


def run_info(**changes: Any) -> wire.RunInfo:
    """Return a scheduled run of 2024-03-10."""
    given: dict[str, Any] = {
        "id": 7,
        "dag_id": "d",
        "run_id": "scheduled__2024-03-10T00:00:00+00:00",
        "run_type": "scheduled",
        "logical_date": DATE,
        "data_interval_start": DATE,
        "data_interval_end": DATE + DAY,
        "run_after": DATE + DAY,
    }
    return wire.RunInfo(**{**given, **changes})


def workload(task_id: str = "t", *, run: wire.RunInfo | None = None, **changes: Any) -> wire.Workload:
    """Return the first piece of the first try of a task."""
    given: dict[str, Any] = {
        "key": wire.TryKey(42, 1),
        "task_id": task_id,
        "try_number": 1,
        "max_tries": 0,
        "file": wire.FileRef("dags", "/dags/d.py", "d.py", "abc"),
        "run": msgspec.Raw(msgspec.msgpack.encode(run or run_info())),
    }
    return wire.Workload(**{**given, **changes})


def utc(*parts: int) -> datetime:
    """Return a moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
