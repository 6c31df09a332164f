"""The operator behind @asset: a function that makes an asset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gnomon.sdk.assets import Asset, AssetNameRef, AssetRef, BaseAsset
from gnomon.sdk.standard.python import PythonOperator


class AssetFunctionOperator(PythonOperator):
    """Calls the function; arguments that have the names of assets are assets, which become inlets."""

    def __init__(self, *, definition_name: str | None = None, **kwargs: Any) -> None:
        self._definition_name = definition_name
        super().__init__(**kwargs)

    @classmethod
    def from_function(cls, function: Callable[..., Any], outlets: list[BaseAsset]) -> AssetFunctionOperator:
        """Return the task of an @asset."""
        import inspect

        parameters = inspect.signature(function).parameters
        inlets = [
            Asset.ref(name=name)
            for name, parameter in parameters.items()
            if name not in ("self", "context") and parameter.default is inspect.Parameter.empty
        ]
        return cls(
            task_id=function.__name__,
            python_callable=function,
            inlets=inlets,
            outlets=outlets,
            definition_name=function.__name__,
        )

    def determine_kwargs(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the keyword arguments: `self` is the asset made, `context` the context, others assets by name."""
        import inspect

        known: dict[str, Any] = {}
        for inlet in self.inlets:
            if isinstance(inlet, (AssetNameRef, Asset)):
                known[inlet.name] = inlet
        arguments: dict[str, Any] = {}
        for name, parameter in inspect.signature(self.python_callable).parameters.items():
            if name == "self":
                arguments[name] = self.outlets[0]
            elif name == "context":
                arguments[name] = context
            elif parameter.default is inspect.Parameter.empty:
                found = known[name]
                arguments[name] = Asset(name=name) if isinstance(found, AssetRef) else found
        return arguments
