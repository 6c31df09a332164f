"""Deadlines: made when a run arrives, dropped when it succeeds in time, missed when their moment has come.

One timer stands at the earliest of them, found by an index. That one was missed is committed together with what is
owed for it: a trigger, where the callback is asynchronous, or a callback for a worker. Both outlive whoever is killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog

from gnomon.model import deadlines as model
from gnomon.model.states import DagRunState
from gnomon.scheduler.callbacks import Callbacks
from gnomon.scheduler.turn import DeadlinesDue, Internal, Turn
from gnomon.scheduler.world import ActiveRun, World, run_info
from gnomon.service.telemetry import Stats
from gnomon.store.deadlines import NewDeadline
from gnomon.store.questions import Ask
from gnomon.store.types import to_micros
from gnomon.wire import execution as x
from gnomon.wire.questions import AskedOf, DeadlineAsked, MomentTold

log = structlog.get_logger("scheduler")

_SECOND = 1_000_000
#: Deadlines looked at in one turn; the rest is due again at once.
_AT_ONCE = 100
_TRIGGER = "gnomon.triggerer.callback_trigger.CallbackTrigger"
#: Tells the scheduler an event at a moment, in microseconds.
TellAt = Callable[[int, Internal], None]


class Deadlines:
    """Watches the deadlines of runs; costs a DAG without any nothing but the question whether it has some."""

    def __init__(self, world: World, tell_at: TellAt, callbacks: Callbacks) -> None:
        self._world = world
        self._tell_at = tell_at
        self._callbacks = callbacks
        self._store = world.store.deadlines
        #: numbers of the callbacks that are under way for deadlines
        self._called: set[int] = set()

    def watch(self) -> None:
        """Set the clock for the next deadline."""
        due = self._store.next_due()
        if due is not None:
            self._tell_at(due, DeadlinesDue())

    # ------------------------------------------------------------------------------------------------- making

    def arrive(self, turn: Turn) -> None:
        """Make the deadlines of runs that have just been created."""
        arrived = {run_id: row for run_id, row in self._world.arrived.items() if run_id not in turn.greeted}
        if not arrived:
            return
        turn.greeted.update(arrived)
        have = self._store.runs_with_some(arrived)
        made: list[NewDeadline] = []
        questions: list[Ask] = []
        for run_id, row in arrived.items():
            version = self._world.version(row.version_id)
            if version is None or run_id in have:
                continue
            for index, alert in enumerate(version.dag.deadline):
                new = self._new(row, index, alert, turn.now)
                made.append(new)
                if model.is_custom(alert["reference"]):
                    questions.append(_question(row, alert["reference"], new.id))
                Stats.incr("deadline_alerts.deadline_created", tags={"dag_id": row.dag_id})
        seen = list(arrived)
        turn.effects.append(lambda: self._seen(seen))
        if not made:
            return

        def write(connection: Any) -> None:
            self._store.make_in(connection, made, turn.now)
            for question in questions:
                self._world.store.questions.ask_in(connection, question, turn.now)

        turn.batch.writes.append(write)
        turn.effects.append(self.watch)

    def _seen(self, run_ids: list[int]) -> None:
        for run_id in run_ids:
            self._world.arrived.pop(run_id, None)

    def _new(self, row: Any, index: int, alert: dict[str, Any], now: int) -> NewDeadline:
        moment: int | None = None
        if not model.is_custom(alert["reference"]):
            try:
                moment = self._moment(row, alert, now)
            except ValueError as error:
                log.error("a deadline cannot be set", dag_id=row.dag_id, run_id=row.run_id, error=str(error))
        callback = msgspec.json.encode({**alert["callback"], "interval": alert["interval"]}).decode()
        return NewDeadline(self._world.next_id(), row.id, index, alert.get("name"), moment, callback)

    def _moment(self, row: Any, alert: dict[str, Any], now: int) -> int | None:
        reference = alert["reference"]
        count = model.runs_to_average(reference)
        facts = model.RunFacts(
            logical_date=None if row.logical_date is None else to_micros(row.logical_date),
            queued_at=None if row.queued_at is None else to_micros(row.queued_at),
            now=now,
            durations=self._store.durations(row.dag_id, count) if count else (),
        )
        base = model.counted_from(reference, facts)
        if base is None:
            log.warning(
                "a deadline does not apply to this run",
                dag_id=row.dag_id,
                run_id=row.run_id,
                reference=reference["reference_type"],
            )
            return None
        return base + self._interval(alert["interval"])

    def _interval(self, interval: Any) -> int:
        """Return the microseconds of an interval; that of a variable is read anew for each run."""
        if not isinstance(interval, dict):
            return int(interval * _SECOND)
        key = interval["variable"]
        value: str | None = os.environ.get(f"AIRFLOW_VAR_{key.upper()}")
        if value is None:
            found = self._world.store.variables.get(key)
            value = None if found is None else found.value
        if value is None:
            raise ValueError(f"the variable {key!r}, which holds its interval, is not there")
        try:
            return int(value) * _SECOND
        except ValueError:
            raise ValueError(f"the variable {key!r} has to hold its interval in whole seconds, not {value!r}") from None

    def answered(self, about: str, turn: Turn) -> None:
        """User code has said from when a deadline is counted."""
        row = self._store.get(int(about)) if about.isdigit() else None
        run = None if row is None else self._store.run(row.dag_run_id)
        if row is None or run is None:
            return
        found = self._world.store.questions.get("deadline", run.dag_id, about)
        if found is None:
            return
        moment: int | None = None
        if isinstance(found.told, MomentTold):
            try:
                moment = found.told.at + self._interval(msgspec.json.decode(row.callback)["interval"])
            except ValueError as error:
                log.error("a deadline cannot be set", dag_id=run.dag_id, run_id=run.run_id, error=str(error))
        elif found.error is not None:
            log.error("a deadline cannot be set", dag_id=run.dag_id, run_id=run.run_id, error=found.error)

        def write(connection: Any) -> None:
            self._store.time_in(connection, row.id, moment, turn.now)
            self._world.store.questions.take_in(connection, "deadline", run.dag_id, about)

        turn.batch.writes.append(write)
        turn.effects.append(self.watch)

    # ------------------------------------------------------------------------------------------ kept or missed

    def run_ended(self, run: ActiveRun, turn: Turn) -> None:
        """Drop the deadlines that a run has kept; a run that failed has kept none."""
        if run.version.dag.deadline and run.live.state is DagRunState.SUCCESS:
            run_id, end = run.live.id, run.end_date or turn.now
            turn.batch.writes.append(lambda connection: self._store.keep_in(connection, run_id, end))

    def due(self, turn: Turn) -> None:
        """Deadlines have passed: whoever has not succeeded by then has missed them."""
        rows = self._store.due(turn.now, _AT_ONCE)
        for row in rows:
            end = None if row.run_end_date is None else to_micros(row.run_end_date)
            if model.met(state=row.run_state, end_date=end, deadline=to_micros(row.deadline_time)):
                turn.batch.writes.append(partial(self._store.drop_in, deadline_id=row.id))
            else:
                self._miss(row, turn)
        turn.effects.append(self.watch)

    def _miss(self, row: Any, turn: Turn) -> None:
        run = self._store.run(row.dag_run_id)
        assert run is not None, "a deadline has no run, against its foreign key"
        log.warning("a run has missed its deadline", dag_id=run.dag_id, run_id=run.run_id, deadline=row.name)
        Stats.incr("deadline_alerts.deadline_missed", tags={"dag_id": run.dag_id})
        callback_id, callback = self._world.next_id(), msgspec.json.decode(row.callback)
        turn.batch.writes.append(lambda connection: self._store.miss_in(connection, row.id, callback_id, turn.now))
        if callback["kind"] == "AsyncCallback":
            dag = self._world.dags.get(run.dag_id) or self._world.load_dag(run.dag_id)
            kwargs = {
                "callback_path": callback["path"],
                "callback_kwargs": {**callback["kwargs"], "context": _context(row, run)},
                "dag_file": None if dag is None else msgspec.to_builtins(dag.file),
            }
            sealed = self._world.store.triggers.seal(msgspec.json.encode(kwargs))
            turn.batch.triggers.append((callback_id, None, None, _TRIGGER, sealed, None))
            turn.notices["trigger", str(callback_id)] = None
            return
        turn.batch.callbacks.append((callback_id, "deadline", run.id, None, ""))
        turn.effects.append(lambda: self.call(callback_id))

    # ----------------------------------------------------------------------------------------------- callbacks

    def call(self, callback_id: int) -> None:
        """Send a callback to a worker, for the first time or again; without its DAG it waits."""
        row = self._store.of_callback(callback_id)
        run = None if row is None else self._store.run(row.dag_run_id)
        if row is None or run is None:
            return
        dag = self._world.dags.get(run.dag_id) or self._world.load_dag(run.dag_id)
        if dag is None:
            return
        self._called.add(callback_id)
        callback = msgspec.json.decode(row.callback)
        data = {"path": callback["path"], "kwargs": callback["kwargs"], "context": _context(row, run)}
        workload = x.CallbackWorkload(
            id=callback_id,
            kind="deadline",
            file=dag.file,
            run=msgspec.Raw(x.encode(_info(run))),
            reason=f"missed its deadline {row.name or ''}".strip(),
            data=msgspec.json.encode(data),
        )
        self._callbacks.send(workload)

    def callback_ended(self, callback_id: int, error: str | None, turn: Turn) -> None:
        """A worker has run a callback, perhaps that of a deadline."""
        if callback_id in self._called:
            state = "success" if error is None else "failed"
            self._note(callback_id, state, error, turn)
            turn.effects.append(lambda: self._called.discard(callback_id))

    def trigger_fired(self, event: Any, turn: Turn) -> None:
        """The triggerer has run an asynchronous callback, if the trigger belongs to a deadline."""
        payload = msgspec.json.decode(event.payload) if event.payload else {}
        payload = payload if isinstance(payload, dict) else {}
        failed = event.failure is not None or payload.get("state") != "success"
        output = event.failure or payload.get("body")
        text = output if isinstance(output, str) or output is None else msgspec.json.encode(output).decode()
        self._note(event.trigger_id, "failed" if failed else "success", text, turn)

    def _note(self, callback_id: int, state: str, output: str | None, turn: Turn) -> None:
        Stats.incr(f"deadline_alerts.callback_{state}")
        turn.batch.writes.append(
            lambda connection: self._store.called_in(connection, callback_id, state, output, turn.now)
        )


def _question(row: Any, reference: dict[str, Any], deadline_id: int) -> Ask:
    asked = DeadlineAsked(
        row.run_id,
        None if row.logical_date is None else to_micros(row.logical_date),
        None if row.queued_at is None else to_micros(row.queued_at),
    )
    body = AskedOf({name: value for name, value in reference.items() if name != "classpath"}, asked)
    return Ask("deadline", row.dag_id, reference["classpath"], body, about=str(deadline_id))


_SHOWN = (
    *("dag_id", "logical_date", "queued_at", "start_date", "end_date", "data_interval_start", "data_interval_end"),
    *("run_after", "last_scheduling_decision", "run_type", "state", "triggered_by", "triggering_user_name", "note"),
    *("bundle_version", "partition_key"),
)


def _context(row: Any, run: Any) -> dict[str, Any]:
    """Return what a callback is told: the run as REST shows it, and the deadline."""
    shown = {name: _shown(getattr(run, name)) for name in _SHOWN}
    shown |= {"dag_run_id": run.run_id, "conf": msgspec.json.decode(run.conf or "{}")}
    return {"dag_run": shown, "deadline": {"id": str(UUID(int=row.id)), "deadline_time": _shown(row.deadline_time)}}


def _info(run: Any) -> x.RunInfo:
    return run_info(run, run.state, None if run.start_date is None else to_micros(run.start_date))


def _shown(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
