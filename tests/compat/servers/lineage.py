"""OpenLineage's events of the DAGs in dags/lineage.py, in a form that two deployments can be compared in.

`python -m tests.compat.servers.lineage` records those of a real Airflow 3.3.2 in `lineage-recorded.json`; takes a minute.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("lineage-recorded.json")
LOGICAL_DATE = "2026-03-03T06:00:00Z"
NAMESPACE = "trains"
#: DAG → its events, once all is over
DAGS = ("lineage", "lineage_child", "lineage_of_asset")

Events = dict[str, dict[str, Any]]

#: What differs from one run to the next.
_VOLATILE = {"eventTime", "run_after", "start_date", "end_date", "duration", "log_url", "stackTrace", "dag_version_id"}
_VOLATILE |= {"asset_event_id", "asset_id"}
_SUBSTITUTIONS = [
    (re.compile(r"unusual_prefix_[0-9a-f]{40}_"), ""),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\bt\d+\.public"), "DATABASE.public"),
    (re.compile(r"^/.*(?=/dags/lineage\.py)"), "HOME"),
    (re.compile(r"^asset_triggered__.*"), "asset_triggered__…"),
    (re.compile(rf"^20\d\d-(?!{LOGICAL_DATE[5:10]})\d\d-\d\dT.*"), "…"),
]
_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def transport(file: Path) -> dict[str, str]:
    """Return environment variables that make the provider write its events into a file, a line each."""
    settings = {"type": "file", "log_file_path": str(file), "append": True}
    return {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(settings), "AIRFLOW__OPENLINEAGE__NAMESPACE": NAMESPACE}


def whole(file: Path) -> bool:
    """Say whether each DAG's last event is in a file."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    over = {event["job"]["name"] for event in events if event["eventType"] in ("COMPLETE", "FAIL")}
    return over.issuperset(DAGS)


def events_of(file: Path) -> Events:
    """Return the events of a file by job, type and number."""
    found = defaultdict(list)
    for line in file.read_text().splitlines():
        event = json.loads(line)
        found[event["job"]["name"], event["eventType"]].append(event)
    named = {}
    for (job, kind), events in sorted(found.items()):
        # Instances of a mapped task come in any order.
        for number, event in enumerate(sorted(events, key=lambda event: (event["run"]["runId"], event["eventTime"]))):
            # The id of the run that the asset starts comes from the time.
            named[f"{job} {kind} {number + 1}"] = _plain(event, ids=not job.startswith("lineage_of_asset"))
    return named


def _plain(value: Any, *, ids: bool, key: str = "") -> Any:
    if key in _VOLATILE and value is not None:
        return "…"
    if key == "tasksDuration":
        return dict.fromkeys(value, "…")
    if isinstance(value, dict):
        return {name: _plain(one, ids=ids, key=name) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, ids=ids) for one in value]
    if not isinstance(value, str):
        return value
    if value.startswith("[") and key in ("tags", "downstream_task_ids", "upstream_task_ids"):
        return str(sorted(ast.literal_eval(value)))
    if not ids and _UUID.match(value):
        return "…"
    for pattern, instead in _SUBSTITUTIONS:
        value = pattern.sub(instead, value)
    return value


#: Where Gnomon says something else, and why.
EXPLAINED = {
    r".*\.dag\.schedule_interval|.*\.dagRun\.(execution_date|external_trigger)": "has the names of Airflow 2 in every profile",
    r".*\.dag\.timetable\b.*": "the timetable of a schedule of assets is not written out",
    r".*\.mapped": "an attribute that is private to Airflow's operators",
    r".*\.taskInstance\.(duration|pool)": "known here when the event is made, and not in Airflow",
    r".*\.dagRun\.dag_(bundle_name|version_id|version_number)": "a run that listeners are told of does not name its DAG's version",
    r".*\.dagRun\.triggering_user_name": "a run that a task triggers has no user; Airflow's has that of the task's run",
    r".*\.jobDependencies\b.*": "the provider reads the events of assets from the metadata database",
}


def explanation(place: str) -> str | None:
    """Return why a place differs, if that is known."""
    return next((why for pattern, why in EXPLAINED.items() if re.fullmatch(pattern, place)), None)


def differences(recorded: Events, seen: Events) -> Iterator[tuple[str, str, str, str]]:
    """Yield event, place, what Airflow said there and what Gnomon says."""
    for name in sorted(recorded | seen):
        left, right = (dict(_leaves(events.get(name, {}))) for events in (recorded, seen))
        if not left or not right:
            yield name, "", "has it" if left else "none", "has it" if right else "none"
            continue
        for place in sorted(left | right):
            if left.get(place, "none") != right.get(place, "none"):
                yield name, place, str(left.get(place, "none")), str(right.get(place, "none"))


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(one, f"{place}.{name}" if place else str(name))
    else:
        yield place, value


def record() -> None:
    """Run the DAGs in a real Airflow and write what it told."""
    from types import SimpleNamespace

    from tests.compat.environments import environment
    from tests.compat.examples.driving import Trigger
    from tests.compat.record_airflow import running_airflow
    from tests.compat.servers.requirements import OPENLINEAGE
    from tests.fixtures.postgresql_server import running_postgresql

    providers = [f"apache-airflow-providers-{name}" for name in ("common-io", "common-sql", "postgres", "standard")]
    airflow = environment("airflow-3.3.2-lineage", ["apache-airflow==3.3.2", OPENLINEAGE, *providers, "asyncpg"])

    def fill(home: Path) -> None:
        (home / "dags").mkdir()
        shutil.copy(Path(__file__).parent / "dags/lineage.py", home / "dags")

    collection: Any = SimpleNamespace(profile=3, bundled=False, fill=fill)
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as server:
        file = Path(folder, "events.jsonl")
        settings = transport(file) | {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW_CONN_WAREHOUSE": f"postgres://postgres:secret@127.0.0.1:{server.port}/{server.create()}",
        }
        with running_airflow(collection, airflow, **settings) as api:
            while len(api.dag_ids()) < len(DAGS):
                time.sleep(1)
            api.trigger(Trigger("lineage", {"day": "Tuesday"}))
            while not whole(file):
                time.sleep(1)
        events = events_of(file)
    RECORDED.write_text(json.dumps(events, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{RECORDED.name}: {len(events)} events")


if __name__ == "__main__":
    record()
