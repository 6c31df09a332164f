"""What Gnomon did beside what Airflow did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.compat.examples.driving import Outcome
from tests.compat.examples.plan import Collection


class Difference(NamedTuple):
    """One place where the two disagree."""

    dag_id: str
    where: str
    airflow: str
    gnomon: str


class Compared(NamedTuple):
    """How much was compared."""

    dags: int
    runs: int
    task_instances: int
    xcoms: int


def differences(collection: Collection, airflow: dict[str, Outcome], gnomon: dict[str, Outcome]) -> list[Difference]:
    """Return every difference in runs, states, tries and XComs, in order."""
    return [
        found
        for dag_id in sorted(airflow)
        for found in _of_dag(collection, dag_id, airflow[dag_id], gnomon.get(dag_id))
        if not _is_of_the_clock(collection, found)
    ]


def _is_of_the_clock(collection: Collection, one: Difference) -> bool:
    """Whether only the time at which a task ran made it end otherwise."""
    _, _, place = one.where.partition(": ")
    task, _, what = place.partition(": ")
    chosen = what in ("state", "try", "XCom skipmixin_key")
    return chosen and bool({one.dag_id, f"{one.dag_id} {task}"} & collection.clocked.keys())


def count(airflow: dict[str, Outcome]) -> Compared:
    """Return how much a recording holds."""
    runs = [run for dag in airflow.values() for run in dag.values()]
    tasks = [task for run in runs for task in run["tasks"].values()]
    return Compared(len(airflow), len(runs), len(tasks), sum(len(task.get("xcoms", ())) for task in tasks))


def _of_dag(collection: Collection, dag_id: str, airflow: Outcome, gnomon: Outcome | None) -> Iterator[Difference]:
    if gnomon is None:
        yield Difference(dag_id, "the DAG", "there", "missing")
        return
    if "error" in gnomon:
        yield Difference(dag_id, "the DAG", "runs", gnomon["error"])
        return
    for run in sorted(airflow.keys() | gnomon.keys()):
        ours, theirs = gnomon.get(run), airflow.get(run)
        if ours is None or theirs is None:
            if f"{dag_id} {run}" in collection.loose:
                continue
            yield Difference(
                dag_id, run, theirs["state"] if theirs else "no such run", ours["state"] if ours else "no such run"
            )
            continue
        if ours["state"] != theirs["state"]:
            yield Difference(dag_id, f"{run}: state", theirs["state"], ours["state"])
        yield from _of_run(collection, dag_id, run, theirs["tasks"], ours["tasks"])


def _of_run(collection: Collection, dag_id: str, run: str, airflow: Outcome, gnomon: Outcome) -> Iterator[Difference]:
    if dag_id in collection.loose or f"{dag_id} {run}" in collection.loose:
        ours, theirs = (Counter(str(task["state"]) for task in tasks.values()) for tasks in (gnomon, airflow))
        if ours != theirs:
            yield Difference(dag_id, f"{run}: states", _counts(theirs), _counts(ours))
        return
    for name in sorted(airflow.keys() | gnomon.keys()):
        ours, theirs = gnomon.get(name), airflow.get(name)
        if ours is None or theirs is None:
            yield Difference(dag_id, f"{run}: {name}", _state(theirs), _state(ours))
            continue
        for what in ("state", "try"):
            if ours[what] != theirs[what]:
                yield Difference(dag_id, f"{run}: {name}: {what}", str(theirs[what]), str(ours[what]))
        if ours["state"] == theirs["state"]:
            yield from _of_xcoms(collection, dag_id, f"{run}: {name}", theirs.get("xcoms", {}), ours.get("xcoms", {}))


def _of_xcoms(
    collection: Collection, dag_id: str, where: str, airflow: dict[str, Any], gnomon: dict[str, Any]
) -> Iterator[Difference]:
    task = where.split(": ")[1].split("[", maxsplit=1)[0]
    for key in sorted(airflow.keys() | gnomon.keys()):
        names = {f"{dag_id}.{task}.{key}", f"{dag_id}.{task}", key}
        if names & collection.volatile.keys() and key in airflow and key in gnomon:
            continue
        as_text = str if collection.profile == 2 else lambda value: repr(_value(value))  # so says the API of Airflow 2
        ours, theirs = (as_text(found[key]) if key in found else "none" for found in (gnomon, airflow))
        if ours != theirs:
            yield Difference(dag_id, f"{where}: XCom {key}", _short(theirs), _short(ours))


def _value(value: Any) -> Any:
    """Return a value without what only its encoding says: version and form of an object, order of what has none."""
    if isinstance(value, list):
        return [_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__classname__")
    if kind is None:
        return {
            key: sorted(item) if key in ("skipped", "followed") else _value(item) for key, item in sorted(value.items())
        }
    if kind in ("builtins.set", "builtins.frozenset"):
        return {kind: sorted(map(repr, map(_value, value["__data__"])))}
    return {kind: _value(value["__data__"])} if kind == "builtins.tuple" else kind


def explained(collection: Collection, one: Difference) -> str | None:
    """Return why the two disagree, if the plan knows."""
    place = f"{one.dag_id} {one.where}:"
    return next((why for start, why in collection.known.items() if place.startswith((f"{start} ", f"{start}:"))), None)


def _state(task: dict[str, Any] | None) -> str:
    return str(task["state"]) if task else "no such task instance"


def _counts(states: Counter[str]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 160 else f"{text[:157]}…"
