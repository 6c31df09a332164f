"""Health, version and DAGs over REST, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gnomon.service import clock
from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.wire.dag import TimetableSpec
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import add_dag, tea

R1 = "/dags/tea/dagRuns/r1"
TIS = f"{R1}/taskInstances"


# ---------------------------------------------------------------------------------- health and version


def test_health_says_of_each_part_whether_it_lives(api: Client, kettle: Store) -> None:
    health = api.get("/monitor/health")
    assert health == {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }

    kettle.jobs.start("SchedulerJob", hostname="h", pid=1, now=clock.now())
    kettle.jobs.start("TriggererJob", hostname="h", pid=1, now=clock.now() - timedelta(hours=1))
    health = api.get("/monitor/health")
    assert health["scheduler"]["status"] == "healthy"
    assert health["triggerer"]["status"] == "unhealthy"


def test_version_is_that_of_the_airflow_that_it_behaves_like(api: Client) -> None:
    assert api.get("/version")["version"].startswith("3.3")


# ------------------------------------------------------------------------------------------------ DAGs


def test_a_dag_without_a_schedule_has_no_summary_of_it(api: Client, kettle: Store) -> None:
    null = TimetableSpec(kind="null")
    add_dag(kettle, tea("idle", timetable=null, timetable_summary="None"))
    assert api.get("/dags/idle")["timetable_summary"] is None


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


DAG_CASES: list[tuple[Any, ...]] = [
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
]


def test_dags_are_filtered_ordered_and_paged(api: Client, kettle: Store) -> None:
    add_dag(kettle, tea("coffee", tags=["bean"], owners=["cleo"], timetable=TimetableSpec(kind="null")))
    kettle.dags.set_paused("coffee", True)
    for params, expected in DAG_CASES:
        found = api.get("/dags", **params)
        assert ids(found["dags"], "dag_id") == expected, params
        assert found["total_entries"] == (2 if "limit" in params else len(expected)), params


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
