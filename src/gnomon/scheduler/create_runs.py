"""Create runs: when the clock says so, or a DAG has become active.

A DAG's row remembers its next run, so that looking for due DAGs is one indexed query however many DAGs there are. A
new version stores the epoch there, which means: work it out anew.
"""

from __future__ import annotations

from typing import Any

import structlog

from gnomon.model.schedule import Plan, RowState, Schedule, next_after, plan_next
from gnomon.model.states import DagRunState
from gnomon.model.timetables import AnswerNeededError, Bare, DataInterval, NextRun, TimetableError
from gnomon.scheduler.ask_timetables import AskTimetables
from gnomon.scheduler.expire import Clockwork
from gnomon.scheduler.turn import RunsDue, Turn
from gnomon.scheduler.world import Dag, World
from gnomon.store.scheduling import Write
from gnomon.store.types import from_micros, to_micros

log = structlog.get_logger("scheduler")

#: DAGs looked at in one turn; the rest is due again at once.
_AT_ONCE = 50


class CreateRuns:
    """Makes automated runs."""

    def __init__(self, world: World, clockwork: Clockwork) -> None:
        self._world = world
        self._clockwork = clockwork
        self._ask = AskTimetables(world)

    def watch(self) -> None:
        """Set the clock for the next due DAG."""
        due = self._world.store.scheduling.next_due()
        if due is not None:
            self._clockwork.at(due, RunsDue())

    def due(self, turn: Turn) -> None:
        """Create the runs that are due, at most one per DAG; the next one of a DAG may be due at once."""
        rows = self._world.store.scheduling.due_dags(turn.now, _AT_ONCE)
        for row in rows:
            dag = self._world.dags.get(row.dag_id)
            if dag is None or dag.version_id != row.version_id or dag.is_paused:
                dag = self._world.load_dag(row.dag_id)
            if dag is not None:
                dag.row = row
                self.look(dag, turn)
        if rows:
            self.watch()

    def answered(self, dag_id: str, turn: Turn) -> None:
        """The timetable of a DAG, which is a user's class, has answered."""
        dag = self._world.load_dag(dag_id)
        if dag is not None:
            self.look(dag, turn, anew=True, told=True)

    def look(self, dag: Dag, turn: Turn, *, anew: bool = False, told: bool = False) -> None:
        """Create the next run of a DAG if it is due, and store what comes after it.

        Args:
            anew: what the row holds as the next run does not count any more.
            told: a custom timetable has answered a question; it is not asked the same again.
        """
        if dag.is_stale:
            return
        try:
            schedule = self._world.schedule(dag)
        except TimetableError as error:
            log.error("the timetable of a DAG cannot be used", dag_id=dag.dag_id, error=str(error))
            schedule = None
        if schedule is None:
            self._store(dag, None)
            return
        plan = self._plan(dag, schedule, turn, anew=anew)
        if told and plan.asks is not None and plan.run is None:
            if self._ask.told(dag.dag_id, plan.asks):
                plan = self._plan(dag, schedule, turn, anew=anew)
            elif self._ask.failed(dag.dag_id):
                self._store(dag, None, besides=self._ask.taking(dag.dag_id))
                return
        besides = self._ask.taking(dag.dag_id) if told else None
        if plan.asks is not None:
            besides = self._ask.asking(dag.dag_id, plan.asks, turn.now)
        if plan.run is None:
            # At its limit nothing can be created before a run ends; that is when this DAG is looked at again.
            self._store(dag, plan.next, at_limit=plan.at_limit, besides=besides)
        else:
            self._create(dag, plan, turn, besides)

    def _plan(self, dag: Dag, schedule: Schedule, turn: Turn, *, anew: bool) -> Plan:
        now = from_micros(turn.now)
        last = _interval(self._world.store.scheduling.last_automated(dag.dag_id))
        if dag.is_paused:
            try:
                return Plan(None, next_after(schedule, last, now))
            except AnswerNeededError as needed:
                return Plan(None, None, asks=needed)
        stored = dag.row.next_run_after
        following = _stored_next(dag.row, bare=schedule.timetable.is_custom)
        if schedule.timetable.is_custom and following is not None:
            following = following._replace(run_id=self._ask.run_id(dag.dag_id, following.run_after))
        state = RowState(
            next=following,
            last_automated=last,
            active_runs=self._world.active_runs(dag.dag_id),
            changed=anew or stored is None or to_micros(stored) == 0,
        )
        return plan_next(schedule, state, now)

    def _create(self, dag: Dag, plan: Plan, turn: Turn, besides: Write | None) -> None:
        run = plan.run
        assert run is not None
        interval = run.data_interval
        values = {
            "dag_id": dag.dag_id,
            "run_id": run.run_id,
            "run_type": run.run_type,
            "state": DagRunState.QUEUED,
            "version_id": dag.version_id,
            "logical_date": run.logical_date,
            "data_interval_start": interval.start if interval else None,
            "data_interval_end": interval.end if interval else None,
            "run_after": run.run_after,
            "partition_key": run.partition.key if run.partition else None,
            "partition_date": run.partition.date if run.partition else None,
            "queued_at": turn.now,
            "triggered_by": "timetable",
            "updated_at": turn.now,
        }
        following = _next_values(plan.next)
        run_id = self._world.store.scheduling.create_run(values, following, turn.batch.epoch, besides=besides)
        self._world.load_dag(dag.dag_id)
        if run_id is not None:
            log.info("run created", dag_id=dag.dag_id, run_id=run.run_id)
            self._world.reload([run_id])
            turn.dags[dag.dag_id] = None
            turn.notices["state", str(run_id)] = None
        self.watch()

    def _store(
        self, dag: Dag, following: NextRun | None, *, at_limit: bool = False, besides: Write | None = None
    ) -> None:
        values = _next_values(following)
        if at_limit:
            # A due DAG that may not run would be found again and again: it waits for one of its runs to end instead.
            values["next_run_after"] = None
        values["exceeds_max_non_backfill"] = at_limit
        row = dag.row
        if besides is not None or any(getattr(row, name) != value for name, value in values.items()):
            self._world.store.scheduling.store_next(dag.dag_id, values, besides=besides)
            self._world.load_dag(dag.dag_id)
            self.watch()


def _next_values(run: NextRun | None) -> dict[str, Any]:
    interval = run.data_interval if run is not None and not isinstance(run.data_interval, Bare) else None
    return {
        "next_run_after": run.run_after if run is not None else None,
        "next_logical_date": run.logical_date if run is not None and interval is not None else None,
        "next_interval_start": interval.start if interval is not None else None,
        "next_interval_end": interval.end if interval is not None else None,
        "exceeds_max_non_backfill": False,
    }


def _stored_next(row: Any, *, bare: bool) -> NextRun | None:
    after = row.next_run_after
    if after is None:
        return None
    if row.next_interval_start is None:  # the mark of a new version, or what only a custom timetable makes
        return NextRun(after, after, Bare(after, after)) if bare and to_micros(after) else None
    interval = DataInterval(row.next_interval_start, row.next_interval_end)
    return NextRun(row.next_run_after, row.next_logical_date, interval)


def _interval(run: Any | None) -> DataInterval | None:
    if run is None:
        return None
    if run.data_interval_start is not None:
        return DataInterval(run.data_interval_start, run.data_interval_end)
    tick = run.logical_date or run.run_after  # a run about a partition has no logical date
    return Bare(tick, tick)
