"""The arguments of each instance of a mapped task."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from .showing import show
from .wiring import Step

_START = datetime(2025, 1, 1, tzinfo=UTC)


class Two(BaseOperator):
    """Takes two arguments, the first of which is a template."""

    template_fields = ("x",)

    def __init__(self, *, x: Any = None, y: Any = "default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.x, self.y = x, y

    def execute(self, context: Any) -> Any:
        """Do nothing."""


def _skip(value: Any) -> Any:
    if value in (2, "a"):
        raise AirflowSkipException
    return value


_FUNCTIONS = {
    "twice": lambda value: value * 2,
    "text": lambda value: f"<{value}>",
    "first": lambda value: value[0],
    "skip": _skip,
    "dict": lambda value: {"x": value},
    "template": lambda value: "{{ 1 + 1 }}",
}


class _Instance:
    """As much of a task instance as rendering needs."""

    def __init__(self, task: Any, map_index: int, values: dict[str, Any]) -> None:
        self.task, self.map_index, self._values = task, map_index, values
        self.dag_id, self.run_id, self.task_id = "d", "r", task.task_id
        self._upstream_map_indexes: dict[str, int] = {}

    def xcom_pull(self, task_ids: Any = None, key: str = "return_value", default: Any = None, **_: Any) -> Any:
        """Return what a task returned."""
        found = self._values.get(task_ids)
        return default if found is None else found


def instances(case: dict[str, Any]) -> Any:
    """Return the arguments of the instances of a mapped task, or what is raised instead."""
    try:
        with DAG("d", schedule=None, start_date=_START) as dag:
            made = {name: Step(task_id=name) for name in case["values"]}
            partial = Two.partial(task_id="mapped", **case["partial"])
            if case["kwargs"] is not None:
                mapped = partial.expand_kwargs(_source(case["kwargs"], made), strict=case["strict"])
            else:
                mapped = partial.expand(**{name: _source(one, made) for name, one in case["expand"].items()})
    except Exception as error:
        return {"raises": type(error).__name__}
    return [_arguments(dag, mapped, index, case["values"]) for index in range(case["count"])]


def _arguments(dag: Any, mapped: Any, index: int, values: dict[str, Any]) -> Any:
    instance = _Instance(mapped, index, values)
    context = {
        "ti": instance,
        "task": mapped,
        "dag": dag,
        "dag_run": SimpleNamespace(conf={}),
        "params": {},
        "ds": "today",
    }
    try:
        mapped.render_template_fields(context)
        return [show(instance.task.x), show(instance.task.y)]
    except Exception as error:
        return {"raises": type(error).__name__}


def _source(given: Any, made: dict[str, Any]) -> Any:
    how, *rest = given
    if how == "value":
        return rest[0]
    if how == "task":
        return made[rest[0]].output
    if how == "list":
        return [_source(one, made) for one in rest]
    first, *others = [_source(one, made) for one in rest if isinstance(one, list)]
    if how == "map":
        return first.map(_FUNCTIONS[rest[1]])
    if how == "concat":
        return first.concat(*others)
    return first.zip(*others, **({"fillvalue": rest[-1]} if how == "zip_longest" else {}))
