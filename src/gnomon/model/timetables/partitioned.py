"""Timetables whose runs are about partitions: of a tick, of assets, or of whatever somebody says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gnomon.model.timetables.base import Partition, Profile, TimetableError
from gnomon.model.timetables.simple import Assets, Null
from gnomon.model.timetables.trigger import CronTrigger


class CronPartition(CronTrigger):
    """A run at each tick, about the partition of that tick or of one some ticks before or after it."""

    partitioned = True

    def __init__(
        self, expression: str, timezone: str, run_immediately: bool | float, profile: Profile, *, form: str, offset: int
    ) -> None:
        super().__init__(expression, timezone, timedelta(), run_immediately, profile)
        self._form, self._offset = form, offset

    def partition_of(self, run_after: datetime) -> Partition:
        step = self.schedule.after if self._offset > 0 else self.schedule.before
        date = run_after
        for _ in range(abs(self._offset)):
            date = step(date)
        return self._of(date)

    def partitions_between(self, earliest: datetime, latest: datetime) -> list[Partition]:
        first, last = (self.schedule.moment(bound.replace(tzinfo=None, fold=0)) for bound in (earliest, latest))
        found: list[Partition] = []
        date = self.schedule.at_or_after(first)
        while date <= last:
            found.append(self._of(date))
            date = self.schedule.after(date)
        return found

    def _of(self, date: datetime) -> Partition:
        return Partition(date.astimezone(self.schedule.zone).strftime(self._form), date)

    def date_of(self, partition_key: str) -> datetime:
        try:
            naive = datetime.strptime(partition_key, self._form)  # noqa: DTZ007 - the zone is the timetable's
        except ValueError as error:
            raise TimetableError(
                f"Partition key {partition_key!r} does not match the timetable's key_format {self._form!r}: {error}"
            ) from None
        return naive.replace(tzinfo=naive.tzinfo or self.schedule.zone).astimezone(UTC)


class PartitionAnswerNeededError(Exception):
    """Classes of users have to be asked which date a partition has.

    Args:
        classpath: one of them.
        data: how the timetable maps keys.
        assets: names and URIs of those whose keys the classes map.
    """

    def __init__(self, classpath: str, data: dict[str, Any] | None, assets: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{classpath} has to be asked")
        self.classpath, self.data, self.assets = classpath, data, assets


class PartitionedAssets(Assets):
    """A run for each partition of assets."""

    partitioned = True

    def __init__(self, condition: dict[str, Any] | None, data: dict[str, Any] | None) -> None:
        super().__init__("Partitioned Asset")
        self._condition, self._data = condition or {"any": []}, data
        #: what users' mappers say of the key that is to be asked for
        self.own_dates: list[datetime | None] | None = None

    def date_of(self, partition_key: str) -> datetime | None:
        from gnomon.model.assets import assets_of
        from gnomon.model.partitions import Mappers, PartitionError, agreed

        mappers, assets = Mappers.of(self._data), list(assets_of(self._condition))
        asked = [key for key in assets if mappers.asks(*key)]
        if self.own_dates is None and asked:
            raise PartitionAnswerNeededError(str(mappers.custom), self._data, asked)
        try:
            dates = [mappers.of_asset(*key).date(partition_key) for key in assets if key not in asked]
            return agreed([*dates, *(self.own_dates or [])])[0]
        except PartitionError as error:
            raise TimetableError(
                f"Partition key {partition_key!r} is invalid for this timetable's mappers: {error}"
            ) from None


class PartitionedAtRuntime(Null):
    """Never by itself; whoever triggers a run says which partition it is about."""

    partitioned = True

    @property
    def summary(self) -> str:
        return "PartitionedAtRuntime"

    @property
    def description(self) -> str:
        return "Never, partition key(s) set at runtime"
