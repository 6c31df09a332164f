"""Questions to people over REST, on both databases: who may answer, what, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gnomon.api.auth.roles import Role, User
from gnomon.api.public.app import create_app
from gnomon.service import clock
from gnomon.store.engine import Store
from gnomon.wire.human_input import AskPeople, Person
from tests.fixtures.api_client import Client
from tests.fixtures.api_data import DAY, NOW, add_run, add_ti

R1 = "/dags/tea/dagRuns/r1"
BOIL = f"{R1}/taskInstances/boil/-1/hitlDetails"
ALL = "/dags/~/dagRuns/~/hitlDetails"


def question(subject: str, **changes: Any) -> AskPeople:
    return AskPeople(**{"subject": subject, "options": ["yes", "no"], **changes})


@pytest.fixture
def asked(kettle: Store) -> Store:
    """The kettle with a question of r1's boil (1) and pours (2, 3), and of boil in another DAG's run."""
    kettle.human_input.ask(1, 1, question("Hot?", body="100 degrees", params=b'{"cups":2}'), NOW)
    kettle.human_input.ask(2, 1, question("Milk?", multiple=True, defaults=["no"]), NOW + DAY)
    kettle.human_input.ask(3, 1, question("Sugar?", assigned_users=[Person("ann", "Ann")]), NOW + 2 * DAY)
    return kettle


def subjects(found: dict[str, Any]) -> list[str]:
    assert found["total_entries"] == len(found["hitl_details"])
    return [one["subject"] for one in found["hitl_details"]]


CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (ALL, {}, ["Hot?", "Milk?", "Sugar?"]),
    (f"{R1}/hitlDetails", {"order_by": "-created_at"}, ["Sugar?", "Milk?", "Hot?"]),
    ("/dags/tea/dagRuns/r2/hitlDetails", {}, []),
    (ALL, {"task_id": "boil"}, ["Hot?"]),
    (ALL, {"task_id_pattern": "pour", "order_by": "subject"}, ["Milk?", "Sugar?"]),
    (ALL, {"task_id_prefix_pattern": "kitchen."}, ["Milk?", "Sugar?"]),
    (ALL, {"dag_id_pattern": "tea"}, ["Hot?", "Milk?", "Sugar?"]),
    (ALL, {"dag_id_prefix_pattern": "coffee"}, []),
    (ALL, {"map_index": 1}, ["Sugar?"]),
    (ALL, {"subject_search": "hot|sug"}, ["Hot?", "Sugar?"]),
    (ALL, {"body_search": "degrees"}, ["Hot?"]),
    (ALL, {"response_received": "true"}, []),
    (ALL, {"response_received": "false", "state": "success"}, ["Hot?", "Milk?", "Sugar?"]),
    (ALL, {"state": "awaiting_input"}, []),
    (ALL, {"created_at_gte": "2026-03-02T12:00:00Z"}, ["Milk?", "Sugar?"]),
    (ALL, {"created_at_lt": "2026-03-02T12:00:00Z"}, ["Hot?"]),
    (ALL, {"responded_by_user_id": "ann"}, []),
]


def test_questions_are_listed(api: Client, asked: Store) -> None:
    for path, params, expected in CASES:
        assert subjects(api.get(path, **params)) == expected, (path, params)


def test_a_question_shows_all_fields(api: Client, asked: Store) -> None:
    found = api.get(BOIL)
    assert found.pop("task_instance")["task_id"] == "boil"
    assert found == {
        "options": ["yes", "no"],
        "subject": "Hot?",
        "body": "100 degrees",
        "defaults": None,
        "multiple": False,
        "params": {"cups": {"value": 2, "description": None, "schema": {}}},
        "assigned_users": [],
        "created_at": "2026-03-01T12:00:00Z",
        "responded_by_user": None,
        "responded_at": None,
        "chosen_options": None,
        "params_input": {},
        "response_received": False,
    }
    assert api.get(f"{BOIL}/tries/1")["subject"] == "Hot?"
    api.refused(404, "GET", f"{BOIL}/tries/2")
    api.refused(404, "GET", f"{R1}/taskInstances/drink/-1/hitlDetails")
    api.refused(404, "GET", f"{R1}/taskInstances/boil/7/hitlDetails")


def test_an_answer_fits_and_is_given_once(api: Client, asked: Store) -> None:
    milk = f"{R1}/taskInstances/kitchen.pour/0/hitlDetails"
    for body, status in (
        ({"chosen_options": ["maybe"]}, 400),
        ({"chosen_options": ["yes", "no"]}, 400),
        ({"chosen_options": []}, 422),
        ({"chosen_options": ["yes"], "other": 1}, 422),
        ({}, 422),
    ):
        api.refused(status, "PATCH", BOIL, json=body)

    answer = api.ok("PATCH", BOIL, json={"chosen_options": ["yes"], "params_input": {"cups": 3}})
    assert answer.pop("responded_at")
    assert answer == {
        "responded_by": {"id": "Anonymous", "name": "Anonymous"},
        "chosen_options": ["yes"],
        "params_input": {"cups": 3},
    }
    assert "answered already" in api.refused(409, "PATCH", BOIL, json={"chosen_options": ["yes"]})
    assert api.ok("PATCH", milk, json={"chosen_options": ["yes", "no"]})["chosen_options"] == ["yes", "no"]
    assert subjects(api.get(ALL, response_received="true", responded_by_user_name="Anonymous")) == ["Hot?", "Milk?"]
    logged = api.get("/eventLogs", event="update_hitl_detail", task_id="boil")["event_logs"]
    assert logged[0]["owner"] == "Anonymous"


def test_only_who_was_asked_may_answer(asked: Store, user_client: Callable[[str, str], Client]) -> None:
    sugar = f"{R1}/taskInstances/kitchen.pour/1/hitlDetails"
    body = {"chosen_options": ["yes"]}

    assert "not a respondent" in user_client("bob", "admin").refused(403, "PATCH", sugar, json=body)
    assert "needs the role" in user_client("ann", "viewer").refused(403, "PATCH", BOIL, json=body)
    assert user_client("ann", "user").ok("PATCH", sugar, json=body)["responded_by"]["id"] == "ann"


@pytest.fixture
def user_client(asked: Store) -> Callable[[str, str], Client]:
    """Return a client of a user with a role."""

    def client(name: str, role: str) -> Client:
        made = Client(create_app(asked))
        token = made.app.state.context.tokens.for_user(User(name, Role[role.upper()]), clock.now())
        made.headers = {"Authorization": f"Bearer {token}"}
        return made

    return client


def test_the_question_of_an_earlier_try_stays(api: Client, asked: Store) -> None:
    run = add_run(asked, run_id="r9", day=9, state="running")
    ti = add_ti(asked, run, "boil", state="awaiting_input", try_number=2, seq=2)
    asked.human_input.ask(ti, 2, question("Second?"), NOW)
    path = "/dags/tea/dagRuns/r9/taskInstances/boil/-1/hitlDetails"

    assert api.get(path)["subject"] == "Second?"
    api.refused(404, "GET", f"{path}/tries/1")
    assert api.get(f"{path}/tries/2")["task_instance"]["try_number"] == 2
