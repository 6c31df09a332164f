"""Params: schemas and values."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, ParamsDict

from .showing import attempt, show


def checked(case: dict[str, Any]) -> Any:
    """Return what a Param says of its default and of values for it."""
    arguments = dict(case["schema"])
    if case["has_default"]:
        arguments["default"] = case["default"]
    try:
        param = Param(**arguments)
    except Exception as error:
        return {"raises": type(error).__name__}
    return {
        "has_value": param.has_value,
        "dump": show(param.dump()),
        "resolve": attempt(param.resolve),
        "values": [attempt(param.resolve, value) for value in case["values"]],
        "forgiving": [attempt(lambda value=value: param.resolve(value, suppress_exception=True)) for value in case["values"]],
    }  # fmt: skip


def together(case: dict[str, Any]) -> Any:
    """Return what becomes of several params, one after another set to other values."""
    try:
        params = ParamsDict({name: Param(default, **schema) for name, default, schema in case["params"]})
    except Exception as error:
        return {"raises": type(error).__name__}
    steps = []
    for name, value in case["set"]:
        steps.append(attempt(params.__setitem__, name, value))
        steps.append(attempt(params.dump))
    return {"steps": steps, "valid": attempt(params.validate), "names": sorted(params)}
