"""The operator behind @asset: a function that makes an asset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gnomon.sdk.assets import Asset, BaseAsset
from gnomon.sdk.standard.python import PythonOperator

#: Names of parameters that do not stand for an asset.
_GIVEN = frozenset({"self", "context", "outlet_events"})


class AssetFunctionOperator(PythonOperator):
    """Calls the function; its parameters are named after assets, which are inlets.

    Args:
        itself: the name of the asset that a parameter "self" stands for; none, if the function makes several.
    """

    def __init__(self, *, itself: str | None = None, **kwargs: Any) -> None:
        self._itself = itself
        super().__init__(**kwargs)

    @classmethod
    def from_function(
        cls, function: Callable[..., Any], outlets: list[BaseAsset], *, itself: str | None
    ) -> AssetFunctionOperator:
        """Return the task of an @asset."""
        inlets = [
            Asset.ref(name=name)
            for name, parameter in inspect.signature(function).parameters.items()
            if name not in _GIVEN and parameter.default is inspect.Parameter.empty
        ]
        return cls(task_id=function.__name__, python_callable=function, inlets=inlets, outlets=outlets, itself=itself)

    def determine_kwargs(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the keyword arguments: the context, the accessors of the outlets, and assets by name."""
        arguments: dict[str, Any] = {}
        for name, parameter in inspect.signature(self.python_callable).parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                arguments[name] = parameter.default
            elif name == "context":
                arguments[name] = context
            elif name == "outlet_events":
                arguments[name] = context["outlet_events"]
            else:
                arguments[name] = self._asset(self._itself or name if name == "self" else name)
        return arguments

    def _asset(self, name: str) -> Asset:
        from gnomon.sdk.runtime.asset_events import resolved

        own = [item for item in self.outlets if isinstance(item, Asset) and item.name == name]
        return own[0] if own else resolved(Asset.ref(name=name))
