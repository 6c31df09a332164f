"""The example DAGs of Airflow's wheels: all parse, and all that need nothing from outside end as in real Airflow."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.compat.environments import Environment
from tests.compat.examples import plan
from tests.compat.examples.comparison import Difference, count, differences, explained
from tests.compat.examples.driving import Api, Outcome, run_all
from tests.compat.examples.gnomon_side import running_gnomon

_PATIENCE = 120.0


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", plan.COLLECTIONS)
def test_all_parse_and_end_as_in_airflow(name, compat_results):
    collection = plan.COLLECTIONS[name]
    recorded = collection.recorded()
    with running_gnomon(collection) as (api, _):
        errors, found = _run(api, collection, recorded, settle=2.5)
    _note(compat_results, collection, recorded, errors, found)
    _agree(collection, errors, found)


@pytest.mark.quick
def test_dags_of_our_own_end_as_in_airflow():
    recorded = plan.OWN.recorded()
    with running_gnomon(plan.OWN, Environment(Path(sys.prefix))) as (api, _):
        errors, found = _run(api, plan.OWN, recorded, settle=0.2)
    _agree(plan.OWN, errors, found)


@pytest.mark.quick
@pytest.mark.parametrize("name", plan.COLLECTIONS)
def test_the_recordings_hold_what_the_plan_runs(name):
    collection = plan.COLLECTIONS[name]
    recorded = collection.recorded()
    planned = {dag_id for scenario in collection.scenarios(set(recorded["dag_ids"])) for dag_id in scenario.dags}

    assert planned == set(recorded["dags"])
    assert [dag_id for dag_id, outcome in recorded["dags"].items() if "error" in outcome] == []
    assert {name.split()[0] for name in (*collection.loose, *collection.clocked, *collection.known)} <= planned


def _run(
    api: Api, collection: plan.Collection, recorded: dict[str, Any], *, settle: float
) -> tuple[dict[str, str], list[Difference]]:
    """Return the errors of files, and where the runs differ from what was recorded."""
    known = _wait_for(api, set(recorded["dag_ids"]))
    errors = {path: error for path, error in api.import_errors().items() if not _fails_there_too(path, recorded)}
    expected = recorded["dags"]
    scenarios = [scenario for scenario in collection.scenarios(known) if set(scenario.dags) & set(expected)]
    seen = run_all(
        api, scenarios, at_once=16, settle=settle, patience=_PATIENCE, expected=expected, say=lambda line: None
    )
    return errors, differences(collection, expected, seen)


def _agree(collection: plan.Collection, errors: dict[str, str], found: list[Difference]) -> None:
    assert not errors, f"these files cannot be parsed: {errors}"
    unexplained = [_line(one) for one in found if explained(collection, one) is None]
    assert not unexplained, "\n".join(unexplained)


def _fails_there_too(path: str, recorded: dict[str, Any]) -> bool:
    return path.rsplit("/", 1)[-1] in recorded["import_errors"]


def _wait_for(api: Api, wanted: set[str], seconds: float = 60) -> set[str]:
    """Wait until all DAGs are there, or nothing new comes."""
    known: set[str] = set()
    changed = time.monotonic()
    while not wanted <= known and time.monotonic() - changed < seconds / (2 if known else 1):
        now = api.dag_ids()
        if now != known:
            known, changed = now, time.monotonic()
        time.sleep(0.2)
    return known


def _line(one: Difference) -> str:
    return f"{one.dag_id}: {one.where}: Airflow {one.airflow}, Gnomon {one.gnomon}"


def _note(
    compat_results: Any,
    collection: plan.Collection,
    recorded: dict[str, Outcome],
    errors: dict[str, str],
    found: list[Difference],
) -> None:
    title = collection.title
    files = collection.files()
    valid = [path for path in files if not _fails_there_too(path, recorded)]
    compared = count(recorded["dags"])
    different = {one.dag_id for one in found}
    compat_results.figure(f"{title}: files that parse", len(valid) - len(errors), of=len(valid))
    compat_results.figure(f"{title}: DAGs that end as in Airflow", compared.dags - len(different), of=compared.dags)
    compat_results.figure(
        f"{title}: compared",
        f"{compared.runs} runs, {compared.task_instances} task instances, {compared.xcoms} XComs",
    )
    compat_results.table(f"{title}: not run", ["DAG", "why"], sorted(collection.left_out.items()))
    compat_results.table(
        f"{title}: differences",
        ["DAG", "where", "Airflow", "Gnomon", "why"],
        [(*one, explained(collection, one) or "") for one in found],
    )
    compat_results.table(
        f"{title}: compared by counts of states only", ["DAG", "why"], sorted(collection.loose.items())
    )
    compat_results.table(
        f"{title}: not compared, because it depends on the time", ["DAG or task", "why"], sorted(collection.clocked.items())
    )
