"""Users, passwords, tokens, and where a server may listen."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.api import server
from gnomon.api.auth import roles, tokens, users
from gnomon.api.auth.roles import Role, User
from gnomon.api.auth.routes import is_local
from gnomon.service import clock
from gnomon.service.config import ConfigError, conf
from gnomon.wire.execution import TryKey

ANN = User("ann", Role.OP)


def test_passwords_are_made_once_and_only_the_owner_reads_them() -> None:
    conf.set("core", "simple_auth_manager_users", "ann:op, bob:viewer")
    made = users.ensure_passwords()
    assert set(made) == {"ann", "bob"}
    assert os.stat(users.passwords_file()).st_mode & 0o777 == 0o600
    assert users.ensure_passwords() == {}
    assert users.authenticate("ann", made["ann"]) == ANN
    assert users.authenticate("ann", made["bob"]) is None
    assert users.authenticate("ann", "") is None
    assert users.authenticate("eve", made["ann"]) is None


def test_a_user_who_was_taken_away_cannot_log_in() -> None:
    conf.set("core", "simple_auth_manager_users", "ann:op")
    password = users.ensure_passwords()["ann"]
    conf.set("core", "simple_auth_manager_users", "bob:op")
    assert users.authenticate("ann", password) is None


@pytest.mark.parametrize("entry", ["ann", "ann:boss", ":op"])
def test_a_wrong_user_entry_names_the_setting(entry: str) -> None:
    conf.set("core", "simple_auth_manager_users", entry)
    with pytest.raises(ConfigError, match=r"\[core\] simple_auth_manager_users"):
        users.users()


@pytest.mark.parametrize("text", ["{", "[]", '{"ann": 1}'])
def test_a_broken_passwords_file_is_named(text: str) -> None:
    users.passwords_file().write_text(text)
    with pytest.raises(ConfigError, match="passwords"):
        users.ensure_passwords()


def test_tokens_say_who_and_expire() -> None:
    now, made = clock.now(), tokens.Tokens("k" * 64)
    assert made.user(made.for_user(ANN, now)) == ANN
    key = TryKey(7, 3)
    assert made.try_key(made.for_try(key, now)) == key
    others = tokens.Tokens("o" * 64)
    old = now - timedelta(days=2)
    bad = [made.for_user(ANN, old), others.for_user(ANN, now), made.for_try(key, now), "", "a.b.c"]
    for token in bad:
        with pytest.raises(tokens.BadToken):
            made.user(token)
    for token in (made.for_try(key, old), others.for_try(key, now), made.for_user(ANN, now)):
        with pytest.raises(tokens.BadToken):
            made.try_key(token)


def test_an_unsigned_token_is_refused() -> None:
    import jwt

    claims = {"sub": "eve", "role": "ADMIN", "aud": "apache-airflow", "exp": datetime(2100, 1, 1, tzinfo=UTC)}
    with pytest.raises(tokens.BadToken):
        tokens.Tokens("k" * 64).user(jwt.encode(claims, "", algorithm="none"))


def test_the_secret_is_made_once_per_home_and_private(airflow_home: Path) -> None:
    first = tokens.secret()
    assert tokens.secret() == first
    assert len(first) >= 64
    made = [path for path in airflow_home.iterdir() if "jwt" in path.name]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600]
    conf.set("api_auth", "jwt_secret", "given")
    assert tokens.secret() == "given"


def test_signed_texts() -> None:
    token = tokens.sign('{"a": "ü"}', "k")
    assert tokens.unsign(token, "k") == '{"a": "ü"}'
    for bad in (token + "x", token.replace(".", "x."), "", ".", "a"):
        with pytest.raises(tokens.BadToken):
            tokens.unsign(bad, "k")
    with pytest.raises(tokens.BadToken):
        tokens.unsign(token, "other")


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        (Role.VIEWER, {"DAGS", "POOLS", "CONFIG", "VIEWS"}, set()),
        (Role.USER, {"DAGS", "POOLS", "CONFIG", "VIEWS"}, {"DAGS"}),
        (Role.OP, {"DAGS", "POOLS", "CONFIG", "VIEWS", "CONNECTIONS", "VARIABLES"}, {"all"}),
        (Role.ADMIN, {"DAGS", "POOLS", "CONFIG", "VIEWS", "CONNECTIONS", "VARIABLES"}, {"all"}),
    ],
)
def test_each_role_may_do_what_the_lower_ones_may(role: Role, reads: set[str], writes: set[str]) -> None:
    kinds = {name: getattr(roles, name) for name in ("DAGS", "POOLS", "CONFIG", "VIEWS", "CONNECTIONS", "VARIABLES")}
    user = User("x", role)
    assert {name for name, access in kinds.items() if user.may(access, write=False)} == reads
    expected = set(kinds) if writes == {"all"} else writes
    assert {name for name, access in kinds.items() if user.may(access, write=True)} == expected


@pytest.mark.parametrize("target", ["https://evil", "//evil", "/\\evil", "\\evil", "evil", ""])
def test_a_login_never_sends_the_browser_elsewhere(target: str) -> None:
    assert not is_local(target)
    assert is_local("/dags?x=1")


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_without_logins_only_this_machine_may_connect(host: str, local: bool) -> None:
    server.check_login(host)  # with logins, any address
    conf.set("core", "simple_auth_manager_all_admins", "True")
    if local:
        server.check_login(host)
    else:
        with pytest.raises(server.CannotServe, match=r"--host 0\.0\.0\.0 .*simple_auth_manager_all_admins"):
            server.check_login(host)


def test_a_port_in_use_is_told_with_its_number_and_option() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(server.CannotServe, match=rf"port {port} .*--port") as refused:
            server.listen("127.0.0.1", port)
    assert "\n" not in str(refused.value)
    with pytest.raises(server.CannotServe, match="70000"):
        server.listen("127.0.0.1", 70000)


def test_the_passwords_file_is_json() -> None:
    users.ensure_passwords()
    assert set(json.loads(users.passwords_file().read_text())) == {"admin"}
