"""The scheduler's part of assets: which DAGs have something queued, and the runs that consume it.

A run is created, its events are noted and its queue is emptied in one transaction, which also proves that the caller
still leads. The condition is decided upon inside it, so that what is consumed is what was looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from gnomon.model.assets import AssetKey, Expression, Known, aliases_of, is_met, references_of
from gnomon.model.partitions import Mappers, definition_of
from gnomon.store import partition_queue
from gnomon.store.database import Database, Statement
from gnomon.store.errors import LeadershipLost
from gnomon.store.partition_answers import Answers
from gnomon.store.questions import Questions
from gnomon.store.tables import dag_run

_LEADS = Statement("UPDATE leader SET epoch = :epoch WHERE role = 'scheduler' AND epoch = :epoch")
_QUEUED = Statement(
    "SELECT dag_id, count(*), max(updated_at) FROM asset_queue GROUP BY dag_id"
    " UNION ALL SELECT r.dag_id, count(*), max(e.event_id) FROM partition_run r"
    " JOIN partition_event e ON e.partition_run_id = r.id GROUP BY r.dag_id"
    " UNION ALL SELECT dag_id, count(*), max(event_id) FROM partition_arrival GROUP BY dag_id"
)
_QUEUE = Statement(
    "SELECT a.name, a.uri, q.updated_at FROM asset_queue q JOIN asset a ON a.id = q.asset_id WHERE q.dag_id = :dag_id"
)
_EMPTY = Statement("DELETE FROM asset_queue WHERE dag_id = :dag_id")
_STANDS_FOR = Statement(
    "SELECT a.name, a.uri FROM asset_alias_asset s JOIN asset_alias n ON n.id = s.alias_id"
    " JOIN asset a ON a.id = s.asset_id WHERE n.name = :name"
)
_NAMED = Statement("SELECT name, uri FROM asset WHERE is_active AND name = :value")
_LOCATED = Statement("SELECT name, uri FROM asset WHERE is_active AND uri = :value")
_LAST_RUN = Statement(
    "SELECT max(run_after) FROM dag_run WHERE dag_id = :dag_id AND run_type = 'asset_triggered' AND run_after < :at"
)
_SINCE = Statement("SELECT min(created_at) FROM dag_schedule_asset WHERE dag_id = :dag_id")
#: The events between two runs, of whatever the schedule names.
_BETWEEN = (
    " FROM asset_event e WHERE e.timestamp > :floor AND e.timestamp <= :at AND ("
    "e.asset_id IN (SELECT asset_id FROM dag_schedule_asset WHERE dag_id = :dag_id)"
    " OR e.asset_id IN (SELECT a.id FROM asset a JOIN dag_schedule_reference r ON r.dag_id = :dag_id"
    " AND ((r.kind = 'name' AND r.value = a.name) OR (r.kind = 'uri' AND r.value = a.uri)))"
    " OR e.id IN (SELECT l.event_id FROM asset_event_alias l JOIN dag_schedule_alias s ON s.alias_id = l.alias_id"
    " WHERE s.dag_id = :dag_id))"
)
_CONSUME = Statement(f"INSERT INTO dag_run_asset_event (dag_run_id, event_id) SELECT :run_id, e.id{_BETWEEN}")
_INTERVAL = Statement(
    "SELECT min(coalesce(r.data_interval_start, x.timestamp)), max(coalesce(r.data_interval_end, x.timestamp)) FROM"
    f" (SELECT e.*{_BETWEEN}) x LEFT JOIN dag_run r ON r.dag_id = x.source_dag_id AND r.run_id = x.source_run_id"
)
_CONSUME_ONE = Statement(
    "INSERT INTO dag_run_asset_event (dag_run_id, event_id) VALUES (:run_id, :event_id) ON CONFLICT DO NOTHING"
)

#: From the moment (and the data interval, both in microseconds) to the columns of the run.
MakeRun = Callable[[int, tuple[int, int]], dict[str, Any]]
#: From the moment, the partition's key and its date to the columns of the run.
MakePartitionRun = Callable[[int, str, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A DAG that waits for assets."""

    dag_id: str
    condition: Expression
    catchup: bool
    #: of a partitioned timetable
    data: dict[str, Any] | None = None


