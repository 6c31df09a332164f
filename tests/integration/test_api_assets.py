"""Assets over REST, on both databases."""

from __future__ import annotations

import pytest

from gnomon.api.auth.roles import ASSETS, Role, User
from gnomon.service import clock
from gnomon.store import asset_tables as a
from gnomon.store.engine import Store
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import add_dag

_LEAF = {"asset": {"name": "leaf", "uri": "s3://leaf", "group": "plant", "extra": {"password": "geheim", "n": 1}}}
_POT = {"asset": {"name": "pot", "uri": "pot", "group": "asset", "extra": {}}}


@pytest.fixture
def garden(kettle: Store) -> Store:
    """A DAG that picks leaves, one that waits for leaves and a pot, and one that waits for an alias."""
    pick = SerializedTask(task_id="pick", outlets=[_LEAF], inlets=[_POT])
    add_dag(kettle, SerializedDag(dag_id="pick", tasks=[pick], timetable=TimetableSpec(kind="null")))
    brew = TimetableSpec(kind="assets", assets={"all": [_LEAF, _POT]})
    add_dag(kettle, SerializedDag(dag_id="brew", tasks=[], timetable=brew, dag_display_name="Brew!"))
    smell = TimetableSpec(kind="assets", assets={"any": [{"alias": "scent"}, {"ref": {"name": "leaf"}}]})
    add_dag(kettle, SerializedDag(dag_id="smell", tasks=[], timetable=smell))
    return kettle


def number_of(api: Client, name: str) -> int:
    return int(api.get("/assets", name_pattern=name)["assets"][0]["id"])


def test_assets_say_who_names_them(api: Client, garden: Store) -> None:
    found = api.get("/assets", order_by="-name")
    assert ids(found["assets"], "name") == ["pot", "leaf"]
    leaf = found["assets"][1]
    assert (leaf["uri"], leaf["group"]) == ("s3://leaf", "plant")
    assert leaf["extra"] == {"password": "***", "n": 1}
    assert ids(leaf["scheduled_dags"], "dag_id") == ["brew"]
    assert leaf["producing_tasks"][0].keys() == {"dag_id", "task_id", "created_at", "updated_at"}
    assert leaf["last_asset_event"] == {"id": None, "timestamp": None}
    assert ids(found["assets"][0]["consuming_tasks"], "task_id") == ["pick"]
    assert api.get(f"/assets/{leaf['id']}") == leaf
    assert api.refused(404, "GET", "/assets/999") == "Asset with ID: `999` was not found"


def test_which_assets(api: Client, garden: Store) -> None:
    def names(**params: object) -> list[str]:
        return ids(api.get("/assets", order_by="name", **params)["assets"], "name")

    assert names(uri_prefix_pattern="s3:") == ["leaf"]
    assert names(dag_ids=["pick", "nobody"]) == ["leaf", "pot"]
    assert names(dag_ids="nobody") == []
    add_dag(garden, SerializedDag(dag_id="pick", tasks=[], timetable=TimetableSpec(kind="null")))
    add_dag(garden, SerializedDag(dag_id="brew", tasks=[], timetable=TimetableSpec(kind="null")))
    assert names() == []
    assert names(only_active="false") == ["leaf", "pot"]
    api.refused(400, "GET", "/assets", params={"order_by": "colour"})


def test_aliases(api: Client, garden: Store) -> None:
    (alias,) = api.get("/assets/aliases", name_pattern="SCENT")["asset_aliases"]
    assert alias == {"id": alias["id"], "name": "scent", "group": "asset"}
    assert api.get(f"/assets/aliases/{alias['id']}") == alias
    api.refused(404, "GET", "/assets/aliases/999")


