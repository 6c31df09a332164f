"""Task instances, logs and XComs over REST, on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gnomon.service import clock, task_logs
from gnomon.store import tables as t
from gnomon.store.engine import Store
from gnomon.store.state_store import TaskPlace
from gnomon.wire.execution import XComEntry
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import DAY, NOW, add_ti

R1 = "/dags/tea/dagRuns/r1"
TIS = f"{R1}/taskInstances"


# -------------------------------------------------------------------------------------- task instances


TASK_INSTANCE_CASES: list[tuple[Any, ...]] = [
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
]


def test_task_instances_are_filtered(api: Client) -> None:
    for path, params, expected in TASK_INSTANCE_CASES:
        found = api.get(path, **params)
        assert ids(found["task_instances"], "task_id") == expected, params
        if "limit" not in params:
            assert found["total_entries"] == len(expected), params


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
    assert (one["map_index"], one["rendered_map_index"], one["task_display_name"]) == (2, "2", "Pour it")
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


def test_what_a_task_keeps_is_forgotten_with_its_mark_if_that_is_set(
    api: Client, kettle: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    boil, drink = TaskPlace("tea", "r1", "boil"), TaskPlace("tea", "r1", "drink")
    for place in (boil, drink):
        kettle.task_states.set(place, "seen", "1", expires_at=None, now=NOW)

    def kept(place: TaskPlace) -> int:
        return kettle.task_states.page(place, limit=10, offset=0)[1]

    api.ok("PATCH", f"{TIS}/boil", json={"new_state": "failed"})
    api.ok("PATCH", f"{TIS}/boil", json={"new_state": "success"})
    assert (kept(boil), kept(drink)) == (1, 1)
    monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "True")
    api.ok("PATCH", f"{TIS}/boil", json={"new_state": "failed"})
    assert kept(boil) == 1
    api.ok("PATCH", f"{TIS}/boil", json={"new_state": "success"})
    assert (kept(boil), kept(drink)) == (0, 1)


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
    assert [(one["task_id"], one["map_index"]) for one in done["task_instances"]] == [
        ("kitchen.pour", 1),
        ("drink", -1),
    ]
    assert {one["note"] for one in done["task_instances"]} == {"again"}
    assert api.get(R1)["state"] == "queued"
    every = api.ok(
        "POST", path, json={"only_failed": False, "task_ids": ["boil"], "dag_run_id": "r1", "include_future": True}
    )
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


# -------------------------------------------------------------------------------------- logs and XComs


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
    value = b'{"__classname__": "no.such.Thing", "__version__": 2, "__data__": {"a": 1}}'
    kettle.xcoms.put("tea", "r1", "boil", XComEntry("return_value", value), clock.now())
    path = f"{TIS}/boil/xcomEntries/return_value"
    assert api.get(path)["value"]["__data__"] == {"a": 1}
    assert api.get(path, deserialize="true")["value"] == "no.such.Thing@version=2(a=1)"


def test_it_does_not_matter_what_is_asked_for_first(api: Client) -> None:
    for path in (TIS, f"{TIS}/boil/xcomEntries", f"{TIS}/boil", f"{TIS}/kitchen.pour/1", f"{TIS}/boil/logs/1"):
        api.get(path)
