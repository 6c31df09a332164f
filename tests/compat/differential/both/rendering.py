"""Templates: what a field becomes in a context."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import jinja2

from airflow.sdk import DAG, literal, macros

from .showing import show
from .wiring import Step

_START = datetime(2025, 1, 1, tzinfo=UTC)


class _Thing:
    __module__ = "things"
    name = "thing"
    _one = "kept from nobody"

    def __str__(self) -> str:
        return "a thing"


def _context(case: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(case["moment"])
    return {
        "logical_date": moment,
        "ds": moment.strftime("%Y-%m-%d"),
        "day": date(2024, 2, 29),
        "delta": timedelta(hours=1),
        "params": {"x": 1, "name": "täxt", "list": [1, 2, 3], "nested": {"a": {"b": "c"}}},
        "macros": macros,
        "thing": _Thing(),
        "none": None,
        "text": case["text"],
        "number": case["number"],
        "flag": True,
    }


def rendered(case: dict[str, Any]) -> Any:
    """Return what `render_template_fields` makes of a field."""
    dag = DAG(
        "d",
        schedule=None,
        start_date=_START,
        render_template_as_native_obj=case["native"],
        user_defined_macros={"shout": str.upper, "answer": 42},
        user_defined_filters={"twice": lambda value: value * 2},
        template_undefined=jinja2.Undefined if case["lenient"] else jinja2.StrictUndefined,
        **({"jinja_environment_kwargs": {"keep_trailing_newline": True}} if case["newline"] else {}),
    )
    task = Step(task_id="t", dag=dag, x=_built(case["field"]))
    try:
        task.render_template_fields(_context(case))
    except Exception as error:
        return {"raises": type(error).__name__}
    return show(task.x)


def _built(field: Any) -> Any:
    """Return a field with the collections that JSON does not have."""
    if isinstance(field, list):
        kind, *items = field
        built = [_built(item) for item in items]
        if kind == "literal":
            return literal(built[0])
        return {"list": list, "tuple": tuple, "set": lambda some: {json.dumps(show(item)) for item in some}}[kind](
            built
        )
    if isinstance(field, dict):
        return {key: _built(item) for key, item in field.items()}
    return field