def test_an_event_by_hand_is_queued_and_can_be_taken_back(api: Client, garden: Store) -> None:
    leaf = number_of(api, "leaf")
    event = api.ok("POST", "/assets/events", json={"asset_id": leaf, "extra": {"kilos": 2}})
    assert (event["name"], event["extra"]) == ("leaf", {"kilos": 2, "from_rest_api": True})
    assert (event["source_dag_id"], event["source_map_index"], event["created_dagruns"]) == (None, -1, [])

    (queued, other) = api.get(f"/assets/{leaf}/queuedEvents")["queued_events"]
    assert (queued["dag_id"], queued["dag_display_name"], other["dag_id"]) == ("brew", "Brew!", "smell")
    assert api.get("/dags/brew/assets/queuedEvents")["total_entries"] == 1
    assert api.get(f"/dags/brew/assets/{leaf}/queuedEvents") == queued
    assert api.get("/dags/brew/assets/queuedEvents", before="2020-01-01T00:00:00Z")["total_entries"] == 0
    api.ok("DELETE", f"/dags/brew/assets/{leaf}/queuedEvents", status=204)
    api.refused(404, "GET", f"/dags/brew/assets/{leaf}/queuedEvents")
    api.refused(404, "DELETE", "/dags/brew/assets/queuedEvents")
    api.ok("DELETE", f"/assets/{leaf}/queuedEvents", status=204)
    api.refused(404, "DELETE", f"/assets/{leaf}/queuedEvents")
    api.refused(422, "GET", f"/assets/{leaf}/queuedEvents", params={"before": "yesterday"})


@pytest.mark.parametrize(
    ("body", "status"),
    [({"asset_id": 999}, 404), ({}, 422), ({"asset_id": 1, "partition_key": " "}, 422), ({"asset_id": 1, "x": 1}, 422)],
)
def test_an_event_that_cannot_be(api: Client, garden: Store, body: dict[str, object], status: int) -> None:
    api.refused(status, "POST", "/assets/events", json=body)


def test_events_of_tasks_and_the_runs_that_they_started(api: Client, garden: Store) -> None:
    leaf, pot = number_of(api, "leaf"), number_of(api, "pot")
    first = garden.assets.emit(leaf, clock.now())
    second = garden.assets.emit(pot, clock.now(), partition_key="p")
    run = garden.runs.create("brew", "b1", now=clock.now(), run_after=clock.now(), run_type="asset_triggered")
    with garden.database.write() as conn:
        rows = [{"dag_run_id": run.id, "event_id": event} for event in (first, second)]
        conn.execute(a.dag_run_asset_event.insert(), rows)
        update = a.asset_event.update().where(a.asset_event.c.id == first)
        conn.execute(update.values(source_dag_id="pick", source_task_id="pick", source_run_id="p1"))

    assert ids(api.get("/assets/events", source_dag_id="pick")["asset_events"], "id") == [first]
    assert ids(api.get("/assets/events", order_by="-timestamp")["asset_events"], "id") == [second, first]
    assert ids(api.get("/assets/events", asset_id=pot, name_pattern="po")["asset_events"], "partition_key") == ["p"]
    upstream = api.get("/dags/brew/dagRuns/b1/upstreamAssetEvents")
    assert [one["created_dagruns"][0]["triggering"] for one in upstream["asset_events"]] == [False, True]
    assert api.get("/dags/~/dagRuns", consuming_asset_pattern="LEAF")["dag_runs"][0]["dag_run_id"] == "b1"
    assert api.get("/dags/~/dagRuns", consuming_asset_pattern="cup")["dag_runs"] == []
    api.refused(404, "GET", "/dags/brew/dagRuns/none/upstreamAssetEvents")
    assert api.get(f"/assets/{leaf}")["last_asset_event"]["id"] == first


