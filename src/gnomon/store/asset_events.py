"""Events of assets, written in the transaction of whatever caused them: a task's success, a request, a watcher.

With an event, the DAGs that wait for its asset get it into their queues, so that nothing can be lost in between. All
writers of events take turns (on PostgreSQL at the leader's row), and each gives its events a later time than any
before: a run can then consume "everything up to here" and no event slips in behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from gnomon.model.assets import AssetKey, key_of, reference_of
from gnomon.store import asset_tables as t
from gnomon.store import limits, partition_queue
from gnomon.store.announcements import announce_in, is_heard
from gnomon.store.asset_references import MAX_KEY, activate, ensure_asset, put_alias
from gnomon.store.database import Statement
from gnomon.store.errors import Invalid
from gnomon.store.types import to_micros

log = structlog.get_logger("store")

_LAST = Statement("SELECT max(timestamp) FROM asset_event")
_ACTIVE = Statement("SELECT id, name, uri FROM asset WHERE is_active AND name = :name AND uri = :uri")
_ACTIVE_NAME = Statement("SELECT id, name, uri FROM asset WHERE is_active AND name = :value")
_ACTIVE_URI = Statement("SELECT id, name, uri FROM asset WHERE is_active AND uri = :value")
_OF_ASSET = Statement('SELECT name, uri, "group", extra FROM asset WHERE id = :id')
_ANY = Statement("SELECT id FROM asset WHERE name = :name AND uri = :uri")
_PUT = Statement(
    "INSERT INTO asset_event (asset_id, timestamp, extra, source_dag_id, source_task_id, source_run_id,"
    " source_map_index, partition_key) VALUES (:asset_id, :at, :extra, :dag_id, :task_id, :run_id, :map_index, :key)"
    " RETURNING id"
)
_PUT_ALIAS = Statement("INSERT INTO asset_event_alias (alias_id, event_id) VALUES (:alias_id, :event_id)")
_STANDS_FOR = Statement(
    "INSERT INTO asset_alias_asset (alias_id, asset_id) VALUES (:alias_id, :asset_id) ON CONFLICT DO NOTHING"
)
_WAITING = Statement(
    "SELECT d.dag_id, d.timetable_type FROM dag d WHERE NOT d.is_paused AND NOT d.is_stale AND d.dag_id IN ("
    " SELECT dag_id FROM dag_schedule_asset WHERE asset_id = :asset_id"
    " UNION SELECT dag_id FROM dag_schedule_reference"
    " WHERE (kind = 'name' AND value = :name) OR (kind = 'uri' AND value = :uri)"
    " UNION SELECT s.dag_id FROM dag_schedule_alias s JOIN asset_event_alias e ON e.alias_id = s.alias_id"
    " WHERE e.event_id = :event_id) ORDER BY d.dag_id"
)
_QUEUE = Statement(
    "INSERT INTO asset_queue (dag_id, asset_id, created_at, updated_at) VALUES (:dag_id, :asset_id, :at, :at)"
    " ON CONFLICT (dag_id, asset_id) DO UPDATE SET updated_at = excluded.updated_at"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where events come from; a request and a watcher have no task."""

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    map_index: int = -1
    partition_key: str | None = None
    #: of the run, in microseconds
    partition_date: int | None = None


