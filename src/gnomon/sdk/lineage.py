"""Lineage: what hooks read and wrote, for readers that plugins bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gnomon.sdk.assets import Asset
from gnomon.sdk.log import LoggingMixin

LineageContext = Any


@dataclass
class AssetLineageInfo:
    """An asset, how often it was used, and by what."""

    asset: Asset
    count: int
    context: Any


@dataclass
class ExtraLineageInfo:
    """Something else to know, how often it was said, and by what."""

    key: str
    value: Any
    count: int
    context: Any


@dataclass
class HookLineage:
    """What was collected."""

    inputs: list[AssetLineageInfo] = field(default_factory=list)
    outputs: list[AssetLineageInfo] = field(default_factory=list)
    extra: list[ExtraLineageInfo] = field(default_factory=list)


class HookLineageCollector(LoggingMixin):
    """Collects what hooks tell."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lineage = HookLineage()

    def create_asset(
        self,
        *,
        scheme: str | None = None,
        uri: str | None = None,
        name: str | None = None,
        group: str | None = None,
        asset_kwargs: dict[str, Any] | None = None,
        asset_extra: dict[str, Any] | None = None,
    ) -> Asset | None:
        """Return the asset of a URI or name, or what a provider makes for the scheme; None if there is no way."""
        if uri or name:
            return Asset(name=name, uri=uri, group=group, extra=asset_extra)
        from gnomon.sdk.provider_registry import ProvidersManager

        factory = ProvidersManager().asset_factories.get(scheme) if scheme else None
        if factory is None:
            self.log.debug("There is neither a URI nor an asset factory for the scheme %s", scheme)
            return None
        try:
            made: Asset = factory(**(asset_kwargs or {}), extra=asset_extra)
        except Exception as error:
            self.log.debug("The asset factory for %s failed: %s", scheme, error)
            return None
        return made

    def add_input_asset(self, context: Any, **asset: Any) -> None:
        """Note that an asset was read."""
        self._add(self._lineage.inputs, context, asset)

    def add_output_asset(self, context: Any, **asset: Any) -> None:
        """Note that an asset was written."""
        self._add(self._lineage.outputs, context, asset)

    def _add(self, known: list[AssetLineageInfo], context: Any, arguments: dict[str, Any]) -> None:
        asset = self.create_asset(**arguments)
        if asset is None:
            return
        for info in known:
            if info.asset == asset and info.context is context:
                info.count += 1
                return
        known.append(AssetLineageInfo(asset, 1, context))

    def add_extra(self, context: Any, key: str, value: Any) -> None:
        """Note something else."""
        for info in self._lineage.extra:
            if info.key == key and info.value == value and info.context is context:
                info.count += 1
                return
        self._lineage.extra.append(ExtraLineageInfo(key, value, 1, context))

    @property
    def collected_assets(self) -> HookLineage:
        """What was collected."""
        return self._lineage

    @property
    def has_collected(self) -> bool:
        """Whether anything was collected."""
        return bool(self._lineage.inputs or self._lineage.outputs or self._lineage.extra)


class NoOpCollector(HookLineageCollector):
    """Collects nothing; used while no reader is installed."""

    def add_input_asset(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def add_output_asset(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    def add_extra(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


class HookLineageReader(LoggingMixin):
    """Reads what was collected; plugins subclass it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lineage_collector = get_hook_lineage_collector()

    def retrieve_hook_lineage(self) -> HookLineage:
        """Return what was collected."""
        return self.lineage_collector.collected_assets


_nothing = NoOpCollector()
_collector: HookLineageCollector | None = None


def get_hook_lineage_collector() -> HookLineageCollector:
    """Return the collector of this process; one that keeps nothing as long as no plugin reads it."""
    global _collector
    if _collector is not None:
        return _collector
    from gnomon.sdk import plugins

    if not plugins.collected("hook_lineage_readers"):
        return _nothing
    _collector = HookLineageCollector()
    return _collector
