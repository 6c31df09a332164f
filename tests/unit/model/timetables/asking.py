from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gnomon.model.timetables import DataInterval, NextRun, Profile, Timetable, build
from gnomon.wire.dag import TimetableSpec


def at(text: str) -> datetime:
    """Return a UTC time from "2024-01-31" or "2024-01-31 10:30"."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def between(start: str, end: str) -> DataInterval:
    return DataInterval(at(start), at(end))


def make(kind: str, profile: Profile = 3, **fields: object) -> Timetable:
    return build(TimetableSpec(kind=kind, **fields), profile)  # type: ignore[arg-type]


def ask(
    timetable: Timetable,
    last: DataInterval | None = None,
    *,
    now: str = "2024-06-15 12:00",
    earliest: str | None = None,
    latest: str | None = None,
    catchup: bool = True,
) -> NextRun | None:
    return timetable.next_run(
        last,
        earliest=None if earliest is None else at(earliest),
        latest=None if latest is None else at(latest),
        catchup=catchup,
        now=at(now),
    )


def chain(timetable: Timetable, count: int, **asked: object) -> list[NextRun]:
    """Return the first `count` runs, each following the one before."""
    runs: list[NextRun] = []
    last: DataInterval | None = None
    step: Callable[..., NextRun | None] = ask
    for _ in range(count):
        run = step(timetable, last, **asked)
        if run is None:
            break
        runs.append(run)
        last = run.data_interval
    return runs
