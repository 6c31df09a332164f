"""Create runs of DAGs that wait for assets: when an event of one was committed, here or by somebody else.

What a DAG waits with is in the database, so that it outlives the scheduler and a notice may get lost. A DAG that is at
its max_active_runs keeps its queue and is looked at again when one of its runs has ended.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import structlog

from gnomon.model.partitions import PartitionError
from gnomon.model.states import DagRunState, DagRunType
from gnomon.model.timetables import TimetableError, run_id
from gnomon.scheduler.turn import AssetsUpdated, Turn
from gnomon.scheduler.world import Dag, World
from gnomon.store.asset_runs import Waiting
from gnomon.store.partition_queue import KIND as PARTITIONED
from gnomon.store.types import from_micros

log = structlog.get_logger("scheduler")

#: The kinds of timetables that wait for assets.
KINDS = frozenset({"assets", "asset_or_time", PARTITIONED})


class CreateAssetRuns:
    """Makes the runs that assets start."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: DAGs that are at their max_active_runs
        self.held: set[str] = set()
        self._seen: dict[str, tuple[int, int]] = {}

    def unseen(self) -> list[str]:
        """Return the DAGs whose queues have grown since this was asked last."""
        seen, self._seen = self._seen, {}
        for dag_id, count, newest in self._world.store.asset_runs.queued():
            self._seen[dag_id] = (count, newest)
        return [dag_id for dag_id, state in self._seen.items() if seen.get(dag_id) != state]

    def forget(self) -> None:
        """Look at every queue again: another process may have led."""
        self.held.clear()
        self._seen.clear()

    def updated(self, event: AssetsUpdated, turn: Turn) -> None:
        """Something came into the queue of a DAG. If this is decided anew, its run may be there already."""
        self.look(event.dag_id, turn)
        turn.dags[event.dag_id] = None

    def answered(self, dag_id: str, turn: Turn) -> None:
        """What maps the partitions of a DAG has answered, or cannot."""
        self.look(dag_id, turn)
        turn.dags[dag_id] = None

    def look(self, dag_id: str, turn: Turn, *, anew: bool = False) -> None:
        """Create the run of a DAG if its assets allow it.

        Args:
            anew: whether the DAG's file or its pause has changed, so that users' classes may answer now.
        """
        self.held.discard(dag_id)
        dag = self._world.dags.get(dag_id) or self._world.load_dag(dag_id)
        if dag is None or dag.is_paused or dag.is_stale or dag.row.timetable_type not in KINDS:
            return
        version = self._world.version(dag.version_id)
        if version is None or dag.row.has_import_errors or version.dag.timetable.assets is None:
            return
        allowed = version.dag.allowed_run_types
        if allowed is not None and DagRunType.ASSET_TRIGGERED not in allowed:
            return
        spec = version.dag.timetable
        waiting = Waiting(dag_id, spec.assets or {}, version.dag.catchup, spec.data)
        if spec.kind == PARTITIONED:
            self._create_partitions(dag, waiting, turn, anew=anew)
        elif self._world.active_runs(dag_id) >= dag.max_active_runs:
            self.held.add(dag_id)
        else:
            self._create(dag, waiting, turn)

    def _create(self, dag: Dag, waiting: Waiting, turn: Turn) -> None:
        def make(at: int, interval: tuple[int, int]) -> dict[str, Any]:
            if self._world.profile != 2:
                return self._run(dag, turn, at)
            # In Airflow 2 such a run has a logical date, and the intervals of the runs that made the events.
            start, end = map(from_micros, interval)
            dated = {"logical_date": from_micros(at), "data_interval_start": start, "data_interval_end": end}
            name = f"dataset_triggered__{from_micros(at).isoformat()}"
            return {**self._run(dag, turn, at), "run_id": name, **dated}

        made = self._world.store.asset_runs.create(waiting, make, turn.batch.epoch)
        if made is not None:
            self._begin(dag, [made], turn)

    def _create_partitions(self, dag: Dag, waiting: Waiting, turn: Turn, *, anew: bool) -> None:
        def make(at: int, key: str, date: datetime | int | None) -> dict[str, Any]:
            return {**self._run(dag, turn, at), "partition_key": key, "partition_date": date}

        try:
            made = self._world.store.asset_runs.create_partitions(waiting, make, turn.batch.epoch, turn.now, anew=anew)
        except (PartitionError, TimetableError) as error:
            log.error("the partitions of a DAG cannot be evaluated", dag_id=dag.dag_id, error=str(error))
            return
        self._begin(dag, made, turn)

    def _run(self, dag: Dag, turn: Turn, at: int) -> dict[str, Any]:
        run_after = from_micros(at)
        name = run_id(
            DagRunType.ASSET_TRIGGERED, run_after=run_after, logical_date=None, salt=secrets.token_hex(4), profile=3
        )
        return {
            "dag_id": dag.dag_id,
            "run_id": name,
            "run_type": DagRunType.ASSET_TRIGGERED,
            "state": DagRunState.QUEUED,
            "version_id": dag.version_id,
            "bundle_version": dag.row.bundle_version,
            "run_after": run_after,
            "queued_at": turn.now,
            "triggered_by": "asset",
            "updated_at": turn.now,
        }

    def _begin(self, dag: Dag, made: list[int], turn: Turn) -> None:
        if not made:
            return
        self._world.reload(made)
        turn.dags[dag.dag_id] = None
        for number in made:
            log.info("run created by assets", dag_id=dag.dag_id, run=number)
            turn.notices["state", str(number)] = None
