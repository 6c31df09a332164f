"""Runs example DAGs through the REST API, and notes how they end: the same for real Airflow and for Gnomon."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

#: Of every run that the driver makes; a Tuesday after every start date of the examples.
LOGICAL_DATE = "2026-03-03T06:00:00Z"
RUN_ID = "compat"
#: XComs that Airflow 2 keeps for its own lineage.
_INTERNAL = {"pipeline_inlets", "pipeline_outlets"}
_FINAL = {"success", "failed"}
_PAGE = 100
#: Seconds that a run that should come is waited for.
_LATE = 15.0

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Unpause:
    """These DAGs are unpaused, in this order."""

    dags: tuple[str, ...]


@dataclass(frozen=True)
class Pause:
    """These DAGs are paused."""

    dags: tuple[str, ...]


@dataclass(frozen=True)
class Trigger:
    """A run is made."""

    dag_id: str
    conf: dict[str, Any] = field(default_factory=dict)
    partition_key: str | None = None


@dataclass(frozen=True)
class AssetEvent:
    """Somebody says that an asset was updated."""

    asset: str
    partition_key: str | None = None


@dataclass(frozen=True)
class Touch:
    """A file appears."""

    path: str


Step = Unpause | Pause | Trigger | AssetEvent | Touch


@dataclass(frozen=True)
class Answer:
    """What a human would say to a task that asks."""

    task_id: str
    chosen_options: tuple[str, ...]
    params_input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """What happens to some DAGs.

    Attributes:
        name: For messages.
        steps: Each begins when all runs that came of those before it are over.
        answers: Given by a human to the first DAG a moment after a task asks. (Airflow fails a task that gets its
            answer before the executor has told the scheduler that its process ended.)
        apart: What a DAG does when it is unpaused is over before it is triggered.
    """

    name: str
    steps: tuple[Step, ...]
    answers: tuple[Answer, ...] = ()
    apart: bool = False

    @property
    def dags(self) -> tuple[str, ...]:
        """All DAGs whose runs are noted."""
        return tuple(dict.fromkeys(dag_id for step in self.steps if isinstance(step, Unpause) for dag_id in step.dags))


class Api:
    """The public REST API of a deployment."""

    def __init__(self, base: str, headers: dict[str, str] | None = None, *, version: str = "v2") -> None:
        self.version = version
        self.client = httpx.Client(base_url=f"{base}/api/{version}", headers=headers, timeout=60)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the decoded answer.

        Raises:
            RuntimeError: it is an error; says which.
        """
        try:
            answer = self.client.request(method, path, **arguments)
        except httpx.TransportError:
            if method != "GET":
                raise
            answer = self.client.request(method, path, **arguments)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def all(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the elements of a list, page by page."""
        offset = 0
        while True:
            page = self.call("GET", path, params=params | {"limit": _PAGE, "offset": offset})[key]
            yield from page
            offset += len(page)
            if len(page) < _PAGE:
                return

    def dag_ids(self) -> set[str]:
        """Return what is there."""
        return {row["dag_id"] for row in self.all("/dags", "dags")}

    def import_errors(self) -> dict[str, str]:
        """Return file → error."""
        return {row["filename"]: row["stack_trace"] for row in self.all("/importErrors", "import_errors")}

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, trigger: Trigger) -> None:
        """Make the run."""
        body = {"dag_run_id": RUN_ID, "logical_date": LOGICAL_DATE, "conf": trigger.conf}
        if trigger.partition_key is not None:
            body |= {"partition_key": trigger.partition_key, "logical_date": None}
        self.call("POST", f"/dags/{trigger.dag_id}/dagRuns", json=body)

    def asset_event(self, event: AssetEvent) -> None:
        """Make the event."""
        found = [row["id"] for row in self.all("/assets", "assets") if row["name"] == event.asset]
        if not found:
            raise RuntimeError(f"there is no asset {event.asset}")
        body = {"asset_id": found[0]} | ({"partition_key": event.partition_key} if event.partition_key else {})
        self.call("POST", "/assets/events", json=body)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG in the order in which they were made."""
        return list(self.all(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="id"))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, mapped ones each."""
        return list(self.all(f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances", "task_instances"))

    def xcoms(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
        """Return key → value of what a task instance pushed."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries"
        found = {}
        for entry in self.all(path, "xcom_entries", map_index=map_index):
            if entry["map_index"] == map_index and entry["key"] not in _INTERNAL:
                one = self.call("GET", f"{path}/{quote(entry['key'], safe='')}", params={"map_index": map_index})
                found[entry["key"]] = one["value"]
        return found

    def asks(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Return whether a task has asked a human."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/-1/hitlDetails"
        return self.client.get(path).status_code != 404

    def answer(self, dag_id: str, run_id: str, answer: Answer) -> None:
        """Answer a task that asks."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{answer.task_id}/-1/hitlDetails"
        body = {"chosen_options": list(answer.chosen_options), "params_input": answer.params_input}
        self.call("PATCH", path, json=body)


def run_all(
    api: Api,
    scenarios: list[Scenario],
    *,
    at_once: int,
    settle: float,
    patience: float,
    expected: dict[str, Outcome] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Outcome]:
    """Run all scenarios and return DAG → run → how it ended.

    Args:
        api: The deployment.
        scenarios: Each DAG is in one of them at most.
        at_once: How many run side by side.
        settle: Seconds without any new run or state after which a scenario is over.
        patience: Seconds after which it is taken as it is.
        expected: How they should end; runs that should come are waited for a little longer.
        say: Told about each that is over.
    """
    outcomes: dict[str, Outcome] = {}
    lock = threading.Lock()

    def one(scenario: Scenario) -> None:
        began = time.monotonic()
        try:
            found = _run(api, scenario, settle, patience, expected or {})
        except (RuntimeError, httpx.HTTPError) as error:
            found = {dag_id: {"error": str(error)} for dag_id in scenario.dags}
        with lock:
            outcomes.update(found)
            say(f"{len(outcomes):4} {time.monotonic() - began:6.1f} s {scenario.name}: {_brief(found)}")

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, scenarios))
    return dict(sorted(outcomes.items()))


def _brief(outcomes: dict[str, Outcome]) -> str:
    parts = []
    for dag_id, runs in outcomes.items():
        states = runs.get("error") or ", ".join(f"{name} {run['state']}" for name, run in runs.items())
        parts.append(f"{dag_id} [{states}]" if len(outcomes) > 1 else str(states))
    return "; ".join(parts)


def _run(
    api: Api, scenario: Scenario, settle: float, patience: float, expected: dict[str, Outcome]
) -> dict[str, Outcome]:
    deadline = time.monotonic() + patience
    last = len(scenario.steps) - 1
    for number, step in enumerate(scenario.steps):
        _take(api, step)
        # One DAG that is unpaused and triggered has nothing in between to wait for, and events come in bursts.
        burst = isinstance(step, AssetEvent) and isinstance(scenario.steps[min(number + 1, last)], AssetEvent)
        if number == last or ((scenario.apart or len(scenario.steps) > 2) and not burst):
            _wait(api, scenario, settle, deadline, expected if number == last else {})
    for dag_id in scenario.dags:
        api.pause(dag_id, paused=True)
    return {dag_id: _note(api, dag_id) for dag_id in scenario.dags}


def _take(api: Api, step: Step) -> None:
    match step:
        case Unpause(dags) | Pause(dags):
            for dag_id in dags:
                api.pause(dag_id, paused=isinstance(step, Pause))
        case Trigger():
            api.trigger(step)
        case AssetEvent():
            api.asset_event(step)
        case Touch(path):
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).touch()


def _wait(api: Api, scenario: Scenario, settle: float, deadline: float, expected: dict[str, Outcome]) -> None:
    """Wait until every run is over, none was added for `settle` seconds, and there are as many as expected."""
    before: dict[str, list[Any]] = {}
    since = time.monotonic()
    asked: dict[str, float] = {}
    while time.monotonic() < deadline:
        now = {
            dag_id: [(run["dag_run_id"], run["state"]) for run in _noted(api, dag_id).values()]
            for dag_id in scenario.dags
        }
        for answer in scenario.answers:
            if answer.task_id not in asked and api.asks(scenario.dags[0], RUN_ID, answer.task_id):
                asked[answer.task_id] = time.monotonic() + settle
            if asked.get(answer.task_id, math.inf) < time.monotonic():
                api.answer(scenario.dags[0], RUN_ID, answer)
                asked[answer.task_id] = math.inf
        if now != before:
            before, since = now, time.monotonic()
        over = all(
            state in _FINAL or (run_id == RUN_ID and _is_as_far(api, dag_id, expected))
            for dag_id, runs in now.items()
            for run_id, state in runs
        )
        enough = all(len(now[dag_id]) >= len(expected.get(dag_id, ())) for dag_id in now)
        enough = enough or time.monotonic() - since > _LATE
        if over and enough and time.monotonic() - since >= settle:
            return
        time.sleep(0.3 if settle < 5 else 1.0)


def _is_as_far(api: Api, dag_id: str, expected: dict[str, Outcome]) -> bool:
    """Return whether an unfinished run has come as far as one that was recorded unfinished."""
    recorded = expected.get(dag_id, {}).get("made", {"state": "success"})
    if recorded["state"] in _FINAL:
        return False
    there = {name: task["state"] for name, task in recorded["tasks"].items()}
    return {_name(row): row["state"] for row in api.task_instances(dag_id, RUN_ID)} == there


def _name(row: dict[str, Any]) -> str:
    return row["task_id"] if row["map_index"] < 0 else f"{row['task_id']}[{row['map_index']}]"


def _noted(api: Api, dag_id: str) -> dict[str, dict[str, Any]]:
    """Return the runs of a DAG, without scheduled ones after the first: how many there are depends on the time of day."""
    found: dict[str, dict[str, Any]] = {}
    for run in api.runs(dag_id):
        kind = run["run_type"].replace("dataset_", "asset_")  # Airflow 2 called assets datasets
        if run["dag_run_id"] == RUN_ID:
            key = "made"
        elif run.get("partition_key") is not None and kind != "scheduled":
            key = f"{kind} {run['partition_key']}"  # those of one burst come in any order
        else:
            key = f"{kind} {sum(known.startswith(kind) for known in found) + 1}"
        if not key.startswith("scheduled ") or key == "scheduled 1":
            found[key] = run
    return found


def _note(api: Api, dag_id: str) -> Outcome:
    outcome: Outcome = {}
    for key, run in _noted(api, dag_id).items():
        tasks = {}
        for row in api.task_instances(dag_id, run["dag_run_id"]):
            name, index = _name(row), row["map_index"]
            tasks[name] = {"state": row["state"], "try": row["try_number"]}
            if key == "made" and row["state"] is not None:
                xcoms = api.xcoms(dag_id, run["dag_run_id"], row["task_id"], index)
                tasks[name] |= {"xcoms": dict(sorted(xcoms.items()))} if xcoms else {}
        outcome[key] = {"state": run["state"], "tasks": dict(sorted(tasks.items()))}
    return dict(sorted(outcome.items()))