class AssetRuns:
    """Runs that assets start, on one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._questions = Questions(database)

    def queued(self) -> list[tuple[str, int, int]]:
        """Return the DAGs with something in their queues, how much it is, and a number that grows with it."""
        with self._db.read() as conn:
            return [(dag_id, count, newest) for dag_id, count, newest in _QUEUED.run(conn)]

    def create(self, waiting: Waiting, make: MakeRun, epoch: int) -> int | None:
        """Create the run of a DAG whose condition is met; return its number, None if it is not met.

        Raises:
            LeadershipLost: the epoch is no longer the leader's.
        """
        with self._db.write() as conn:
            _check_epoch(conn, epoch)
            queue = {AssetKey(name, uri): at for name, uri, at in _QUEUE.run(conn, dag_id=waiting.dag_id)}
            if not queue or not is_met(waiting.condition, _known(conn, waiting.condition, set(queue))):
                return None
            at = max(queue.values())
            span = {"dag_id": waiting.dag_id, "at": at, "floor": _floor(conn, waiting, at)}
            start, end = _INTERVAL.run(conn, **span).one()
            run_id = _insert(conn, make(at, (at if start is None else start, at if end is None else end)))
            _CONSUME.run(conn, run_id=run_id, **span)
            _EMPTY.run(conn, dag_id=waiting.dag_id)
            return run_id

    def create_partitions(
        self, waiting: Waiting, make: MakePartitionRun, epoch: int, now: int, *, anew: bool = False
    ) -> list[int]:
        """Create a run for each partition of a DAG that is complete; return their numbers.

        Args:
            anew: whether users' mappers that could not answer are asked again at once.

        Raises:
            LeadershipLost: the epoch is no longer the leader's.
            PartitionError: keys cannot be mapped.
        """
        mappers = Mappers.of(waiting.data)
        with self._db.write() as conn:
            _check_epoch(conn, epoch)
            if mappers.custom is None:
                return self._create_complete(conn, waiting, mappers, make, now)[0]
            answers = Answers(conn, self._questions, waiting.dag_id, mappers, waiting.data, now)
            answers.take(anew=anew)
            made, left = self._create_complete(conn, waiting, mappers, make, now)
            answers.ask(left)
            return made

    @staticmethod
    def _create_complete(
        conn: Connection, waiting: Waiting, mappers: Mappers, make: MakePartitionRun, now: int
    ) -> tuple[list[int], list[partition_queue.Pending]]:
        """Return the runs that were made, and the partitions that are left."""
        made: list[int] = []
        left: list[partition_queue.Pending] = []
        definition = definition_of(waiting.data)
        for one in partition_queue.pending(conn, waiting.dag_id, definition, told=mappers.custom is not None):
            if not is_met(waiting.condition, _known(conn, waiting.condition, _complete(mappers, one))):
                left.append(one)
                continue
            run_id = _insert(conn, make(now + len(made), one.key, partition_queue.date_of(mappers, one)))
            for event_id, _, _ in one.events:
                _CONSUME_ONE.run(conn, run_id=run_id, event_id=event_id)
            partition_queue.drop(conn, one.id)
            made.append(run_id)
        return made, left


def _check_epoch(conn: Connection, epoch: int) -> None:
    if _LEADS.run(conn, epoch=epoch).rowcount != 1:
        raise LeadershipLost


def _known(conn: Connection, condition: Expression, updated: set[AssetKey]) -> Known:
    aliases = {name: [AssetKey(*row) for row in _STANDS_FOR.run(conn, name=name)] for name in aliases_of(condition)}
    references = {}
    for kind, value in references_of(condition):
        row = (_NAMED if kind == "name" else _LOCATED).run(conn, value=value).first()
        if row is not None:
            references[kind, value] = AssetKey(*row)
    return Known(updated, aliases, references)


def _floor(conn: Connection, waiting: Waiting, at: int) -> int:
    """Return the time after which events are the new run's: that of the run before, or when the DAG came to be."""
    last = _LAST_RUN.run(conn, dag_id=waiting.dag_id, at=at).scalar()
    if last is None and not waiting.catchup:
        last = _SINCE.run(conn, dag_id=waiting.dag_id).scalar()
    return 0 if last is None else int(last)


def _complete(mappers: Mappers, one: partition_queue.Pending) -> set[AssetKey]:
    arrived: dict[AssetKey, set[str]] = {}
    for _, source, key in one.events:
        arrived.setdefault(key, set()).add(source)
    return {key for key, sources in arrived.items() if _is_complete(mappers, one, key, sources)}


def _is_complete(mappers: Mappers, one: partition_queue.Pending, key: AssetKey, sources: set[str]) -> bool:
    if not mappers.asks(*key):
        return mappers.of_asset(*key).complete(one.key, sources)
    told = one.told.get(key)
    return told is not None and told.error is None and mappers.enough(*key, sources, told.expected)


def _insert(conn: Connection, values: dict[str, Any]) -> int:
    key = conn.execute(insert(dag_run).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])
