"""Taking partitions away from runs, as the REST API and the command line do it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gnomon.model.timetables.cron import zone
from gnomon.service import clock
from gnomon.store.errors import DagNotFound
from gnomon.store.task_instances import Selection

if TYPE_CHECKING:
    from gnomon.store.engine import Store
    from gnomon.store.reads.versions import VersionCache
    from gnomon.store.records import Run


class PartitionSelection(msgspec.Struct, kw_only=True):
    """Which runs: by run id, by key, or by an inclusive window of dates as the clock of the DAG's timetable shows it."""

    dag_id: str
    run_id: str | None = None
    partition_key: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def select(store: Store, versions: VersionCache, chosen: PartitionSelection) -> list[Run]:
    """Return the runs that are chosen.

    Raises:
        DagNotFound: there is no such DAG.
    """
    dag = store.dags.get(chosen.dag_id)
    with store.database.read() as conn:
        serialized = None if dag is None else versions.dag(conn, dag.version_id)
    if serialized is None:
        raise DagNotFound(chosen.dag_id)
    local = zone(serialized.timetable.timezone)
    start, end = (None if at is None else at.replace(tzinfo=local).astimezone(UTC) for at in (chosen.start, chosen.end))
    return store.runs.with_partition(
        chosen.dag_id, run_id=chosen.run_id, partition_key=chosen.partition_key, start=start, end=end
    )


def clear_partitions(
    store: Store, versions: VersionCache, chosen: PartitionSelection, *, task_instances: bool, dry_run: bool
) -> tuple[list[Run], int]:
    """Take key and date of their partition away from runs, and let their tasks go again if that is asked.

    Returns:
        The runs as they were, and how many task instances were cleared; those that would be, in a dry run.

    Raises:
        DagNotFound: there is no such DAG.
    """
    runs = select(store, versions, chosen)
    count = 0
    if task_instances and runs:
        # Before the keys are gone: whoever is interrupted here finds the same runs again.
        those = Selection(dag_id=chosen.dag_id, run_ids=[run.run_id for run in runs])
        if dry_run:
            count = len(store.task_instances.select(those))
        else:
            count = len(store.task_instances.clear(those, clock.now()).task_instances)
    if not dry_run:
        store.runs.take_partition([run.id for run in runs], clock.now())
    return runs, count
