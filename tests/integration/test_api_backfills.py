"""Backfills over REST, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from gnomon.service.config import conf
from gnomon.store.engine import Store
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import add_dag, tea

_BODY = {"dag_id": "pot", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-03T00:00:00"}


@pytest.fixture
def pots(kettle: Store) -> Store:
    """The DAG "pot" without any run."""
    add_dag(kettle, tea("pot", dag_display_name="Pot!"))
    return kettle


def create(api: Client, **changes: Any) -> dict[str, Any]:
    return dict(api.ok("POST", "/backfills", json={**_BODY, **changes}))


def runs(api: Client) -> list[dict[str, Any]]:
    return list(api.get("/dags/pot/dagRuns", order_by="logical_date")["dag_runs"])


def test_a_backfill_is_created_and_shown(api: Client, pots: Store) -> None:
    made = create(api, dag_run_conf={"cups": 3}, max_active_runs=2)

    assert api.get(f"/backfills/{made['id']}") == made
    assert {key: made[key] for key in made.keys() - {"id", "created_at", "updated_at"}} == {
        "dag_id": "pot",
        "dag_display_name": "Pot!",
        "from_date": "2026-01-01T00:00:00Z",
        "to_date": "2026-01-03T00:00:00Z",
        "dag_run_conf": {"cups": 3},
        "is_paused": False,
        "reprocess_behavior": "none",
        "max_active_runs": 2,
        "completed_at": None,
    }
    found = runs(api)
    assert [(run["dag_run_id"], run["run_type"], run["state"]) for run in found] == [
        (f"backfill__2026-01-0{day}T00:00:00+00:00", "backfill", "queued") for day in (1, 2, 3)
    ]
    assert (found[0]["triggered_by"], found[0]["conf"], found[0]["triggering_user_name"]) == (
        "backfill", {"cups": 3}, "Anonymous",
    )  # fmt: skip


def test_backfills_of_a_dag_are_listed(api: Client, pots: Store) -> None:
    first = create(api)["id"]
    api.ok("PUT", f"/backfills/{first}/cancel")
    second = create(api, from_date="2026-01-02T00:00:00Z", to_date="2026-01-05T00:00:00Z")["id"]

    page = api.get("/backfills", dag_id="pot", order_by="-id", limit=1)
    assert (ids(page["backfills"], "id"), page["total_entries"]) == ([second], 2)
    assert api.get("/backfills", dag_id="tea") == {"backfills": [], "total_entries": 0}
    assert api.send("GET", "/backfills").status_code == 422
    assert api.refused(404, "GET", "/backfills/99") == "Backfill not found"


def test_pausing_and_cancelling(api: Client, pots: Store) -> None:
    number = create(api)["id"]

    assert api.ok("PUT", f"/backfills/{number}/pause")["is_paused"] is True
    assert api.ok("PUT", f"/backfills/{number}/pause")["is_paused"] is True
    assert api.ok("PUT", f"/backfills/{number}/unpause")["is_paused"] is False
    cancelled = api.ok("PUT", f"/backfills/{number}/cancel")
    assert cancelled["is_paused"] is True
    assert cancelled["completed_at"] is not None
    assert [run["state"] for run in runs(api)] == ["failed"] * 3
    for what in ("pause", "unpause", "cancel"):
        assert api.refused(409, "PUT", f"/backfills/{number}/{what}") == "Backfill is already completed."
        assert api.refused(404, "PUT", f"/backfills/99/{what}")


def test_a_run_that_was_cancelled_before_it_began_can_be_cleared(api: Client, pots: Store) -> None:
    api.ok("PUT", f"/backfills/{create(api)['id']}/cancel")
    path = f"/dags/pot/dagRuns/{runs(api)[0]['dag_run_id']}"

    assert api.ok("POST", f"{path}/clear", json={"dry_run": False})["state"] == "queued"
    assert [run["state"] for run in runs(api)] == ["queued", "failed", "failed"]


def test_a_dry_run_makes_nothing(api: Client, pots: Store) -> None:
    asked = {**_BODY, "run_backwards": True}
    found = api.ok("POST", "/backfills/dry_run", json=asked)

    assert found["total_entries"] == 3
    assert found["backfills"][0] == {
        "logical_date": "2026-01-03T00:00:00Z",
        "partition_key": None,
        "partition_date": None,
    }
    assert runs(api) == []
    create(api)
    assert api.ok("POST", "/backfills/dry_run", json=asked)["total_entries"] == 0


def test_partitions_in_a_dry_run(api: Client, pots: Store) -> None:
    add_dag(
        pots, tea("pot", timetable=TimetableSpec(kind="cron_trigger", crons=["0 0 * * *"], data={"key_format": "%d"}))
    )
    found = api.ok("POST", "/backfills/dry_run", json=_BODY)

    assert found["backfills"][1] == {
        "logical_date": None,
        "partition_key": "02",
        "partition_date": "2026-01-02T00:00:00Z",
    }


def test_what_is_refused(api: Client, pots: Store) -> None:
    def refused(status: int, **changes: Any) -> str:
        said = str(api.refused(status, "POST", "/backfills", json={**_BODY, **changes}))
        if "max_active_runs" not in changes or status == 422:
            assert str(api.refused(status, "POST", "/backfills/dry_run", json={**_BODY, **changes})) == said
        return said

    past = SerializedTask(task_id="t", depends_on_past=True)
    add_dag(pots, tea("past", tasks=[past], groups=[]))
    add_dag(pots, SerializedDag(dag_id="never", tasks=[], timetable=TimetableSpec(kind="null")))
    add_dag(pots, tea("choosy", allowed_run_types=["manual"]))
    assert "'nosuch'" in refused(404, dag_id="nosuch")
    assert "does not allow backfill runs" in refused(400, dag_id="choosy")
    assert "no periodic schedule" in refused(422, dag_id="never")
    assert "is after to_date" in refused(422, to_date="2025-12-31T00:00:00Z")
    assert "in the future" in refused(422, from_date="2126-01-01T00:00:00Z", to_date="2126-01-02T00:00:00Z")
    assert "backwards" in refused(422, dag_id="past", run_backwards=True, reprocess_behavior="failed")
    assert "reprocess behavior" in refused(422, dag_id="past")
    assert "Param 'cups'" in refused(422, dag_run_conf={"cups": 0})
    assert "at least 1" in refused(422, max_active_runs=0)
    assert "reprocess_behavior" in refused(422, reprocess_behavior="all")
    noon = {"from_date": "2026-01-01T12:00:00Z", "to_date": "2026-01-01T13:00:00Z"}
    assert "no runs from" in str(api.refused(422, "POST", "/backfills", json={**_BODY, **noon}))
    create(api)
    assert "one at a time" in str(api.refused(409, "POST", "/backfills", json=_BODY))


def test_whether_a_dag_can_be_backfilled(api: Client, pots: Store) -> None:
    for kind, can in (("events", True), ("null", False), ("continuous", False)):
        add_dag(pots, SerializedDag(dag_id=kind, tasks=[], timetable=TimetableSpec(kind=kind)))
        assert api.get(f"/dags/{kind}")["is_backfillable"] is can, kind
    custom = TimetableSpec(kind="custom", classpath="a.B", periodic=True)
    both = TimetableSpec(kind="asset_or_time", assets={"any": []}, base=custom)
    add_dag(pots, SerializedDag(dag_id="both", tasks=[], timetable=both))
    assert api.get("/dags/both")["is_backfillable"] is True


def test_a_new_version_counts_as_the_setting_says(api: Client, pots: Store) -> None:
    create(api, to_date=_BODY["from_date"])
    api.ok("PUT", "/backfills/1/cancel")
    old = runs(api)[0]["dag_versions"][-1]["version_number"]
    add_dag(pots, tea("pot", description="new"))
    again = {"to_date": _BODY["from_date"], "reprocess_behavior": "failed"}
    conf.set("core", "rerun_with_latest_version", "False")
    try:
        number = create(api, **again)["id"]
        assert runs(api)[0]["dag_versions"][-1]["version_number"] == old
    finally:
        conf.remove_option("core", "rerun_with_latest_version")
    api.ok("PUT", f"/backfills/{number}/cancel")
    create(api, **again)
    assert runs(api)[0]["dag_versions"][-1]["version_number"] == old + 1
