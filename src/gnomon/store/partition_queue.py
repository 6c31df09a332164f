"""The runs to come of DAGs that wait for partitions: one per key, with the events that arrived for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from gnomon.model.assets import AssetKey
from gnomon.model.partitions import Mapper, Mappers
from gnomon.store.database import Statement

log = structlog.get_logger("store")

#: The kind of the timetables that wait for partitions.
KIND = "partitioned_assets"
#: What a partition key may have of characters.
MAX_KEY = 250

_DATA = Statement("SELECT v.data FROM dag d JOIN dag_version v ON v.id = d.version_id WHERE d.dag_id = :dag_id")
_FIND = Statement(
    "SELECT id, partition_date, definition FROM partition_run WHERE dag_id = :dag_id AND partition_key = :key"
)
_PUT = Statement(
    "INSERT INTO partition_run (dag_id, partition_key, partition_date, definition, created_at)"
    " VALUES (:dag_id, :key, :date, :definition, :at) RETURNING id"
)
_DATE = Statement("UPDATE partition_run SET partition_date = :date WHERE id = :id")
_DROP = Statement("DELETE FROM partition_run WHERE id = :id")
_ARRIVED = Statement(
    "INSERT INTO partition_event (partition_run_id, event_id, asset_id, source_key)"
    " VALUES (:id, :event_id, :asset_id, :source) ON CONFLICT DO NOTHING"
)
_PENDING = Statement(
    "SELECT id, partition_key, partition_date, definition FROM partition_run WHERE dag_id = :dag_id"
    " ORDER BY created_at, id"
)
_SOURCES = Statement(
    "SELECT e.event_id, e.source_key, a.name, a.uri FROM partition_event e JOIN asset a ON a.id = e.asset_id"
    " WHERE e.partition_run_id = :id AND a.is_active ORDER BY e.event_id"
)
_NOTE = Statement("INSERT INTO event_log (dttm, dag_id, event, extra) VALUES (:at, :dag_id, :event, :extra)")


class _Timetable(msgspec.Struct):
    kind: str
    data: dict[str, Any] | None = None


class _Dag(msgspec.Struct):
    timetable: _Timetable


_decode = msgspec.json.Decoder(_Dag).decode


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event of an asset, about one of its partitions."""

    asset_id: int
    key: AssetKey
    event_id: int
    partition: str | None
    #: the date of the run that made it, in microseconds
    date: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A run to come, with what arrived for it: (event, its key, asset)."""

    id: int
    key: str
    date: int | None
    definition: str
    events: list[tuple[int, str, AssetKey]]


def definition_of(data: dict[str, Any] | None) -> str:
    """Return the digest of how a partitioned timetable maps keys."""
    return hashlib.sha256(msgspec.json.encode(data or {}, order="deterministic")).hexdigest()


def add(conn: Connection, dag_ids: Sequence[str], arrival: Arrival) -> Iterator[str]:
    """Note an arrival for DAGs; yield those that may have a run now."""
    for dag_id in dag_ids:
        if arrival.partition is None:
            text = f"the asset {arrival.key.name!r} was updated without a partition key, which this DAG waits for"
            _note(conn, dag_id, arrival.at, "missing partition key", text)
        elif _add(conn, dag_id, arrival, arrival.partition):
            yield dag_id


def _add(conn: Connection, dag_id: str, arrival: Arrival, partition: str) -> bool:
    data = _DATA.run(conn, dag_id=dag_id).scalar()
    timetable = None if data is None else _decode(data).timetable
    if timetable is None or timetable.kind != KIND:
        return False
    try:
        mapper = Mappers.of(timetable.data).of_asset(*arrival.key)
        keys = list(dict.fromkeys(mapper.downstream(partition)))
    except Exception as error:  # the mapper's fields and the key are of the user: whatever they do, the event stands
        text = f"the partition key {partition!r} of the asset {arrival.key.name!r} cannot be mapped: {error}"
        _note(conn, dag_id, arrival.at, "failed to map partition_key", text)
        return False
    if any(not key or len(key) > MAX_KEY or "\0" in key for key in keys):
        text = f"the partition key {partition!r} is mapped to a key that is empty or longer than {MAX_KEY} characters"
        _note(conn, dag_id, arrival.at, "failed to map partition_key", text)
        return False
    limit = mapper.max_keys or _max_keys()
    if len(keys) > limit:
        text = f"the partition key {partition!r} would make {len(keys)} runs; {limit} are allowed"
        _note(conn, dag_id, arrival.at, "partition fan-out exceeded", text)
        return False
    definition = definition_of(timetable.data)
    for key in keys:
        number = _run_of(conn, dag_id, key, arrival, mapper, definition)
        _ARRIVED.run(conn, id=number, event_id=arrival.event_id, asset_id=arrival.asset_id, source=partition)
    return bool(keys)


def _run_of(conn: Connection, dag_id: str, key: str, arrival: Arrival, mapper: Mapper, definition: str) -> int:
    date = mapper.carry(arrival.date)
    row: Any = _FIND.run(conn, dag_id=dag_id, key=key).first()
    if row is not None and row.definition != definition:
        _DROP.run(conn, id=row.id)
        row = None
    if row is None:
        made = _PUT.run(conn, dag_id=dag_id, key=key, date=date, definition=definition, at=arrival.at)
        return int(made.scalar_one())
    if date is not None and date != row.partition_date:
        # The first date is taken; one that contradicts it leaves the run without.
        _DATE.run(conn, id=row.id, date=date if row.partition_date is None else None)
    return int(row.id)


def pending(conn: Connection, dag_id: str, definition: str) -> list[Pending]:
    """Return the runs to come of a DAG; those whose keys were mapped otherwise are dropped."""
    found = []
    for row in _PENDING.run(conn, dag_id=dag_id).all():
        if row.definition != definition:
            log.info("a run to come is dropped: its DAG maps partitions otherwise now", dag_id=dag_id, key=row[1])
            _DROP.run(conn, id=row.id)
            continue
        events = [(event, source, AssetKey(name, uri)) for event, source, name, uri in _SOURCES.run(conn, id=row.id)]
        found.append(Pending(row.id, row.partition_key, row.partition_date, row.definition, events))
    return found


def drop(conn: Connection, partition_run_id: int) -> None:
    """Forget a run to come: it has come."""
    _DROP.run(conn, id=partition_run_id)


def date_of(mappers: Mappers, one: Pending) -> datetime | int | None:
    """Return the date of a run: what its mappers agree on, or what came with the events."""
    from gnomon.model.partitions import agreed

    assets = dict.fromkeys(key for _, _, key in one.events)
    date, given = agreed(mappers.of_asset(*key).date(one.key) for key in assets)
    return date if given else one.date


def _note(conn: Connection, dag_id: str, at: int, event: str, text: str) -> None:
    log.warning("no run is made for a partition", dag_id=dag_id, reason=text)
    _NOTE.run(conn, dag_id=dag_id, at=at, event=event, extra=text)


def _max_keys() -> int:
    from gnomon.service.config import conf

    return conf.getint("scheduler", "partition_mapper_max_downstream_keys", fallback=1000)
