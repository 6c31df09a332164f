"""One turn of the scheduler: what was decided, what has to be written, and what is done once it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from gnomon.model.instance import Instance
from gnomon.scheduler import start_triggers
from gnomon.scheduler.world import ActiveRun, World
from gnomon.store.asset_events import Source, write_outcomes
from gnomon.store.scheduling import Batch, RunChange


@dataclass(frozen=True, slots=True)
class RunNoticed:
    """A run was created, cleared, marked or deleted by somebody else."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Everything was read from the database anew."""


@dataclass(frozen=True, slots=True)
class BackfillNoticed:
    """A backfill was made, paused, resumed or cancelled."""

    backfill_id: int


@dataclass(frozen=True, slots=True)
class RunAfterPassed:
    """The moment has come before which a queued run of a DAG must not begin."""

    dag_id: str


@dataclass(frozen=True, slots=True)
class DagNoticed:
    """A DAG has a new version, was paused, resumed or deleted."""

    dag_id: str


@dataclass(frozen=True, slots=True)
class PoolsNoticed:
    """A pool was changed."""


@dataclass(frozen=True, slots=True)
class TriggersFired:
    """Triggers fired; the events are in the database."""


@dataclass(frozen=True, slots=True)
class InputAnswered:
    """A person has answered a task instance; None: look at all that wait for an answer."""

    ti_id: int | None = None


@dataclass(frozen=True, slots=True)
class UserCodeAnswered:
    """A question to a class of a user has been answered; `about` is the DAG, or the deadline, it was asked for."""

    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class AssetsUpdated:
    """Something came into the queue of a DAG that waits for assets."""

    dag_id: str


@dataclass(frozen=True, slots=True)
class DeadlinesDue:
    """Deadlines of runs have passed."""


@dataclass(frozen=True, slots=True)
class RunsDue:
    """Automated runs are due."""


@dataclass(frozen=True, slots=True)
class PastChanged:
    """A run of a DAG whose tasks depend on their past moved on."""

    dag_id: str


@dataclass(frozen=True, slots=True)
class Due:
    """The moment has come that an instance waits for (its retry, its next poke, the end of its deferral)."""

    ti_id: int
    at: int


@dataclass(frozen=True, slots=True)
class RunTimedOut:
    """A run has reached its dagrun_timeout."""

    run_id: int


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A worker did not come back in time."""

    incarnation: str


Internal = (
    Recovered
    | RunNoticed
    | BackfillNoticed
    | RunAfterPassed
    | DagNoticed
    | PoolsNoticed
    | TriggersFired
    | InputAnswered
    | UserCodeAnswered
    | DeadlinesDue
    | AssetsUpdated
    | RunsDue
    | PastChanged
    | Due
    | RunTimedOut
    | WorkerGone
)


@dataclass
class Turn:
    """Collects the changes of one turn. Nothing in `effects` happens before `batch` is committed."""

    world: World
    batch: Batch
    now: int
    touched: dict[int, ActiveRun] = field(default_factory=dict)
    effects: list[Callable[[], None]] = field(default_factory=list)
    #: pieces to hand over: (worker, instance)
    placed: list[tuple[str, Instance]] = field(default_factory=list)
    #: instances to watch the clock for
    clocked: list[Instance] = field(default_factory=list)
    #: DAGs whose queued runs may be able to start
    dags: dict[str, None] = field(default_factory=dict)
    #: backfills that may be completed
    backfills: dict[int, None] = field(default_factory=dict)
    finished: list[ActiveRun] = field(default_factory=list)
    #: new runs whose deadlines were made in this turn
    greeted: set[int] = field(default_factory=set)
    begun: list[ActiveRun] = field(default_factory=list)
    #: topics and payloads of notices to other processes
    notices: dict[tuple[str, str], None] = field(default_factory=dict)
    #: what successes say about assets: where it comes from, and the entries of the outcome
    asset_events: list[tuple[Source, list[dict[str, Any]]]] = field(default_factory=list)
    #: after the commit: DAGs that got an asset into their queue by it
    woken: dict[str, None] = field(default_factory=dict)

    def run_of(self, instance: Instance) -> ActiveRun:
        """Return the run of an instance, which is about to change."""
        run = self.world.runs[instance.run.id]
        self.touched[run.live.id] = run
        return run

    def recount(self) -> None:
        """Count what changed so far against the limits."""
        for run in self.touched.values():
            for instance in run.live.dirty.values():
                self.world.count(run, instance)

    def close(self) -> Batch:
        """Return the batch with every changed instance and run in it."""
        batch = self.batch
        if self.asset_events:
            batch.writes.append(self._write_asset_events)
        batch.instances = [i for run in self.touched.values() for i in run.live.dirty.values()]
        for run in self.touched.values():
            for trigger_id in run.live.dropped:
                batch.triggers_done.append(trigger_id)
                self.notices["trigger", str(trigger_id)] = None
            for instance in run.live.started.values():
                if start_triggers.write(run, instance, batch, self.world.store):
                    self.clocked.append(instance)
                    self.notices["trigger", str(instance.trigger_id)] = None
            if run.changed:
                batch.runs.append(
                    RunChange(
                        id=run.live.id,
                        state=run.live.state,
                        stored_state=run.stored_state,
                        start_date=run.start_date,
                        end_date=run.end_date,
                        version_id=run.version.id,
                        expanded=run.expanded,
                    )
                )
        return batch

    def _write_asset_events(self, conn: Connection) -> None:
        self.woken = write_outcomes(conn, self.asset_events, self.now)

    def committed(self) -> None:
        """Note that memory and database agree."""
        for run in self.touched.values():
            run.live.dirty.clear()
            run.live.started.clear()
            run.live.dropped.clear()
            run.changed = False
            run.stored_state = run.live.state
