"""Schedules that wait for assets, as authors write them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gnomon.sdk.assets import AssetAll, BaseAsset
from gnomon.sdk.timetable import DataInterval, Timetable


class AssetTriggeredTimetable(Timetable):
    """A run whenever an asset condition is met."""

    kind = "assets"
    can_be_scheduled = False
    description = "Triggered by assets"

    def __init__(self, assets: BaseAsset | Collection[BaseAsset]) -> None:
        self.asset_condition = assets if isinstance(assets, BaseAsset) else AssetAll(*assets)

    @property
    def summary(self) -> str:
        """The word "Asset"."""
        return "Asset"

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        """Return an interval without length."""
        return DataInterval.exact(run_after)

    def fields(self) -> dict[str, Any]:
        """Return the condition."""
        assert self.asset_condition is not None
        return {"assets": self.asset_condition.as_expression()}


class PartitionedAssetTimetable(AssetTriggeredTimetable):
    """A run for each partition whose asset condition is met.

    Args:
        assets: the condition.
        partition_mapper_config: by asset, how its keys become those of the run.
        default_partition_mapper: the same for all other assets; they stay as they are, unless given.
    """

    kind = "partitioned_assets"
    partitioned = True

    def __init__(
        self, *, assets: Any, partition_mapper_config: Any = None, default_partition_mapper: Any = None
    ) -> None:
        from gnomon.sdk.partitions import IdentityMapper

        super().__init__(assets)
        self.partition_mapper_config = partition_mapper_config or {}
        self.default_partition_mapper = default_partition_mapper or IdentityMapper()

    @property
    def summary(self) -> str:
        """The words "Partitioned Asset"."""
        return "Partitioned Asset"

    def _by_asset(self) -> tuple[dict[str, Any], dict[str, Any]]:
        names, uris = {}, {}
        for of, mapper in self.partition_mapper_config.items():
            for key, _ in of.iter_assets():
                names[key.name] = uris[key.uri] = mapper
            for ref in of.iter_asset_refs():
                kind, value = next(iter(vars(ref).items()))
                (names if kind == "name" else uris)[value] = mapper
        return names, uris

    def get_partition_mapper(self, *, name: str = "", uri: str = "") -> Any:
        """Return the mapper for an asset."""
        names, uris = self._by_asset()
        return names.get(name) or uris.get(uri) or self.default_partition_mapper

    def fields(self) -> dict[str, Any]:
        """Return the condition, and the mappers by name and by URI."""
        names, uris = ({of: mapper.as_data() for of, mapper in by.items()} for by in self._by_asset())
        mappers = {"default": self.default_partition_mapper.as_data(), "names": names, "uris": uris}
        return {**super().fields(), "data": mappers}


class AssetOrTimeSchedule(AssetTriggeredTimetable):
    """A run at each tick of a timetable, and whenever an asset condition is met."""

    kind = "asset_or_time"
    can_be_scheduled = True

    def __init__(self, *, timetable: Timetable, assets: Any = None, datasets: Any = None) -> None:
        super().__init__(assets if assets is not None else datasets)
        self.timetable = timetable
        self.active_runs_limit = timetable.active_runs_limit

    @property
    def summary(self) -> str:
        """The assets and the time."""
        return f"Asset or {self.timetable.summary}"

    @property
    def description(self) -> str:  # type: ignore[override]
        """The assets and the time, in words."""
        return f"Triggered by assets or {self.timetable.description}"

    def validate(self) -> None:
        """Check the timetable."""
        self.timetable.validate()

    def fields(self) -> dict[str, Any]:
        """Return the fields of the spec."""
        return {**super().fields(), "base": self.timetable.to_spec()}
