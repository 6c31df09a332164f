"""Variables, connections, pools, the audit log and what goes wrong, on both databases."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.engine import Store
from gnomon.store.records import Connection
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import add_dag, add_ti, tea

R1 = "/dags/tea/dagRuns/r1"
TIS = f"{R1}/taskInstances"


# --------------------------------------------------------------- variables, connections, pools, others


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
    assert bulk("update", [{"key": "a", "value": "7", "description": "d"}], update_mask=["description"])["success"] == [
        "a"
    ]
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


# --------------------------------------------------------------------------------------- what is wrong


BAD_QUESTIONS: list[tuple[Any, ...]] = [
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
]


def test_bad_questions_get_one_clear_answer(api: Client) -> None:
    api.refused(405, "POST", "/version", json={})
    for status, path, params in BAD_QUESTIONS:
        detail = api.refused(status, "GET", path, params=params)
        if status == 422:
            assert detail[0]["loc"] == ["query", next(iter(params))]


def test_patterns_take_any_text(api: Client) -> None:
    params = {"/dags": "dag_id", "/variables": "variable_key", "/pools": "pool_name", "/dagTags": "tag_name"}
    for text in ("'", '"', "\\", "%", "_", "[", "🫖", "a' OR 1=1 --", "|", "~"):
        for path, name in {**params, "/dags/~/dagRuns": "run_id"}.items():
            api.get(path, **{f"{name}_pattern": text})
            api.get(path, **{f"{name}_prefix_pattern": text})
        api.refused(404, "GET", f"/dags/{quote(text, safe='')}x")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_failing_database_is_told_in_one_sentence(api: Client, kettle: Store) -> None:
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
