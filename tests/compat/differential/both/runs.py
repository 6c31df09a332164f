"""DAGs with mapped tasks, mapped groups, setups and teardowns, as an author writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, task_group

from .wiring import Step

_START = datetime(2025, 1, 1, tzinfo=UTC)


def build(case: dict[str, Any]) -> DAG:
    """Return the DAG of a case."""
    with DAG("d", schedule=None, start_date=_START) as dag:
        made: list[Any] = [None] * len(case["tasks"])
        members: dict[str, list[int]] = {}
        for number, spec in enumerate(case["tasks"]):
            if spec["group"] is not None:
                members.setdefault(spec["group"], []).append(number)
            else:
                made[number] = _task(number, spec, made)
        for name, numbers in members.items():
            _group(name, case["groups"][name], numbers, case, made)
        for number, spec in enumerate(case["tasks"]):
            for up in spec["upstream"]:
                made[up] >> made[number]
            if spec["setup"]:
                made[number].as_setup()
            if spec["teardown"]:
                made[number].as_teardown(on_failure_fail_dagrun=spec["fails_run"])
    dag.check_cycle()
    dag.validate_setup_teardown()
    return dag


def _task(number: int, spec: dict[str, Any], made: list[Any], x: Any = None) -> Any:
    arguments = {"task_id": f"t{number}", "trigger_rule": spec["rule"]}
    if spec["expand"] is None:
        return Step(**arguments, x=x)
    return Step.partial(**arguments).expand(x=_source(spec["expand"], made))


def _source(expand: Any, made: list[Any]) -> Any:
    """Return a list of a length, the result of a task, or several of them zipped or joined."""
    if isinstance(expand, int):
        return [0] * expand
    how, *sources = expand
    first, *others = [made[source].output for source in sources]
    if how == "zip":
        return first.zip(*others)
    if how == "zip_longest":
        return first.zip(*others, fillvalue=0)
    if how == "concat":
        return first.concat(*others)
    return first.map(_same) if how == "map" else first


def _same(value: Any) -> Any:
    return value


def _group(name: str, expand: Any, numbers: list[int], case: dict[str, Any], made: list[Any]) -> None:
    @task_group(group_id=name)
    def body(v: Any) -> None:
        for number in numbers:
            made[number] = _task(number, case["tasks"][number], made, x=v)

    if expand is None:
        body(0)
    else:
        body.expand(v=_source(expand, made))


def subsets(case: dict[str, Any]) -> Any:
    """Return the tasks of partial DAGs."""
    try:
        dag = build(case)
    except Exception as error:
        return {"raises": type(error).__name__}
    ids = sorted(dag.task_ids)
    found = []
    for choice in case["choices"]:
        chosen = [ids[choice["which"] % len(ids)], ids[(choice["length"] or 0) % len(ids)]]
        for down, up in ((False, False), (True, False), (False, True), (True, True)):
            part = dag.partial_subset(chosen, include_downstream=down, include_upstream=up)
            found.append(sorted(part.task_ids))
    return found
