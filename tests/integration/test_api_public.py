"""REST v2 on real databases: paths, field names, filters, pages and errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gnomon.api.public.app import create_app
from gnomon.service import task_logs
from gnomon.service.config import conf
from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.store.records import Connection
from tests.fixtures.api_data import DAY, NOW, add_dag, add_run, add_ti, tea

R1 = "/dags/tea/dagRuns/r1"
TIS = f"{R1}/taskInstances"


class Client:
    """Sends requests to an app in this process."""

    def __init__(self, app: Any, prefix: str = "/api/v2") -> None:
        self.app, self.prefix = app, prefix
        self.headers: dict[str, str] = {}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                headers = {**self.headers, **options.pop("headers", {})}
                return await client.request(method, f"{self.prefix}{path}", headers=headers, **options)

        return asyncio.run(request())

    def ok(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        response = self.send(method, path, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        return self.ok("GET", path, params=params)

    def refused(self, status: int, method: str, path: str, **options: Any) -> Any:
        response = self.send(method, path, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        assert "Traceback" not in response.text
        assert list(response.json()) == ["detail"]
        return response.json()["detail"]


@pytest.fixture
def api(kettle: Store) -> Iterator[Client]:
    conf.set("core", "simple_auth_manager_all_admins", "True")
    yield Client(create_app(kettle))


def ids(rows: list[dict[str, Any]], key: str) -> list[Any]:
    return [row[key] for row in rows]


# ------------------------------------------------------------------------------------------ health and version


def test_health_says_of_each_part_whether_it_lives(api: Client, kettle: Store) -> None:
    health = api.get("/monitor/health")
    assert health == {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }
    from gnomon.service import clock

    kettle.jobs.start("SchedulerJob", hostname="h", pid=1, now=clock.now())
    kettle.jobs.start("TriggererJob", hostname="h", pid=1, now=clock.now() - timedelta(hours=1))
    health = api.get("/monitor/health")
    assert health["scheduler"]["status"] == "healthy"
    assert health["triggerer"]["status"] == "unhealthy"


def test_version_is_that_of_the_airflow_that_it_behaves_like(api: Client) -> None:
    assert api.get("/version")["version"].startswith("3.3")


# --------------------------------------------------------------------------------------------------------- DAGs


def test_dags_have_all_fields_of_airflow(api: Client) -> None:
    found = api.get("/dags")
    assert found["total_entries"] == 1
    dag = found["dags"][0]
    assert dag["tags"] == [{"name": n, "dag_id": "tea", "dag_display_name": "tea"} for n in ("hot", "leaf")]
    assert dag["owners"] == ["ann", "bob"]
    assert dag["is_backfillable"] is True
    assert dag["timetable_summary"] == "0 0 * * *"
    assert dag["has_task_concurrency_limits"] is False
    assert set(dag) == {
        *("dag_id", "dag_display_name", "is_paused", "is_stale", "last_parsed_time", "last_parse_duration"),
        *("last_expired", "bundle_name", "bundle_version", "relative_fileloc", "fileloc", "description"),
        *("timetable_summary", "timetable_description", "timetable_partitioned", "timetable_periodic", "tags"),
        *("max_active_tasks", "max_active_runs", "max_consecutive_failed_dag_runs", "has_task_concurrency_limits"),
        *("has_import_errors", "next_dagrun_logical_date", "next_dagrun_data_interval_start", "owners"),
        *("next_dagrun_data_interval_end", "next_dagrun_run_after", "allowed_run_types", "is_backfillable"),
        "file_token",
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["coffee", "tea"]),
        ({"order_by": "-dag_id"}, ["tea", "coffee"]),
        ({"limit": 1}, ["coffee"]),
        ({"limit": 1, "offset": 1}, ["tea"]),
        ({"dag_id_pattern": "%EA%"}, ["tea"]),
        ({"dag_id_pattern": "e%e"}, ["coffee"]),
        ({"dag_id_pattern": "tea|coff"}, ["coffee", "tea"]),
        ({"dag_id_prefix_pattern": "te"}, ["tea"]),
        ({"dag_id_prefix_pattern": "Te"}, []),
        ({"dag_id_prefix_pattern": "ea|co"}, ["coffee"]),
        ({"tags": "hot"}, ["tea"]),
        ({"tags": ["hot", "bean"]}, ["coffee", "tea"]),
        ({"tags": ["hot", "bean"], "tags_match_mode": "all"}, []),
        ({"tags": ["hot", "leaf"], "tags_match_mode": "all"}, ["tea"]),
        ({"owners": "bob"}, ["tea"]),
        ({"paused": "true"}, ["coffee"]),
        ({"last_dag_run_state": "running"}, ["tea"]),
        ({"dag_run_state": "success"}, ["tea"]),
        ({"timetable_type": ["null"]}, ["coffee"]),
        ({"dag_run_start_date_gte": "2026-03-02T00:00:00Z"}, ["tea"]),
        ({"dag_run_end_date_gte": "2026-03-02T00:00:00Z"}, []),
        ({"is_favorite": "true"}, []),
        ({"has_asset_schedule": "false"}, ["coffee", "tea"]),
    ],
)
def test_dags_are_filtered_ordered_and_paged(
    api: Client, kettle: Store, params: dict[str, Any], expected: list[str]
) -> None:
    from gnomon.wire.dag import TimetableSpec

    add_dag(kettle, tea("coffee", tags=["bean"], owners=["cleo"], timetable=TimetableSpec(kind="null")))
    kettle.dags.set_paused("coffee", True)
    found = api.get("/dags", **params)
    assert ids(found["dags"], "dag_id") == expected
    assert found["total_entries"] == (2 if "limit" in params else len(expected))


def test_stale_dags_are_left_out_unless_asked_for(api: Client, kettle: Store) -> None:
    with kettle.database.write() as conn:
        conn.execute(t.dag.update().values(is_stale=True))
    assert api.get("/dags")["dags"] == []
    assert ids(api.get("/dags", exclude_stale="false")["dags"], "dag_id") == ["tea"]


def test_dag_details_tasks_versions_and_source(api: Client) -> None:
    details = api.get("/dags/tea/details")
    assert details["params"]["cups"] == {
        "value": 2,
        "schema": {"type": "integer", "minimum": 1},
        "description": None,
        "source": None,
    }
    assert details["concurrency"] == details["max_active_tasks"]
    assert details["active_runs_count"] == 1
    assert details["latest_dag_version"]["version_number"] == 1
    assert details["start_date"] == "2026-01-01T00:00:00Z"
    tasks = api.get("/dags/tea/tasks", order_by="-task_id")["tasks"]
    assert ids(tasks, "task_id") == ["kitchen.pour", "drink", "boil"]
    drink = api.get("/dags/tea/tasks/drink")
    assert drink["execution_timeout"] == {"__type": "TimeDelta", "days": 0, "seconds": 90, "microseconds": 500000}
    assert api.get("/dags/tea/tasks/boil")["downstream_task_ids"] == ["kitchen.pour"]
    versions = api.get("/dags/tea/dagVersions")
    assert (versions["total_entries"], versions["dag_versions"][0]["bundle_name"]) == (1, "dags")
    assert api.get("/dags/tea/dagVersions/1") == versions["dag_versions"][0]
    assert api.get("/dagSources/tea")["content"] == "# tea\n"
    text = api.send("GET", "/dagSources/tea", headers={"Accept": "text/plain"})
    assert text.text == "# tea\n"
    for path in ("/dags/milk", "/dags/milk/details", "/dags/milk/tasks", "/dags/tea/tasks/x", "/dagSources/milk"):
        api.refused(404, "GET", path)
    api.refused(404, "GET", "/dags/tea/dagVersions/9")
    api.refused(400, "GET", "/dags/tea/tasks", params={"order_by": "colour"})


def test_tags_stats_and_warnings(api: Client) -> None:
    assert api.get("/dagTags") == {"tags": ["hot", "leaf"], "total_entries": 2}
    assert api.get("/dagTags", tag_name_pattern="ea", order_by="-name")["tags"] == ["leaf"]
    stats = api.get("/dagStats", dag_ids=["tea"])["dags"][0]["stats"]
    assert stats == [
        {"state": "queued", "count": 1},
        {"state": "running", "count": 1},
        {"state": "success", "count": 1},
        {"state": "failed", "count": 0},
    ]
    assert ids(api.get("/dagWarnings", dag_id="tea")["dag_warnings"], "message") == ["odd"]


def test_pausing_deleting_and_favourites(api: Client, kettle: Store) -> None:
    assert api.ok("PATCH", "/dags/tea", json={"is_paused": True})["is_paused"] is True
    assert kettle.dags.get("tea").is_paused  # type: ignore[union-attr]
    assert api.ok("PATCH", "/dags", json={"is_paused": False})["dags"] == []  # no pattern, no DAG
    some = api.ok("PATCH", "/dags", params={"dag_id_pattern": "~"}, json={"is_paused": False})
    assert ids(some["dags"], "is_paused") == [False]
    api.refused(400, "PATCH", "/dags/tea", params={"update_mask": "owners"}, json={"is_paused": True})
    api.refused(422, "PATCH", "/dags/tea", json={"is_paused": "perhaps"})
    api.refused(422, "PATCH", "/dags/tea", json={"is_paused": True, "colour": "red"})
    api.refused(404, "PATCH", "/dags/milk", json={"is_paused": True})
    api.ok("POST", "/dags/tea/favorite", status=204)
    assert ids(api.get("/dags", is_favorite="true")["dags"], "dag_id") == ["tea"]
    assert api.get("/dags/tea/details")["is_favorite"] is True
    api.ok("POST", "/dags/tea/unfavorite", status=204)
    assert api.get("/dags", is_favorite="true")["dags"] == []
    api.refused(409, "DELETE", "/dags/tea")  # a task is running
    with kettle.database.write() as conn:
        conn.execute(t.task_instance.update().values(state="success"))
    api.ok("DELETE", "/dags/tea", status=204)
    api.refused(404, "GET", "/dags/tea")


# --------------------------------------------------------------------------------------------------------- runs


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["r1", "r2", "r3"]),
        ({"order_by": "-run_after"}, ["r3", "r2", "r1"]),
        ({"order_by": ["state", "-dag_run_id"]}, ["r3", "r2", "r1"]),
        ({"state": "running"}, ["r2"]),
        ({"state": ["running", "queued"]}, ["r2", "r3"]),
        ({"logical_date_gte": "2026-03-02T12:00:00Z"}, ["r2", "r3"]),
        ({"logical_date_gt": "2026-03-02T12:00:00+00:00"}, ["r3"]),
        ({"run_after_lt": "2026-03-02T12:00:00"}, ["r1"]),
        ({"start_date_lte": "2026-03-01T13:00:00+01:00"}, ["r1"]),
        ({"duration_gte": 30}, ["r1"]),
        ({"duration_gt": 30}, []),
        ({"run_id_pattern": "R_"}, ["r1", "r2", "r3"]),
        ({"run_id_prefix_pattern": "r2|r3"}, ["r2", "r3"]),
        ({"run_type": "manual"}, []),
        ({"dag_version": 1}, ["r1", "r2", "r3"]),
        ({"dag_version": 2}, []),
        ({"conf_contains": "100%"}, []),
        ({"limit": 2, "offset": 2}, ["r3"]),
    ],
)
def test_runs_are_filtered_ordered_and_paged(api: Client, params: dict[str, Any], expected: list[str]) -> None:
    for dag_id in ("tea", "~"):
        found = api.get(f"/dags/{dag_id}/dagRuns", **params)
        assert ids(found["dag_runs"], "dag_run_id") == expected
        assert found["total_entries"] == (3 if "limit" in params else len(expected))


def test_runs_by_cursor_visit_each_once_and_back_again(api: Client, kettle: Store) -> None:
    for day in range(3, 10):
        add_run(kettle, run_id=f"r{day + 1}", day=day, state="failed" if day % 2 else "queued")
    for order in (["id"], ["-state", "end_date"], ["end_date"], ["-end_date"], ["-duration", "-id"]):
        whole = ids(api.get("/dags/tea/dagRuns", order_by=order)["dag_runs"], "dag_run_id")
        pages, cursor = [], ""
        while cursor is not None:
            page = api.get("/dags/tea/dagRuns", order_by=order, limit=3, cursor=cursor)
            pages.append(ids(page["dag_runs"], "dag_run_id"))
            previous, cursor = page["previous_cursor"], page["next_cursor"]
            assert (page["total_entries"], page["total_entries_limit"]) == (10, 10_000)
        assert sum(pages, []) == whole, order
        for earlier in reversed(pages[:-1]):
            page = api.get("/dags/tea/dagRuns", order_by=order, limit=3, cursor=previous)
            assert ids(page["dag_runs"], "dag_run_id") == earlier, order
            previous = page["previous_cursor"]
        assert previous is None
    api.refused(400, "GET", "/dags/tea/dagRuns", params={"cursor": "nonsense"})


def test_a_run_shows_all_fields(api: Client) -> None:
    assert api.get("/dags/tea/dagRuns/r1") == {
        "dag_run_id": "r1",
        "dag_id": "tea",
        "logical_date": "2026-03-01T12:00:00Z",
        "queued_at": "2026-03-01T12:00:00Z",
        "start_date": "2026-03-01T12:00:00Z",
        "end_date": "2026-03-01T12:00:30Z",
        "duration": 30.0,
        "data_interval_start": "2026-03-01T12:00:00Z",
        "data_interval_end": "2026-03-01T12:00:00Z",
        "run_after": "2026-03-01T12:00:00Z",
        "last_scheduling_decision": None,
        "run_type": "scheduled",
        "state": "success",
        "triggered_by": "timetable",
        "triggering_user_name": None,
        "conf": {},
        "note": None,
        "dag_versions": [api.get("/dags/tea/dagVersions/1")],
        "bundle_version": None,
        "dag_display_name": "tea",
        "partition_key": None,
        "partition_date": None,
    }


def test_a_run_is_triggered(api: Client, kettle: Store) -> None:
    body = {"logical_date": "2026-05-01T00:00:00Z", "conf": {"cups": 5}, "note": "for guests", "dag_run_id": "party"}
    run = api.ok("POST", "/dags/tea/dagRuns", json=body)
    assert (run["dag_run_id"], run["run_type"], run["state"]) == ("party", "manual", "queued")
    assert (run["conf"], run["note"], run["triggered_by"]) == ({"cups": 5}, "for guests", "rest_api")
    assert run["triggering_user_name"] == "Anonymous"
    assert run["logical_date"] == "2026-05-01T00:00:00Z"
    dateless = api.ok("POST", "/dags/tea/dagRuns", json={"logical_date": None})
    assert dateless["logical_date"] is None
    assert dateless["dag_run_id"].startswith("manual__")
    assert dateless["data_interval_start"] is None
    given = {"data_interval_start": "2026-04-01T00:00:00Z", "data_interval_end": "2026-04-02T00:00:00Z"}
    run = api.ok("POST", "/dags/tea/dagRuns", json={"logical_date": "2026-04-02T00:00:00Z", **given})
    assert {name: run[name] for name in given} == given


@pytest.mark.parametrize(
    ("status", "dag_id", "body"),
    [
        (422, "tea", {}),
        (422, "tea", {"logical_date": "yesterday"}),
        (422, "tea", {"logical_date": "2026-05-01T00:00:00"}),
        (422, "tea", {"logical_date": None, "data_interval_start": "2026-04-01T00:00:00Z"}),
        (422, "tea", {"logical_date": None, "colour": 1}),
        (422, "tea", {"logical_date": None, "conf": [1]}),
        (404, "milk", {"logical_date": None}),
        (409, "tea", {"logical_date": None, "dag_run_id": "r1"}),
        (409, "tea", {"logical_date": "2026-03-01T12:00:00Z"}),
        (400, "tea", {"logical_date": None, "dag_run_id": "scheduled__x"}),
        (400, "tea", {"logical_date": None, "conf": {"cups": "many"}}),
    ],
)
def test_a_run_that_cannot_be_triggered(api: Client, status: int, dag_id: str, body: dict[str, Any]) -> None:
    api.refused(status, "POST", f"/dags/{dag_id}/dagRuns", json=body)


def test_a_broken_dag_is_not_triggered(api: Client, kettle: Store) -> None:
    add_dag(kettle, tea(), error="SyntaxError")
    assert "import errors" in api.refused(400, "POST", "/dags/tea/dagRuns", json={"logical_date": None})


def test_runs_are_marked_noted_and_deleted(api: Client, kettle: Store) -> None:
    run = api.ok("PATCH", "/dags/tea/dagRuns/r1", json={"state": "failed", "note": "hm"})
    assert (run["state"], run["note"]) == ("failed", "hm")
    run = api.ok("PATCH", "/dags/tea/dagRuns/r1", params={"update_mask": "note"}, json={"state": "success", "note": ""})
    assert (run["state"], run["note"]) == ("failed", None)
    assert api.ok("PATCH", "/dags/tea/dagRuns/r1", json={"state": "queued"})["state"] == "queued"
    api.refused(422, "PATCH", "/dags/tea/dagRuns/r1", json={"state": "running"})
    api.refused(404, "PATCH", "/dags/tea/dagRuns/x", json={"state": "failed"})
    api.refused(409, "DELETE", "/dags/tea/dagRuns/r2")  # it is running
    api.ok("DELETE", "/dags/tea/dagRuns/r3", status=204)
    api.refused(404, "DELETE", "/dags/tea/dagRuns/r3")


def test_runs_in_bulk(api: Client) -> None:
    body = {
        "actions": [
            {"action": "update", "entities": [{"dag_run_id": "r1", "note": "n"}, {"dag_run_id": "x"}]},
            {"action": "delete", "entities": ["r3", "r2", "y"], "action_on_non_existence": "skip"},
        ]
    }
    done = api.ok("PATCH", "/dags/tea/dagRuns", json=body)
    assert done["create"] is None
    assert done["update"]["success"] == ["tea.r1"]
    assert ids(done["update"]["errors"], "status_code") == [404]
    assert done["delete"]["success"] == ["tea.r3"]
    assert ids(done["delete"]["errors"], "status_code") == [409]
    api.refused(422, "PATCH", "/dags/tea/dagRuns", json={"actions": [{"action": "explode", "entities": []}]})


def test_a_run_is_cleared(api: Client) -> None:
    would = api.ok("POST", f"{R1}/clear", json={"only_failed": True})
    assert ids(would["task_instances"], "task_id") == ["drink"]
    assert api.get("/dags/tea/dagRuns/r1")["state"] == "success"
    assert api.ok("POST", f"{R1}/clear", json={"dry_run": False, "note": "again"})["state"] == "queued"
    assert {row["state"] for row in api.get(TIS)["task_instances"]} == {None}
    api.refused(422, "POST", f"{R1}/clear", json={"only_new": True, "only_failed": True})
    assert api.ok("POST", f"{R1}/clear", json={"only_new": True})["task_instances"] == []
    several = {"dag_runs": [{"dag_run_id": "r1"}, {"dag_run_id": "r2"}]}
    assert api.ok("POST", "/dags/tea/clearDagRuns", json=several)["total_entries"] == 7
    done = api.ok("POST", "/dags/tea/clearDagRuns", json={**several, "dry_run": False})
    assert ids(done["dag_runs"], "dag_run_id") == ["r1", "r2"]
    api.refused(404, "POST", "/dags/tea/clearDagRuns", json={"dag_runs": [{"dag_run_id": "x"}]})
    api.refused(400, "POST", "/dags/~/clearDagRuns", json=several)


def test_runs_by_post(api: Client) -> None:
    body = {"states": ["running", "queued"], "order_by": "-dag_run_id", "logical_date_gte": "2026-03-02T00:00:00Z"}
    found = api.ok("POST", "/dags/~/dagRuns/list", json=body)
    assert ids(found["dag_runs"], "dag_run_id") == ["r3", "r2"]
    assert api.ok("POST", "/dags/~/dagRuns/list", json={"dag_ids": ["milk"]})["total_entries"] == 0
    assert api.ok("POST", "/dags/~/dagRuns/list", json={"page_limit": 1, "page_offset": 1})["dag_runs"][0][
        "dag_run_id"
    ] == "r2"
    api.refused(422, "POST", "/dags/tea/dagRuns/list", json={})


def test_waiting_for_a_run_streams_its_states(api: Client, kettle: Store) -> None:
    from gnomon.service import clock
    from gnomon.wire.execution import XComEntry

    kettle.xcoms.put("tea", "r2", "boil", XComEntry("return_value", b"[99]"), clock.now())

    async def wait() -> list[Any]:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v2") as client:
            params = {"interval": 0.01, "result": "boil"}
            finishing = asyncio.create_task(finish())
            response = await client.get("/dags/tea/dagRuns/r2/wait", params=params)
            await finishing
            assert response.headers["content-type"] == "application/x-ndjson"
            return [json.loads(line) for line in response.text.splitlines()]

    async def finish() -> None:
        await asyncio.sleep(0.05)
        await asyncio.to_thread(kettle.runs.set_state, "tea", "r2", "success", clock.now())

    lines = asyncio.run(wait())
    assert lines[0] == {"state": "running"}
    assert lines[-1] == {"state": "success", "results": {"boil": [99]}}
    api.refused(404, "GET", "/dags/tea/dagRuns/x/wait", params={"interval": 1})
    api.refused(422, "GET", "/dags/tea/dagRuns/r2/wait", params={"interval": 0})


# ----------------------------------------------------------------------------------------------- task instances


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        (TIS, {"order_by": "id"}, ["boil", "kitchen.pour", "kitchen.pour", "kitchen.pour", "drink"]),
        (TIS, {"state": "failed"}, ["drink"]),
        (TIS, {"task_id": "boil"}, ["boil"]),
        (TIS, {"map_index": [1, 2]}, ["kitchen.pour", "kitchen.pour"]),
        (TIS, {"task_group_id": "kitchen"}, ["kitchen.pour"] * 3),
        (TIS, {"task_display_name_pattern": "bo|dr", "order_by": "-id"}, ["drink", "boil"]),
        (TIS, {"duration_gte": 5}, ["drink"]),
        (TIS, {"pool": "default_pool", "operator": "PythonOperator", "limit": 1, "order_by": "id"}, ["boil"]),
        (TIS, {"version_number": 2}, []),
        ("/dags/~/dagRuns/~/taskInstances", {"state": ["none", "running"], "order_by": "id"}, ["boil", "drink"]),
        ("/dags/tea/dagRuns/~/taskInstances", {"logical_date_gt": "2026-03-02T00:00:00Z"}, ["boil", "drink"]),
        (f"{TIS}/kitchen.pour/listMapped", {"order_by": "-map_index"}, ["kitchen.pour"] * 3),
    ],
)
def test_task_instances_are_filtered(api: Client, path: str, params: dict[str, Any], expected: list[str]) -> None:
    found = api.get(path, **params)
    assert ids(found["task_instances"], "task_id") == expected
    if "limit" not in params:
        assert found["total_entries"] == len(expected)


def test_a_task_instance_shows_all_fields(api: Client, kettle: Store) -> None:
    with kettle.database.write() as conn:
        conn.execute(t.rendered_fields.insert().values(ti_id=1, fields='{"op_args": []}'))
    assert api.get(f"{TIS}/boil") == {
        "id": "00000000-0000-0000-0000-000000000001",
        "task_id": "boil",
        "dag_id": "tea",
        "dag_run_id": "r1",
        "map_index": -1,
        "logical_date": "2026-03-01T12:00:00Z",
        "run_after": "2026-03-01T12:00:00Z",
        "start_date": "2026-03-01T12:00:00Z",
        "end_date": "2026-03-01T12:00:01Z",
        "duration": 1.0,
        "state": "success",
        "try_number": 1,
        "max_tries": 0,
        "task_display_name": "boil",
        "dag_display_name": "tea",
        "hostname": None,
        "unixname": None,
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "operator": "PythonOperator",
        "operator_name": "@task",
        "queued_when": None,
        "scheduled_when": None,
        "pid": None,
        "executor": None,
        "executor_config": "{}",
        "note": None,
        "rendered_map_index": None,
        "rendered_fields": {"op_args": []},
        "trigger": None,
        "triggerer_job": None,
        "dag_version": api.get("/dags/tea/dagVersions/1"),
    }


def test_mapped_task_instances(api: Client) -> None:
    one = api.get(f"{TIS}/kitchen.pour/2")
    assert (one["map_index"], one["task_display_name"]) == (2, "Pour it")
    assert "map_index" in api.refused(404, "GET", f"{TIS}/kitchen.pour")
    api.refused(404, "GET", f"{TIS}/kitchen.pour/7")
    api.refused(404, "GET", f"{TIS}/nothing")
    assert "not mapped" in api.refused(404, "GET", f"{TIS}/boil/listMapped")
    api.refused(404, "GET", "/dags/tea/dagRuns/x/taskInstances")
    api.refused(400, "GET", "/dags/~/dagRuns/r1/taskInstances")


def test_a_deferred_task_instance_shows_its_trigger_but_not_its_secrets(api: Client, kettle: Store) -> None:
    with kettle.database.write() as conn:
        row = {"ti_id": 6, "seq": 1, "classpath": "a.B", "kwargs": "secret", "created_at": NOW}
        number = conn.execute(t.trigger.insert().values(**row).returning(t.trigger.c.id)).scalar()
        conn.execute(t.task_instance.update().where(t.task_instance.c.id == 6).values(trigger_id=number))
    trigger = api.get("/dags/tea/dagRuns/r2/taskInstances/boil")["trigger"]
    assert (trigger["classpath"], trigger["kwargs"]) == ("a.B", "{}")


def test_tries_are_told_from_the_first_to_the_present_one(api: Client, kettle: Store) -> None:
    with kettle.database.write() as conn:
        row = {"ti_id": 1, "try_number": 1, "state": "up_for_retry", "start_date": NOW, "end_date": NOW + DAY}
        conn.execute(t.task_instance_history.insert().values(**row))
        conn.execute(t.task_instance.update().where(t.task_instance.c.id == 1).values(try_number=2))
    tries = api.get(f"{TIS}/boil/tries")
    assert [(one["try_number"], one["state"]) for one in tries["task_instances"]] == [
        (1, "up_for_retry"),
        (2, "success"),
    ]
    assert api.get(f"{TIS}/boil/tries/1")["duration"] == 86400.0
    assert api.get(f"{TIS}/kitchen.pour/1/tries/1")["map_index"] == 1
    api.refused(404, "GET", f"{TIS}/boil/tries/3")
    assert api.get("/dags/tea/dagRuns/r2/taskInstances/drink/tries")["task_instances"] == []


def test_dependencies_say_what_a_task_waits_for(api: Client, kettle: Store) -> None:
    add_ti(kettle, 2, "kitchen.pour", map_index=0, state="queued")
    reasons = api.get("/dags/tea/dagRuns/r2/taskInstances/drink/dependencies")["dependencies"]
    assert [one["name"] for one in reasons] == ["Trigger Rule"]
    assert "kitchen.pour" in reasons[0]["reason"]
    assert api.get(f"{TIS}/boil/dependencies") == {"dependencies": []}


def test_marking_a_task_instance_resumes_what_failed_below(api: Client, kettle: Store) -> None:
    with kettle.database.write() as conn:
        conn.execute(t.task_instance.update().where(t.task_instance.c.id == 1).values(state="failed"))
        conn.execute(t.task_instance.update().where(t.task_instance.c.id == 5).values(state="upstream_failed"))
    dry = api.ok("PATCH", f"{TIS}/boil/dry_run", json={"new_state": "success"})
    assert ids(dry["task_instances"], "task_id") == ["boil"]
    assert api.get(f"{TIS}/boil")["state"] == "failed"
    done = api.ok("PATCH", f"{TIS}/boil", json={"new_state": "SUCCESS", "note": "by hand"})
    assert [(one["task_id"], one["state"]) for one in done["task_instances"]] == [("boil", "success")]
    assert api.get(f"{TIS}/boil")["note"] == "by hand"
    assert api.get(f"{TIS}/drink")["state"] is None
    assert api.get(R1)["state"] == "queued"
    api.refused(409, "PATCH", f"{TIS}/boil", json={"new_state": "success"})
    api.refused(422, "PATCH", f"{TIS}/boil", json={"new_state": "running"})
    api.refused(404, "PATCH", f"{TIS}/nothing", json={"new_state": "success"})


def test_marking_with_relatives_and_one_mapped_instance(api: Client) -> None:
    done = api.ok("PATCH", f"{TIS}/kitchen.pour/1", json={"new_state": "failed"})
    assert [(one["task_id"], one["map_index"]) for one in done["task_instances"]] == [("kitchen.pour", 1)]
    body = {"new_state": "skipped", "include_upstream": True, "include_downstream": True}
    done = api.ok("PATCH", f"{TIS}/kitchen.pour", json=body)
    assert ids(done["task_instances"], "task_id") == ["boil", *["kitchen.pour"] * 3, "drink"]
    group = api.ok("PATCH", f"{R1}/taskGroupInstances/kitchen", json={"new_state": "success"})
    assert ids(group["task_instances"], "map_index") == [0, 1, 2]
    api.refused(404, "PATCH", f"{R1}/taskGroupInstances/garden", json={"new_state": "success"})


def test_task_instances_in_bulk(api: Client) -> None:
    entities = [{"task_id": "boil", "new_state": "failed"}, {"task_id": "x", "new_state": "failed"}]
    body = {"actions": [{"action": "update", "entities": entities}, {"action": "delete", "entities": ["drink"]}]}
    done = api.ok("PATCH", TIS, json=body)
    assert done["update"]["success"] == ["tea.r1.boil[-1]"]
    assert ids(done["update"]["errors"], "status_code") == [404]
    assert done["delete"]["success"] == ["tea.r1.drink[-1]"]
    api.refused(404, "GET", f"{TIS}/drink")
    api.refused(404, "DELETE", f"{TIS}/drink")


def test_task_instances_are_cleared(api: Client) -> None:
    path = "/dags/tea/clearTaskInstances"
    would = api.ok("POST", path, json={"dag_run_id": "r1"})
    assert ids(would["task_instances"], "task_id") == ["drink"]  # only_failed is the default
    body: dict[str, Any] = {"dry_run": False, "dag_run_id": "r1", "only_failed": False, "note": "again"}
    done = api.ok("POST", path, json={**body, "task_ids": [["kitchen.pour", 1]], "include_downstream": True})
    assert [(one["task_id"], one["map_index"]) for one in done["task_instances"]] == [("kitchen.pour", 1), ("drink", -1)]
    assert {one["note"] for one in done["task_instances"]} == {"again"}
    assert api.get(R1)["state"] == "queued"
    every = api.ok("POST", path, json={"only_failed": False, "task_ids": ["boil"], "dag_run_id": "r1", "include_future": True})
    assert ids(every["task_instances"], "dag_run_id") == ["r1", "r2"]
    dates = {"start_date": "2026-03-02T00:00:00Z", "only_failed": False}
    assert ids(api.ok("POST", path, json=dates)["task_instances"], "dag_run_id") == ["r2", "r2"]
    running = {"dag_run_id": "r2", "only_failed": False, "dry_run": False, "prevent_running_task": True}
    api.refused(409, "POST", path, json=running)
    api.refused(404, "POST", path, json={"dag_run_id": "x"})
    api.refused(422, "POST", path, json={"dag_run_id": "r1", "start_date": "2026-03-02T00:00:00Z"})
    api.refused(422, "POST", path, json={"task_ids": []})


def test_task_instances_by_post(api: Client) -> None:
    body = {"dag_ids": ["tea"], "dag_run_ids": ["r2"], "state": ["running", None], "order_by": "id"}
    found = api.ok("POST", "/dags/~/dagRuns/~/taskInstances/list", json=body)
    assert ids(found["task_instances"], "task_id") == ["boil", "drink"]
    body = {"task_ids": ["drink"], "page_limit": 1, "duration_gte": 1}
    assert api.ok("POST", "/dags/~/dagRuns/~/taskInstances/list", json=body)["total_entries"] == 1


# --------------------------------------------------------------------------------------------- logs and XComs


def write_log(*lines: bytes, run_id: str = "r1", task_id: str = "boil", try_number: int = 1) -> Path:
    path = Path(task_logs.try_log_path("tea", run_id, task_id, -1, try_number))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(lines))
    return path


def test_a_finished_log_is_whole_and_has_no_token(api: Client) -> None:
    write_log(b'{"timestamp": "2026-03-01T12:00:00Z", "level": "info", "event": "hi"}\n', b"raw\n", b'{"event": "cut')
    log = api.get(f"{TIS}/boil/logs/1")
    assert log["content"] == [
        {"timestamp": "2026-03-01T12:00:00Z", "level": "info", "event": "hi"},
        {"event": "raw"},
        {"event": '{"event": "cut'},
    ]
    assert log["continuation_token"] is None
    for params in ({}, {"full_content": "true"}):
        ndjson = api.send("GET", f"{TIS}/boil/logs/1", params=params, headers={"Accept": "application/x-ndjson"})
        assert ndjson.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in ndjson.text.splitlines()] == log["content"]
    api.refused(404, "GET", f"{TIS}/boil/logs/2")
    api.refused(404, "GET", f"{TIS}/nothing/logs/1")
    assert api.get(f"{TIS}/drink/logs/1")["content"] == []


def test_a_growing_log_is_read_on_with_its_token(api: Client) -> None:
    path = "/dags/tea/dagRuns/r2/taskInstances/boil/logs/1"
    write_log(b'{"event": "one"}\n', b'{"event": "two', run_id="r2")
    first = api.get(path)
    assert first["content"] == [{"event": "one"}]
    write_log(b'"}\n{"event": "three"}\n', run_id="r2")
    second = api.get(path, token=first["continuation_token"])
    assert second["content"] == [{"event": "two"}, {"event": "three"}]
    third = api.get(path, token=second["continuation_token"])
    assert third["content"] == []
    assert third["continuation_token"]
    api.refused(400, "GET", path, params={"token": "forged"})
    api.refused(400, "GET", f"{TIS}/boil/logs/1", params={"token": first["continuation_token"]})
    header = api.send("GET", path, headers={"Accept": "application/x-ndjson"}).headers["airflow-continuation-token"]
    assert api.get(path, token=header)["content"] == []


def test_xcoms_are_created_read_changed_and_deleted(api: Client) -> None:
    path = f"{TIS}/boil/xcomEntries"
    made = api.ok("POST", path, json={"key": "a/b", "value": {"c": [1, None]}}, status=201)
    assert (made["value"], made["run_id"], made["dag_display_name"]) == ({"c": [1, None]}, "r1", "tea")
    api.refused(409, "POST", path, json={"key": "a/b", "value": 1})
    assert api.get(f"{path}/a/b", stringify="true")["value"] == "{'c': [1, None]}"
    assert api.ok("PATCH", f"{path}/a/b", json={"value": "x"})["value"] == "x"
    found = api.get("/dags/~/dagRuns/~/taskInstances/~/xcomEntries", xcom_key_pattern="A/")
    assert ids(found["xcom_entries"], "key") == ["a/b"]
    assert "value" not in found["xcom_entries"][0]
    api.ok("DELETE", f"{path}/a/b", status=204)
    api.refused(404, "DELETE", f"{path}/a/b")
    api.refused(404, "GET", f"{path}/a/b")
    api.refused(404, "PATCH", f"{path}/a/b", json={"value": 1})
    api.refused(404, "POST", f"{TIS}/nothing/xcomEntries", json={"key": "k", "value": 1})
    api.refused(404, "POST", "/dags/tea/dagRuns/x/taskInstances/boil/xcomEntries", json={"key": "k", "value": 1})
    detail = api.refused(422, "POST", path, json={"key": "k", "value": [{"__classname__": "os.system"}]})
    assert "reserved" in detail[0]["msg"]


def test_an_xcom_object_is_shown_and_never_loaded(api: Client, kettle: Store) -> None:
    from gnomon.service import clock
    from gnomon.wire.execution import XComEntry

    value = b'{"__classname__": "no.such.Thing", "__version__": 2, "__data__": {"a": 1}}'
    kettle.xcoms.put("tea", "r1", "boil", XComEntry("return_value", value), clock.now())
    path = f"{TIS}/boil/xcomEntries/return_value"
    assert api.get(path)["value"]["__data__"] == {"a": 1}
    assert api.get(path, deserialize="true")["value"] == "no.such.Thing@version=2(a=1)"


# ------------------------------------------------------------------------- variables, connections, pools, others


def test_variables(api: Client) -> None:
    made = api.ok("POST", "/variables", json={"key": "cup", "value": {"a": 1, "token": "t0ps3cret"}}, status=201)
    assert json.loads(made["value"]) == {"a": 1, "token": "***"}
    assert set(made) == {"key", "value", "description", "is_encrypted", "team_name"}
    api.refused(409, "POST", "/variables", json={"key": "cup", "value": "1"})
    api.ok("POST", "/variables", json={"key": "my/password", "value": "hunter22", "description": "d"}, status=201)
    assert api.get("/variables/my/password")["value"] == "***"
    assert ids(api.get("/variables", order_by="-key")["variables"], "key") == ["my/password", "cup"]
    assert ids(api.get("/variables", variable_key_pattern="CU")["variables"], "key") == ["cup"]
    path = "/variables/my/password"
    masked = api.ok("PATCH", path, params={"update_mask": "description"}, json={"key": "my/password", "value": "x"})
    assert masked["description"] == "d"
    changed = api.ok("PATCH", path, json={"key": "my/password", "value": "new", "description": None})
    assert not changed["description"]
    api.refused(422, "PATCH", path, json={"key": "other", "value": "x"})
    api.refused(404, "PATCH", "/variables/x", json={"key": "x", "value": "x"})
    api.refused(422, "POST", "/variables", json={"key": "k" * 251, "value": "x"})
    api.refused(422, "POST", "/variables", json={"key": "k", "value": "x", "team_name": "t"})
    api.ok("DELETE", path, status=204)
    api.refused(404, "DELETE", path)
    api.refused(404, "GET", path)


def test_variables_in_bulk(api: Client, kettle: Store) -> None:
    def bulk(action: str, entities: list[Any], **options: Any) -> Any:
        body = {"actions": [{"action": action, "entities": entities, **options}]}
        return api.ok("PATCH", "/variables", json=body)[action]

    a, b = {"key": "a", "value": "1"}, {"key": "b", "value": "2"}
    assert bulk("create", [a]) == {"success": ["a"], "errors": []}
    refused = bulk("create", [a, b])
    assert (refused["success"], refused["errors"][0]["status_code"]) == ([], 409)
    assert kettle.variables.get("b") is None
    assert bulk("create", [a, b], action_on_existence="skip")["success"] == ["b"]
    assert bulk("create", [{"key": "a", "value": "9"}, b], action_on_existence="overwrite")["success"] == ["a", "b"]
    assert kettle.variables.get("a").value == "9"  # type: ignore[union-attr]
    assert bulk("update", [{"key": "x", "value": "1"}])["errors"][0]["status_code"] == 404
    assert bulk("update", [{"key": "a", "value": "7", "description": "d"}], update_mask=["description"])["success"] == ["a"]
    assert kettle.variables.get("a").value == "9"  # type: ignore[union-attr]
    assert bulk("delete", ["a", "x"])["errors"][0]["status_code"] == 404
    assert bulk("delete", ["a", "x"], action_on_non_existence="skip")["success"] == ["a"]


def test_connections_never_show_their_secrets(api: Client, kettle: Store) -> None:
    body = {
        "connection_id": "pot",
        "conn_type": "http",
        "host": "h",
        "schema": "s",
        "password": "hunter22",
        "extra": '{"api_key": "k3yk3y", "region": "eu"}',
    }
    made = api.ok("POST", "/connections", json=body, status=201)
    assert made["password"] == "***"
    assert json.loads(made["extra"]) == {"api_key": "***", "region": "eu"}
    assert made["schema"] == "s"
    stored = kettle.connections.get("pot")
    assert stored is not None
    assert stored.password == "hunter22"
    # what was shown masked comes back masked, and changes nothing
    api.ok("PATCH", "/connections/pot", json={**body, "host": "new", "password": "***", "extra": made["extra"]})
    stored = kettle.connections.get("pot")
    assert stored is not None
    assert (stored.host, stored.password) == ("new", "hunter22")
    assert json.loads(stored.extra or "") == {"api_key": "k3yk3y", "region": "eu"}
    api.ok("PATCH", "/connections/pot", params={"update_mask": "port"}, json={**body, "port": 8, "host": "no"})
    assert (kettle.connections.get("pot").host, kettle.connections.get("pot").port) == ("new", 8)  # type: ignore[union-attr]
    kettle.connections.add(Connection(conn_id="pan", conn_type="fs"))
    assert ids(api.get("/connections", order_by="-connection_id")["connections"], "connection_id") == ["pot", "pan"]
    api.refused(409, "POST", "/connections", json=body)
    api.refused(422, "POST", "/connections", json={**body, "connection_id": "a b"})
    api.refused(422, "POST", "/connections", json={**body, "connection_id": "x", "extra": "no json"})
    assert "disabled" in api.refused(403, "POST", "/connections/test", json=body)
    api.ok("DELETE", "/connections/pan", status=204)
    api.refused(404, "GET", "/connections/pan")
    log = api.get("/eventLogs", event="post_connection")["event_logs"][0]
    assert "hunter22" not in log["extra"]
    assert "k3yk3y" not in log["extra"]


def test_pools_and_what_they_hold(api: Client, kettle: Store) -> None:
    add_ti(kettle, 1, "x", state="deferred", pool_slots=3)
    default = api.get("/pools/default_pool")
    assert default == {
        "name": "default_pool",
        "slots": 128,
        "description": "Default pool",
        "include_deferred": False,
        "occupied_slots": 1,
        "running_slots": 1,
        "queued_slots": 0,
        "scheduled_slots": 0,
        "open_slots": 127,
        "deferred_slots": 3,
        "team_name": None,
    }
    assert api.ok("POST", "/pools", json={"name": "a/b", "slots": -1}, status=201)["open_slots"] == -1
    api.refused(409, "POST", "/pools", json={"name": "a/b", "slots": 1})
    api.refused(422, "POST", "/pools", json={"name": "c", "slots": -2})
    changed = api.ok("PATCH", "/pools/a/b", params={"update_mask": "slots"}, json={"slots": 5, "description": "no"})
    assert (changed["slots"], changed["description"]) == (5, None)
    assert api.ok("PATCH", "/pools/default_pool", json={"slots": 7, "include_deferred": True})["occupied_slots"] == 4
    api.refused(400, "PATCH", "/pools/default_pool", json={"description": "mine"})
    api.refused(400, "PATCH", "/pools/a/b", json={"pool": "z"})
    api.refused(404, "PATCH", "/pools/x", json={"slots": 1})
    api.refused(400, "DELETE", "/pools/default_pool")
    assert api.get("/pools", pool_name_pattern="/")["total_entries"] == 1
    body = {"actions": [{"action": "update", "entities": [{"name": "a/b", "slots": 9}]}]}
    assert api.ok("PATCH", "/pools", json=body)["update"]["success"] == ["a/b"]
    api.ok("DELETE", "/pools/a/b", status=204)
    api.refused(404, "DELETE", "/pools/a/b")


def test_import_errors_jobs_and_event_logs(api: Client, kettle: Store) -> None:
    from gnomon.service import clock

    add_dag(kettle, tea(), error="SyntaxError: line 3")
    errors = api.get("/importErrors")["import_errors"]
    assert (errors[0]["filename"], errors[0]["stack_trace"]) == ("tea.py", "SyntaxError: line 3")
    assert api.get(f"/importErrors/{errors[0]['import_error_id']}") == errors[0]
    api.refused(404, "GET", "/importErrors/999")
    kettle.jobs.start("SchedulerJob", hostname="h", pid=1, now=clock.now())
    kettle.jobs.start("TriggererJob", hostname="h", pid=1, now=clock.now() - timedelta(hours=1))
    assert ids(api.get("/jobs", is_alive="true")["jobs"], "job_type") == ["SchedulerJob"]
    assert ids(api.get("/jobs", is_alive="false")["jobs"], "job_type") == ["TriggererJob"]
    api.ok("PATCH", "/dags/tea", json={"is_paused": True})
    log = api.get("/eventLogs", dag_id="tea")["event_logs"][0]
    assert (log["event"], log["owner"], json.loads(log["extra"])["body"]) == (
        "patch_dag",
        "Anonymous",
        {"is_paused": True},
    )
    assert api.get(f"/eventLogs/{log['event_log_id']}") == log
    assert api.get("/eventLogs", excluded_events="patch_dag")["total_entries"] == 0
    api.refused(404, "GET", "/eventLogs/999")


def test_settings_are_shown_only_where_they_may_be(api: Client) -> None:
    api.refused(403, "GET", "/config")
    conf.set("api", "expose_config", "True")
    conf.set("core", "fernet_key", "s3cr3t-key")
    assert api.get("/config/section/core/option/parallelism")["sections"][0]["options"] == [
        {"key": "parallelism", "value": "32"}
    ]
    everything = api.send("GET", "/config").text
    assert "s3cr3t-key" not in everything
    assert '"< hidden >"' in everything
    assert ids(api.get("/config", section="core")["sections"], "name") == ["core"]
    api.refused(404, "GET", "/config", params={"section": "nope"})
    api.refused(404, "GET", "/config/section/core/option/nope")


def test_providers_and_plugins_are_honest_about_what_is_there(api: Client) -> None:
    found = api.get("/providers")
    assert len(found["providers"]) == found["total_entries"]
    assert api.get("/plugins") == {"plugins": [], "total_entries": 0}
    assert api.get("/plugins/importErrors") == {"import_errors": [], "total_entries": 0}


# ----------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("status", "path", "params"),
    [
        (422, "/dags", {"limit": "many"}),
        (422, "/dags", {"limit": -1}),
        (422, "/dags", {"offset": "-1"}),
        (422, "/dags", {"paused": "perhaps"}),
        (422, "/dags", {"tags_match_mode": "some"}),
        (422, "/dags/tea/dagRuns", {"logical_date_gte": "yesterday"}),
        (422, "/dags/tea/dagRuns", {"state": "dreaming"}),
        (422, "/dags/tea/dagRuns", {"duration_gte": "long"}),
        (422, f"{TIS}", {"map_index": "first"}),
        (400, "/dags", {"order_by": "colour"}),
        (400, "/dags", {"order_by": ["dag_id"] * 11}),
        (404, "/nothing", {}),
        (405, "/version/", {}),
    ],
)
def test_bad_questions_get_one_clear_answer(api: Client, status: int, path: str, params: dict[str, Any]) -> None:
    if status == 405:
        api.refused(405, "POST", "/version", json={})
        return
    detail = api.refused(status, "GET", path, params=params)
    if status == 422:
        assert detail[0]["loc"] == ["query", next(iter(params))]


@pytest.mark.parametrize("text", ["'", '"', "\\", "%", "_", "[", "🫖", "a' OR 1=1 --", "|", "~"])
def test_patterns_take_any_text(api: Client, text: str) -> None:
    for path in ("/dags", "/dags/~/dagRuns", "/variables", "/pools", "/dagTags"):
        param = {"/dags": "dag_id", "/variables": "variable_key", "/pools": "pool_name", "/dagTags": "tag_name"}
        name = param.get(path, "run_id")
        api.get(path, **{f"{name}_pattern": text})
        api.get(path, **{f"{name}_prefix_pattern": text})
    api.refused(404, "GET", f"/dags/{quote(text, safe='')}x")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_failing_database_is_told_in_one_sentence(api: Client, kettle: Store) -> None:
    import os

    kettle.database.close()
    os.unlink(kettle.database.url.database or "")
    assert "no database" in api.refused(503, "GET", "/dags")
    assert api.get("/monitor/health")["metadatabase"] == {"status": "unhealthy"}


def test_the_whole_api_is_described(api: Client) -> None:
    response = Client(api.app, "").send("GET", "/openapi.json")
    described = response.json()
    assert "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}" in described["paths"]
    names = [p["name"] for p in described["paths"]["/api/v2/dags/{dag_id}/dagRuns"]["get"]["parameters"]]
    assert {"dag_id", "limit", "cursor", "run_after_gte", "run_id_prefix_pattern"} <= set(names)
