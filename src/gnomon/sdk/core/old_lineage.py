"""The lineage decorators and backend of Airflow 2: they can be imported and used, and nothing is collected by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Stands for "the outlets of what is upstream" in inlets.
AUTO = "auto"
PIPELINE_OUTLETS = "pipeline_outlets"
PIPELINE_INLETS = "pipeline_inlets"


class LineageBackend:
    """What `[lineage] backend` extended."""

    def send_lineage(self, operator: Any, inlets: Any = None, outlets: Any = None, context: Any = None) -> None:
        """Send lineage; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define send_lineage()")


def get_backend() -> LineageBackend | None:
    """Return nothing: Airflow 3 has no lineage backends; plugins read what hooks collect."""
    return None


def prepare_lineage(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function: it prepared the inlets, which nothing reads any more."""
    return function


def apply_lineage(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function: it sent inlets and outlets to a backend, which there is none of any more."""
    return function
