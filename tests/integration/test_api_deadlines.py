"""Deadlines over REST, on both databases."""

from __future__ import annotations

from typing import Any

import httpx

from gnomon.store.deadlines import NewDeadline
from gnomon.store.engine import Store
from gnomon.store.types import to_micros
from tests.fixtures.api_client import Client, ids
from tests.fixtures.api_data import DAY, NOW, add_dag, add_run, tea

_CALLBACK = {"kind": "SyncCallback", "path": "a.b", "kwargs": {}, "executor": None}
_ALERTS: list[dict[str, Any]] = [
    {
        "name": "soon",
        "reference": {"reference_type": "DagRunQueuedAtDeadline"},
        "interval": 60.0,
        "callback": _CALLBACK,
    },
    {
        "name": None,
        "reference": {"reference_type": "Mine", "classpath": "a.Mine"},
        "interval": {"variable": "v"},
        "callback": _CALLBACK,
    },
]


def fill(store: Store) -> None:
    add_dag(store, tea("pot", deadline=_ALERTS))
    runs = [add_run(store, "pot", f"p{n}", day=n) for n in (1, 2)]
    late, soon = to_micros(NOW), to_micros(NOW + DAY)
    rows = [
        NewDeadline(101, runs[0], 0, "soon", late, "{}"),
        NewDeadline(102, runs[0], 1, None, None, "{}"),  # it does not apply
        NewDeadline(103, runs[1], 0, "soon", soon, "{}"),
    ]
    with store.database.write() as conn:
        store.deadlines.make_in(conn, rows, late)
        store.deadlines.miss_in(conn, 101, 500, late)


def ask(api: Client, path: str, **query: Any) -> httpx.Response:
    return Client(api.app, "/ui").send("GET", path, params=query)


def test_deadlines_of_a_run_of_a_dag_and_of_all(api: Client, kettle: Store) -> None:
    fill(kettle)
    (only,) = ask(api, "/dags/pot/dagRuns/p1/deadlines").json()["deadlines"]
    assert (only["dag_id"], only["dag_run_id"], only["missed"], only["alert_name"]) == ("pot", "p1", True, "soon")
    assert only["id"] == "00000000-0000-0000-0000-000000000065"
    every = ask(api, "/dags/~/dagRuns/~/deadlines").json()
    assert every["total_entries"] == 2
    assert ids(every["deadlines"], "dag_run_id") == ["p1", "p2"]
    assert ids(
        ask(api, "/dags/pot/dagRuns/~/deadlines", order_by="-deadline_time").json()["deadlines"], "dag_run_id"
    ) == [
        "p2",
        "p1",
    ]
    assert ids(ask(api, "/dags/pot/dagRuns/~/deadlines", missed=False).json()["deadlines"], "dag_run_id") == ["p2"]
    assert ask(api, "/dags/pot/dagRuns/p9/deadlines").status_code == 404
    assert ask(api, "/dags/~/dagRuns/p1/deadlines").status_code == 400
    assert ask(api, "/dags/tea/dagRuns/r1/deadlines").json() == {"deadlines": [], "total_entries": 0}


def test_alerts_of_a_dag(api: Client, kettle: Store) -> None:
    fill(kettle)
    found = ask(api, "/dags/pot/deadlineAlerts", order_by="id").json()
    assert found["total_entries"] == 2
    shown = [(one["name"], one["reference_type"], one["interval"]) for one in found["deadline_alerts"]]
    assert shown == [("soon", "DagRunQueuedAtDeadline", 60.0), (None, "Mine", None)]
    (row,) = ask(api, "/dags/pot/dagRuns/p1/deadlines").json()["deadlines"]
    assert row["alert_id"] == found["deadline_alerts"][0]["id"]
    assert ask(api, "/dags/pot/deadlineAlerts", version_number=9).status_code == 404
    assert ask(api, "/dags/cup/deadlineAlerts").status_code == 404
    assert ask(api, "/dags/pot/deadlineAlerts", order_by="callback").status_code == 400