def test_an_asset_is_made_by_the_one_dag_that_makes_it(api: Client, garden: Store) -> None:
    leaf, pot = number_of(api, "leaf"), number_of(api, "pot")
    run = api.ok("POST", f"/assets/{leaf}/materialize", json={"conf": {"k": 1}, "note": "please"})
    assert (run["dag_id"], run["run_type"], run["conf"]) == ("pick", "asset_materialization", {"k": 1})
    assert run["dag_run_id"].startswith("asset_materialization__")
    api.ok("POST", f"/assets/{leaf}/materialize")
    assert api.refused(404, "POST", f"/assets/{pot}/materialize") == f"No Dag materializes asset with ID: {pot}"
    task = SerializedTask(task_id="t", outlets=[_LEAF])
    add_dag(garden, SerializedDag(dag_id="too", tasks=[task], timetable=TimetableSpec(kind="null")))
    api.refused(409, "POST", f"/assets/{leaf}/materialize")


def test_dags_show_what_they_wait_for(api: Client, garden: Store) -> None:
    leaf = {"asset": {"uri": "s3://leaf", "name": "leaf", "group": "plant"}}
    pot = {"asset": {"uri": "pot", "name": "pot", "group": "asset"}}
    assert api.get("/dags/brew/details")["asset_expression"] == {"all": [leaf, pot]}
    assert ids(api.get("/dags", asset_dependency="leaf")["dags"], "dag_id") == ["brew"]
    assert ids(api.get("/dags", has_asset_schedule="true")["dags"], "dag_id") == ["brew", "smell"]


def test_a_partition_key_is_for_partitioned_dags(api: Client, garden: Store) -> None:
    spec = TimetableSpec(kind="cron_trigger", crons=["@daily"], data={"key_format": "%Y-%m-%d", "run_offset": 0})
    add_dag(garden, SerializedDag(dag_id="daily", tasks=[], timetable=spec))

    def trigger(dag_id: str, key: str) -> dict[str, object]:
        return {"path": f"/dags/{dag_id}/dagRuns", "json": {"logical_date": None, "partition_key": key}}

    assert api.get("/dags/daily")["timetable_partitioned"] is True
    assert api.get("/dags/pick")["timetable_partitioned"] is False
    run = api.ok("POST", **trigger("daily", "2026-02-03"))
    assert (run["partition_key"], run["partition_date"]) == ("2026-02-03", "2026-02-03T00:00:00Z")
    assert "key_format" in api.refused(400, "POST", **trigger("daily", "tomorrow"))
    assert "not a partitioned Dag" in api.refused(400, "POST", **trigger("pick", "x"))


def test_partitions_are_taken_away_from_runs(api: Client, garden: Store) -> None:
    spec = TimetableSpec(
        kind="cron_trigger", crons=["@daily"], timezone="Asia/Tokyo", data={"key_format": "%Y-%m-%d", "run_offset": 0}
    )
    add_dag(garden, SerializedDag(dag_id="daily", tasks=[], timetable=spec))
    for day in (1, 2, 3):
        body = {"logical_date": None, "partition_key": f"2026-02-0{day}", "dag_run_id": f"d{day}"}
        api.ok("POST", "/dags/daily/dagRuns", json=body)

    def clear(**body: object) -> int:
        return int(api.ok("POST", "/dags/daily/clearPartitions", json=body)["dag_runs_cleared"])

    window = {"partition_date_start": "2026-02-02T00:00:00", "partition_date_end": "2026-02-03T00:00:00Z"}
    assert clear(**window) == 2
    assert clear(**window, dry_run=False) == 2
    assert clear(run_id="d1") == clear(partition_key="2026-02-01") == 1
    assert clear(run_id="d2") == 0
    keys = ids(api.get("/dags/daily/dagRuns", order_by="run_id")["dag_runs"], "partition_key")
    assert keys == ["2026-02-01", None, None]
    api.refused(422, "POST", "/dags/daily/clearPartitions", json={})
    api.refused(422, "POST", "/dags/daily/clearPartitions", json={"run_id": "d1", **window})
    api.refused(404, "POST", "/dags/none/clearPartitions", json={"run_id": "d1"})


def test_who_may_make_events() -> None:
    assert User("u", Role.VIEWER).may(ASSETS, write=False)
    assert not User("u", Role.USER).may(ASSETS, write=True)
    assert User("u", Role.OP).may(ASSETS, write=True)
