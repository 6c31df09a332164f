"""What the partition mappers and windows of users say about keys; see `store.partition_answers` for who asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gnomon.model.partitions import definition_of
from gnomon.sdk.own_partitions import keys_of
from gnomon.wire import questions as wire

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_as_asked(timetable: Any, asked: wire.PartitionsAsked) -> bool:
    """Return whether a DAG still maps partitions as when it was asked for."""
    if not hasattr(timetable, "get_partition_mapper"):
        return False
    return definition_of(timetable.fields().get("data")) == asked.definition


def told(timetable: Any, asked: wire.PartitionsAsked) -> wire.PartitionsTold:
    """Return what the mappers of a timetable say; what one of them raises is part of it."""
    known: dict[tuple[int, str], wire.KeyTold] = {}

    def of_key(mapper: Any, key: str) -> wire.KeyTold:
        place = id(mapper), key
        if place not in known:
            known[place] = _key(mapper, key)
        return known[place]

    def mapper_of(one: wire.KeyAsked) -> Any:
        return timetable.get_partition_mapper(name=one.name, uri=one.uri)

    arrivals = [_arrival(mapper_of(one), one, asked.limit, of_key) for one in asked.arrivals]
    return wire.PartitionsTold(arrivals, [of_key(mapper_of(one), one.key) for one in asked.runs])


def _arrival(mapper: Any, one: wire.KeyAsked, limit: int, of_key: Any) -> wire.ArrivalTold:
    about = f"the partition key {one.key!r} of the asset {one.name!r}"
    try:
        keys = list(dict.fromkeys(keys_of(mapper, mapper.to_downstream(one.key))))
    except Exception as error:
        return wire.ArrivalTold(
            refusal=("failed to map partition_key", f"{about} cannot be mapped: {type(error).__name__}: {error}")
        )
    limit = mapper.max_downstream_keys or limit
    if len(keys) > limit:
        text = f"{about} would make {len(keys)} runs; {limit} are allowed"
        return wire.ArrivalTold(refusal=("partition fan-out exceeded", text))
    try:
        carried = _micros(mapper.carry_partition_date(_moment(one.date)))
    except Exception:  # the run goes without
        carried = None
    return wire.ArrivalTold([of_key(mapper, key) for key in keys], carried)


def _key(mapper: Any, key: str) -> wire.KeyTold:
    date, date_error = None, None
    try:
        date = _micros(mapper.to_partition_date(key))
    except Exception as problem:  # the run goes without, as when mappers contradict each other
        date_error = f"{type(problem).__name__}: {problem}"
    expected, error = None, None
    if mapper.is_rollup:
        try:
            expected = sorted(_strings(mapper, mapper.to_upstream(key)))
        except Exception as problem:
            error = f"what makes up the partition {key!r} is not known: {type(problem).__name__}: {problem}"
    return wire.KeyTold(key, date, date_error, expected, error)


def _strings(mapper: Any, found: Any) -> set[str]:
    keys = set(found)
    for key in keys:
        if not isinstance(key, str):
            raise TypeError(f"{type(mapper).__name__} has to give keys upstream that are strings, and gave {key!r}")
    return keys


def _moment(micros: int | None) -> datetime | None:
    if micros is None:
        return None
    import pendulum

    return pendulum.instance(_EPOCH).add(microseconds=micros)


def _micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no timezone")
    delta = moment.astimezone(UTC) - _EPOCH
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
