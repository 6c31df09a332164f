"""Moments and deferral defaults that several sensors share."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.settings import setting


def default_deferrable(given: bool | None) -> bool:
    """Return whether a sensor defers: as given, or `[operators] default_deferrable`."""
    return bool(setting("operators", "default_deferrable", False)) if given is None else given


def base_time(context: Any) -> Any:
    """Return the end of the data interval, or when the run was due if it has none."""
    end = context.get("data_interval_end")
    return end if end is not None else context["dag_run"].run_after
