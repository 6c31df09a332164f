"""The runs to come of DAGs that wait for partitions: one per key, with the events that arrived for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from gnomon.model.assets import AssetKey
from gnomon.model.partitions import Mappers, agreed, definition_of
from gnomon.store.database import Statement
from gnomon.store.types import from_micros

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
_TOLD = Statement(
    "SELECT t.expected, t.date, t.date_error, t.error, a.name, a.uri FROM partition_told t"
    " JOIN asset a ON a.id = t.asset_id WHERE t.partition_run_id = :id"
)
_WAITS = Statement(
    "INSERT INTO partition_arrival (dag_id, event_id, asset_id, source_key, date, definition, created_at)"
    " VALUES (:dag_id, :event_id, :asset_id, :source, :date, :definition, :at) ON CONFLICT DO NOTHING"
)
_NOTE = Statement("INSERT INTO event_log (dttm, dag_id, event, extra) VALUES (:at, :dag_id, :event, :extra)")


class _Timetable(msgspec.Struct):
    kind: str
    data: dict[str, Any] | None = None


class _Dag(msgspec.Struct):
    timetable: _Timetable


_decode = msgspec.json.Decoder(_Dag).decode
_decode_keys = msgspec.json.Decoder(list[str]).decode


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
class Told:
    """What a user's mapper says of a run to come and one of its assets."""

    expected: list[str] | None
    date: int | None
    date_error: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A run to come, with what arrived for it: (event, its key, asset)."""

    id: int
    key: str
    date: int | None
    definition: str
    events: list[tuple[int, str, AssetKey]]
    #: by asset, where its mapper is a user's
    told: dict[AssetKey, Told] = field(default_factory=dict)


def add(conn: Connection, dag_ids: Sequence[str], arrival: Arrival) -> Iterator[str]:
    """Note an arrival for DAGs; yield those that may have a run now."""
    for dag_id in dag_ids:
        if arrival.partition is None:
            text = f"the asset {arrival.key.name!r} was updated without a partition key, which this DAG waits for"
            note(conn, dag_id, arrival.at, "missing partition key", text)
        elif _add(conn, dag_id, arrival, arrival.partition):
            yield dag_id


def _add(conn: Connection, dag_id: str, arrival: Arrival, partition: str) -> bool:
    data = _DATA.run(conn, dag_id=dag_id).scalar()
    timetable = None if data is None else _decode(data).timetable
    if timetable is None or timetable.kind != KIND:
        return False
    definition, mappers = definition_of(timetable.data), Mappers.of(timetable.data)
    if mappers.asks(*arrival.key):
        about = {"event_id": arrival.event_id, "asset_id": arrival.asset_id, "source": partition, "date": arrival.date}
        _WAITS.run(conn, dag_id=dag_id, definition=definition, at=arrival.at, **about)
        return True
    try:
        mapper = mappers.of_asset(*arrival.key)
        keys = list(dict.fromkeys(mapper.downstream(partition)))
    except Exception as error:  # the mapper's fields and the key are of the user: whatever they do, the event stands
        text = f"the partition key {partition!r} of the asset {arrival.key.name!r} cannot be mapped: {error}"
        note(conn, dag_id, arrival.at, "failed to map partition_key", text)
        return False
    limit = mapper.max_keys or max_keys()
    if len(keys) > limit:
        text = f"the partition key {partition!r} would make {len(keys)} runs; {limit} are allowed"
        note(conn, dag_id, arrival.at, "partition fan-out exceeded", text)
        return False
    return bool(arrived(conn, dag_id, arrival, keys, date=mapper.carry(arrival.date), definition=definition))


def arrived(
    conn: Connection, dag_id: str, arrival: Arrival, keys: Sequence[str], *, date: int | None, definition: str
) -> list[int]:
    """Note that an event is for these runs to come; return their numbers, none if a key cannot be stored."""
    partition = arrival.partition
    if any(not key or len(key) > MAX_KEY or "\0" in key for key in keys):
        text = f"the partition key {partition!r} is mapped to a key that is empty or longer than {MAX_KEY} characters"
        note(conn, dag_id, arrival.at, "failed to map partition_key", text)
        return []
    numbers = [_run_of(conn, dag_id, key, date, definition, arrival.at) for key in keys]
    for number in numbers:
        _ARRIVED.run(conn, id=number, event_id=arrival.event_id, asset_id=arrival.asset_id, source=partition)
    return numbers


def _run_of(conn: Connection, dag_id: str, key: str, date: int | None, definition: str, at: int) -> int:
    row: Any = _FIND.run(conn, dag_id=dag_id, key=key).first()
    if row is not None and row.definition != definition:
        _DROP.run(conn, id=row.id)
        row = None
    if row is None:
        made = _PUT.run(conn, dag_id=dag_id, key=key, date=date, definition=definition, at=at)
        return int(made.scalar_one())
    if date is not None and date != row.partition_date:
        # The first date is taken; one that contradicts it leaves the run without.
        _DATE.run(conn, id=row.id, date=date if row.partition_date is None else None)
    return int(row.id)


def pending(conn: Connection, dag_id: str, definition: str, *, told: bool = False) -> list[Pending]:
    """Return the runs to come of a DAG; those whose keys were mapped otherwise are dropped.

    Args:
        told: whether users' mappers may have said something about them.
    """
    found = []
    for row in _PENDING.run(conn, dag_id=dag_id).all():
        if row.definition != definition:
            log.info("a run to come is dropped: its DAG maps partitions otherwise now", dag_id=dag_id, key=row[1])
            _DROP.run(conn, id=row.id)
            continue
        events = [(event, source, AssetKey(name, uri)) for event, source, name, uri in _SOURCES.run(conn, id=row.id)]
        said = _told(conn, row.id) if told else {}
        found.append(Pending(row.id, row.partition_key, row.partition_date, row.definition, events, said))
    return found


def _told(conn: Connection, partition_run_id: int) -> dict[AssetKey, Told]:
    found = {}
    for expected, date, date_error, error, name, uri in _TOLD.run(conn, id=partition_run_id):
        keys = None if expected is None else _decode_keys(expected)
        found[AssetKey(name, uri)] = Told(keys, date, date_error, error)
    return found


def drop(conn: Connection, partition_run_id: int) -> None:
    """Forget a run to come: it has come."""
    _DROP.run(conn, id=partition_run_id)


def date_of(mappers: Mappers, one: Pending) -> datetime | int | None:
    """Return the date of a run: what its mappers agree on, or what came with the events."""
    dates: list[datetime | None] = []
    for asset in dict.fromkeys(key for _, _, key in one.events):
        told = one.told.get(asset)
        if told is None:
            dates.append(mappers.of_asset(*asset).date(one.key))
        elif told.date_error is not None:
            return None
        else:
            dates.append(None if told.date is None else from_micros(told.date))
    date, given = agreed(dates)
    return date if given else one.date


def note(conn: Connection, dag_id: str, at: int, event: str, text: str) -> None:
    """Say in the audit log why an event starts nothing."""
    log.warning("no run is made for a partition", dag_id=dag_id, reason=text)
    _NOTE.run(conn, dag_id=dag_id, at=at, event=event, extra=text)


def max_keys() -> int:
    """Return how many runs one event may be for, where its mapper does not say."""
    from gnomon.service.config import conf

    return conf.getint("scheduler", "partition_mapper_max_downstream_keys", fallback=1000)
