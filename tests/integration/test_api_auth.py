"""Logging in, roles, and the execution protocol over HTTP."""

from __future__ import annotations

import pytest

from gnomon.api.auth import users
from gnomon.api.auth.roles import ANONYMOUS
from gnomon.api.auth.tokens import Tokens, secret
from gnomon.api.execution.http import PATH
from gnomon.api.public.app import create_app
from gnomon.service import clock
from gnomon.service.config import conf
from gnomon.store.engine import Store
from gnomon.wire import execution as wire
from gnomon.wire.framing import Splitter, pack
from tests.fixtures.api_client import Client

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def closed(kettle: Store) -> Client:
    """A server where one has to log in."""
    conf.set("core", "simple_auth_manager_users", "vic:viewer,una:user,opa:op,ada:admin")
    users.ensure_passwords()
    return Client(create_app(kettle), "")


def log_in(client: Client, name: str) -> None:
    passwords = users._parse(users.passwords_file(), users.passwords_file().read_text())
    body = {"username": name, "password": passwords[name]}
    token = client.ok("POST", "/auth/token", json=body, status=201)["access_token"]
    client.headers = {"Authorization": f"Bearer {token}"}


def test_without_a_token_nothing_but_health_is_told(closed: Client) -> None:
    for path in ("/api/v2/dags", "/api/v2/variables", "/api/v2/config", "/api/v2/jobs"):
        assert "log in" in closed.refused(401, "GET", path)
    closed.refused(401, "PATCH", "/api/v2/dags/tea", json={"is_paused": True})
    closed.ok("GET", "/api/v2/monitor/health")
    closed.ok("GET", "/api/v2/version")
    closed.headers = {"Authorization": "Bearer nonsense"}
    closed.refused(401, "GET", "/api/v2/dags")


def test_logging_in(closed: Client) -> None:
    closed.refused(401, "POST", "/auth/token", json={"username": "ada", "password": "wrong"})
    closed.refused(401, "POST", "/auth/token", json={"username": "eve", "password": "wrong"})
    closed.refused(400, "POST", "/auth/token", json={"username": "ada", "password": ""})
    detail = closed.refused(422, "POST", "/auth/token", json={"username": "ada", "pass": "s3cr3t"})
    assert "s3cr3t" not in str(detail)
    closed.refused(403, "GET", "/auth/token")
    log_in(closed, "ada")
    assert closed.ok("GET", "/api/v2/dags")["total_entries"] == 1
    closed.headers = {"Cookie": f"_token={closed.headers['Authorization'].removeprefix('Bearer ')}"}
    assert closed.ok("GET", "/api/v2/dags")["total_entries"] == 1


def test_a_form_and_the_command_lines_token(closed: Client) -> None:
    password = users._parse(users.passwords_file(), users.passwords_file().read_text())["vic"]
    body = {"username": "vic", "password": password}
    assert closed.ok("POST", "/auth/token", data=body, status=201)["access_token"]
    assert closed.ok("POST", "/auth/token/cli", json=body, status=201)["access_token"]


@pytest.mark.parametrize(
    ("name", "may_pause", "may_see_secrets"),
    [("vic", False, False), ("una", True, False), ("opa", True, True), ("ada", True, True)],
)
def test_roles(closed: Client, name: str, may_pause: bool, may_see_secrets: bool) -> None:
    log_in(closed, name)
    closed.ok("GET", "/api/v2/dags")
    closed.ok("POST", "/api/v2/dags/~/dagRuns/list", json={})  # a POST that reads
    pause = closed.send("PATCH", "/api/v2/dags/tea", json={"is_paused": True})
    assert pause.status_code == (200 if may_pause else 403)
    for path in ("/api/v2/variables", "/api/v2/connections"):
        assert closed.send("GET", path).status_code == (200 if may_see_secrets else 403)
    pool = closed.send("POST", "/api/v2/pools", json={"name": "p", "slots": 1})
    assert pool.status_code == (201 if may_see_secrets else 403)
    if not may_see_secrets:
        assert "needs the role op" in pool.json()["detail"]
    else:
        log = closed.ok("GET", "/api/v2/eventLogs", params={"event": "post_pool"})
        assert log["event_logs"][0]["owner"] == name


def test_where_everybody_is_admin_a_token_needs_no_password(kettle: Store) -> None:
    conf.set("core", "simple_auth_manager_all_admins", "True")
    client = Client(create_app(kettle), "")
    assert client.ok("GET", "/auth/token", status=201)["access_token"]
    assert client.ok("POST", "/auth/token", json={}, status=201)["access_token"]
    response = client.send("GET", "/auth/token/login", params={"next": "https://evil"})
    assert (response.status_code, response.headers["location"]) == (307, "/")
    assert "_token=" in response.headers["set-cookie"]
    assert client.send("GET", "/api/v2/auth/login").headers["location"].startswith("/auth/token/login")


# ------------------------------------------------------------------------------ the execution protocol over HTTP


def ask(client: Client, request: wire.Request | bytes, token: str) -> tuple[int, wire.Reply]:
    body = request if isinstance(request, bytes) else pack(wire.encode(request))
    response = client.send("POST", PATH, content=body, headers={"Authorization": f"Bearer {token}"})
    (frame,) = Splitter().feed(response.content)
    return response.status_code, wire.decoder(wire.Reply).decode(frame)


def test_a_remote_worker_is_answered_in_the_name_of_its_try(closed: Client, kettle: Store) -> None:
    tokens, now = Tokens(secret()), clock.now()
    mine = tokens.for_try(wire.TryKey(1, 1), now)
    entry = wire.XComEntry("return_value", b"42")
    put = wire.PutXCom(dag_id="tea", run_id="r1", task_id="boil", entry=entry)
    assert ask(closed, put, mine) == (200, wire.Done())
    assert kettle.xcoms.get("tea", "r1", "boil") == b"42"
    status, reply = ask(closed, put, tokens.for_try(wire.TryKey(6, 1), now))  # of run r2
    assert (status, reply.code) == (200, "forbidden")  # type: ignore[union-attr]
    for token in ("", "x", tokens.for_user(ANONYMOUS, now)):
        status, reply = ask(closed, put, token)
        assert (status, reply.code) == (401, "forbidden")  # type: ignore[union-attr]
    for body in (b"", b"\0\0\0\1", pack(b"\xc1"), pack(wire.encode(wire.Done())), pack(b"\x80") * 2):
        status, reply = ask(closed, body, mine)
        assert (status, reply.code) == (400, "invalid")  # type: ignore[union-attr]
