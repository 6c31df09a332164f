"""DAG runs over REST, on both databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from gnomon.service import clock
from gnomon.store.engine import Store
from gnomon.wire.execution import XComEntry
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import add_dag, add_run, tea

R1 = "/dags/tea/dagRuns/r1"
TIS = f"{R1}/taskInstances"


RUN_CASES: list[tuple[Any, ...]] = [
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
]


def test_runs_are_filtered_ordered_and_paged(api: Client) -> None:
    for params, expected in RUN_CASES:
        for dag_id in ("tea", "~"):
            found = api.get(f"/dags/{dag_id}/dagRuns", **params)
            assert ids(found["dag_runs"], "dag_run_id") == expected, params
            assert found["total_entries"] == (3 if "limit" in params else len(expected)), params


def test_runs_by_cursor_visit_each_once_and_back_again(api: Client, kettle: Store) -> None:
    for day in range(3, 10):
        add_run(kettle, run_id=f"r{day + 1}", day=day, state="failed" if day % 2 else "queued")
    for order in (["id"], ["-state", "end_date"], ["end_date"], ["-end_date"], ["-duration", "-id"]):
        whole = ids(api.get("/dags/tea/dagRuns", order_by=order)["dag_runs"], "dag_run_id")
        pages: list[list[str]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = api.get("/dags/tea/dagRuns", order_by=order, limit=3, cursor=cursor)
            pages.append(ids(page["dag_runs"], "dag_run_id"))
            previous, cursor = page["previous_cursor"], page["next_cursor"]
            assert (page["total_entries"], page["total_entries_limit"]) == (10, 10_000)
        assert [one for page in pages for one in page] == whole, order
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


REFUSED_TRIGGERS: list[tuple[Any, ...]] = [
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
]


def test_a_run_that_cannot_be_triggered(api: Client) -> None:
    for status, dag_id, body in REFUSED_TRIGGERS:
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
    assert (
        api.ok("POST", "/dags/~/dagRuns/list", json={"page_limit": 1, "page_offset": 1})["dag_runs"][0]["dag_run_id"]
        == "r2"
    )
    api.refused(422, "POST", "/dags/tea/dagRuns/list", json={})


def test_waiting_for_a_run_streams_its_states(api: Client, kettle: Store) -> None:
    kettle.xcoms.put("tea", "r2", "boil", XComEntry("return_value", b"[99]"), clock.now())

    async def wait() -> list[Any]:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v2") as client:
            params: dict[str, str | float] = {"interval": 0.01, "result": "boil"}
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


def test_the_end_of_a_run_is_told_at_once_however_long_the_interval(api: Client, kettle: Store) -> None:
    async def wait() -> tuple[list[Any], list[Any]]:
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v2") as client:

            async def ask(run_id: str) -> list[Any]:
                response = await client.get(f"/dags/tea/dagRuns/{run_id}/wait", params={"interval": 3600})
                return [json.loads(line)["state"] for line in response.text.splitlines()]

            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                marked, deleted = group.create_task(ask("r2")), group.create_task(ask("r3"))
                watch = api.app.state.context.run_watch
                while sum(map(len, watch._waiting.values())) < 2:  # noqa: ASYNC110 - nothing tells when a server listens
                    await asyncio.sleep(0.01)  # until both listen
                await asyncio.to_thread(kettle.runs.set_state, "tea", "r2", "success", clock.now())
                await asyncio.to_thread(kettle.runs.delete, "tea", "r3")
            assert not watch._waiting
            assert not watch._heard
            return marked.result(), deleted.result()

    marked, deleted = asyncio.run(wait())
    assert marked[-1] == "success"
    assert deleted[-1] is None
