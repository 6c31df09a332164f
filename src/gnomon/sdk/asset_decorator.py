"""`@asset`: a function as a DAG of one task that makes events of assets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

from gnomon.sdk.assets import Asset, AssetAll, AssetWatcher, BaseAsset


class AssetDefinition(Asset):
    """What `@asset` makes of a function: an asset, and a DAG of one task that makes its events."""

    def __init__(self, name: str, function: Callable[..., Any], source: asset) -> None:
        super().__init__(
            name=name,
            uri=name if source.uri is None else str(source.uri),
            group=source.group,
            extra=source.extra,
            watchers=source.watchers,
        )
        self._function, self._source = function, source
        _make_dag(name, name, function, [self], source.dag_arguments)

    def iter_outlets(self) -> Iterator[BaseAsset]:
        """Yield itself."""
        yield self


class MultiAssetDefinition(AssetAll):
    """What `@asset.multi` makes of a function: a DAG of one task that makes events of several assets."""

    def __init__(self, name: str, function: Callable[..., Any], outlets: Collection[BaseAsset], source: _Multi) -> None:
        super().__init__(*outlets)
        self.name, self._function, self._source = name, function, source
        _make_dag(name, None, function, self.objects, source.dag_arguments)

    __hash__ = AssetAll.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def iter_outlets(self) -> Iterator[BaseAsset]:
        """Yield its assets."""
        yield from self.objects


class _Multi:
    """Make a DAG of one task that makes events of several assets.

    Args:
        outlets: the assets.
        schedule: when the DAG runs; also an asset or several.
        kwargs: further arguments of the DAG, such as dag_id.
    """

    def __init__(self, *, outlets: Collection[BaseAsset], schedule: Any = None, **kwargs: Any) -> None:
        if not outlets:
            raise ValueError("no outlets provided")
        self.outlets = list(outlets)
        self.dag_arguments = {"schedule": schedule, "catchup": False, **kwargs}

    def __call__(self, function: Callable[..., Any]) -> MultiAssetDefinition:
        return MultiAssetDefinition(_name_of(function), function, self.outlets, self)


class asset:
    """Make a DAG of one task out of a function; the task makes an event of the asset of the function's name.

    Args:
        uri: the asset's URI; its name unless given.
        name: the asset's name; the function's unless given.
        group: the asset's group.
        extra: the asset's extra.
        watchers: the asset's watchers.
        schedule: when the DAG runs; also an asset or several.
        kwargs: further arguments of the DAG, such as dag_id.
    """

    multi = _Multi

    def __init__(
        self,
        *,
        uri: Any = None,
        name: str | None = None,
        group: str = Asset.asset_type,
        extra: dict[str, Any] | None = None,
        watchers: list[AssetWatcher] | None = None,
        schedule: Any = None,
        **kwargs: Any,
    ) -> None:
        self.uri, self.name, self.group, self.extra, self.watchers = uri, name, group, extra, watchers
        self.dag_arguments = {"schedule": schedule, "catchup": False, **kwargs}

    def __call__(self, function: Callable[..., Any]) -> AssetDefinition:
        name = _name_of(function)
        return AssetDefinition(self.name or name, function, self)


def _name_of(function: Any) -> str:
    name: str = getattr(function, "__name__", "")
    if name != getattr(function, "__qualname__", name):
        raise ValueError("nested function not supported")
    return name


def _check_arguments(function: Callable[..., Any]) -> None:
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            raise TypeError(f"wildcard '*{name}' is not supported in @asset")
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            raise TypeError(f"wildcard '**{name}' is not supported in @asset")
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and parameter.default is inspect.Parameter.empty:
            raise TypeError(f"positional-only argument '{name}' without a default is not supported in @asset")


def _make_dag(
    dag_id: str,
    itself: str | None,
    function: Any,
    outlets: list[BaseAsset],
    arguments: dict[str, Any],
) -> None:
    from gnomon.sdk.dag import DAG
    from gnomon.sdk.standard.asset_function import AssetFunctionOperator

    given = {name: value for name, value in arguments.items() if value is not None or name == "schedule"}
    with DAG(**{"dag_id": dag_id, **given}):
        if getattr(function, "_airflow_is_task_decorator", False):
            if "outlets" in function.kwargs:
                raise TypeError("@task decorator with 'outlets' argument is not supported in @asset")
            function.kwargs["outlets"] = outlets
            function()
        else:
            _check_arguments(function)
            AssetFunctionOperator.from_function(function, outlets, itself=itself)