@dataclass
class Writer:
    """Writes events in the caller's transaction, all at one moment."""

    conn: Connection
    at: int
    #: the DAGs that got something into their queues
    woken: dict[str, None] = field(default_factory=dict)

    @classmethod
    def open(cls, conn: Connection, now: Any) -> Writer:
        """Return a writer whose events come after all others."""
        last = _LAST.run(conn).scalar()
        micros = now if isinstance(now, int) else to_micros(now)
        return cls(conn, micros if last is None else max(micros, int(last) + 1))

    def outcome(self, source: Source, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write what a task's success says about its outlets, as `OutletEventAccessors.events` gives it."""
        through: dict[tuple[AssetKey, str, str], dict[str, None]] = {}
        for entry in filter(_usable, entries):
            alias = entry.get("source_alias_name")
            if alias is not None:
                key, extra = key_of(entry["dest_asset_key"]), _text(entry.get("dest_asset_extra"))
                through.setdefault((key, extra, _text(entry.get("extra"))), {})[alias] = None
            elif (found := self._active(entry)) is not None:
                self.write(*found, entry.get("extra"), source, partition_key=entry.get("partition_key"))
        for (key, asset_extra, extra), aliases in through.items():
            asset_id = _ANY.run(self.conn, name=key.name, uri=key.uri).scalar()
            if asset_id is None:
                asset_id = ensure_asset(self.conn, key, asset_extra, self.at)
            self.write(int(asset_id), key, extra, source, aliases=aliases)

    def _active(self, entry: Mapping[str, Any]) -> tuple[int, AssetKey] | None:
        if "ref" in entry:
            kind, value = reference_of(entry["ref"])
            row: Any = (_ACTIVE_NAME if kind == "name" else _ACTIVE_URI).run(self.conn, value=value).first()
        else:
            row = _ACTIVE.run(self.conn, **entry["dest_asset_key"]).first()
        if row is None:
            log.warning(
                "no event is made: the asset is not active", asset=entry.get("dest_asset_key", entry.get("ref"))
            )
            return None
        return row.id, AssetKey(row.name, row.uri)

    def write(
        self,
        asset_id: int,
        key: AssetKey,
        extra: Any,
        source: Source,
        *,
        partition_key: str | None = None,
        aliases: Iterable[str] = (),
    ) -> int:
        """Write one event, and queue it for the DAGs that wait for it; return its number."""
        partition = partition_key if partition_key is not None else source.partition_key
        event_id = int(
            _PUT.run(
                self.conn,
                asset_id=asset_id,
                at=self.at,
                extra=_text(extra),
                dag_id=source.dag_id,
                task_id=source.task_id,
                run_id=source.run_id,
                map_index=source.map_index,
                key=partition,
            ).scalar_one()
        )
        self._link(asset_id, event_id, aliases)
        if source.task_id is None:  # a task tells its listeners itself
            self._announce(asset_id, extra, source, partition)
        # The run's date is that of the run's key; an event of another partition has none.
        date = source.partition_date if partition == source.partition_key else None
        self._queue(asset_id, key, event_id, partition, date)
        return event_id

    def _link(self, asset_id: int, event_id: int, aliases: Iterable[str]) -> None:
        linked = False
        for name in aliases:
            alias_id = put_alias(self.conn, name, self.at)
            _STANDS_FOR.run(self.conn, alias_id=alias_id, asset_id=asset_id)
            _PUT_ALIAS.run(self.conn, alias_id=alias_id, event_id=event_id)
            linked = True
        if linked:
            activate(self.conn, asset_id, self.at)

    def _announce(self, asset_id: int, extra: Any, source: Source, partition: str | None) -> None:
        if not is_heard(self.conn, "asset_event"):
            return
        row: Any = _OF_ASSET.run(self.conn, id=asset_id).one()
        asset = {"name": row[0], "uri": row[1], "group": row[2], "extra": _decode_object(row[3])}
        told = {"asset": asset, "extra": _decode_object(_text(extra)), "partition_key": partition}
        announce_in(self.conn, "asset_event", {**told, "partition_date": source.partition_date}, self.at)

    def _queue(self, asset_id: int, key: AssetKey, event_id: int, partition: str | None, date: int | None) -> None:
        partitioned: list[str] = []
        rows = _WAITING.run(self.conn, asset_id=asset_id, name=key.name, uri=key.uri, event_id=event_id).all()
        for dag_id, kind in rows:
            if kind == partition_queue.KIND:
                partitioned.append(dag_id)
            elif partition is None:
                _QUEUE.run(self.conn, dag_id=dag_id, asset_id=asset_id, at=self.at)
                self.woken[dag_id] = None
        if partitioned:
            arrival = partition_queue.Arrival(asset_id, key, event_id, partition, date, self.at)
            self.woken.update(dict.fromkeys(partition_queue.add(self.conn, partitioned, arrival)))


def write_outcomes(
    conn: Connection, outcomes: Iterable[tuple[Source, Sequence[Mapping[str, Any]]]], now: int
) -> dict[str, None]:
    """Write what the successes of one commit say about assets; return the DAGs that may have a run now."""
    writer = Writer.open(conn, now)
    for source, entries in outcomes:
        writer.outcome(source, entries)
    return writer.woken


def _text(extra: Any) -> str:
    if isinstance(extra, str):
        return extra
    return "{}" if not extra else msgspec.json.encode(extra, order="deterministic").decode()


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def _usable(entry: Mapping[str, Any]) -> bool:
    """Whether an entry can be stored. User code made it, and a task that succeeded must not fail the scheduler."""
    try:
        if "ref" in entry:
            names = [reference_of(entry["ref"])[1]]
        else:
            key = key_of(entry["dest_asset_key"])
            limits.check(t.asset, {"name": key.name, "uri": key.uri})
            names = [*key, entry.get("source_alias_name") or key.name]
        limits.check(t.asset_event, {"partition_key": entry.get("partition_key"), "extra": _text(entry.get("extra"))})
        limits.check(t.asset_alias, {"name": names[-1]})
        for extra in (entry.get("extra"), entry.get("dest_asset_extra")):
            _decode_object(_text(extra))
        if (
            all(isinstance(name, str) and name for name in names)
            and sum(len(name.encode()) for name in names[:2]) <= MAX_KEY
        ):
            return True
        reason: object = "a name or URI is empty or too long"
    except (Invalid, KeyError, TypeError, AttributeError, ValueError) as error:
        reason = error
    log.warning("no event is made: a task said something about an asset that cannot be stored", reason=str(reason))
    return False
