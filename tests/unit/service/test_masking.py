"""Secrets never come out."""

from __future__ import annotations

import json
from collections import namedtuple
from enum import Enum
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.service.masking import MASK, SecretsMasker


@pytest.fixture
def masker() -> SecretsMasker:
    return SecretsMasker()


def test_a_learnt_secret_is_hidden_wherever_it_stands(masker):
    masker.add("hunter22")
    assert masker.redact("the password is hunter22, hunter22!") == "the password is ***, ***!"
    assert masker.redact(b"raw hunter22 \xff") == b"raw *** \xff"
    assert masker.redact({"a": ["hunter22", ("x hunter22", {"hunter22"})]}) == {"a": [MASK, ("x ***", {MASK})]}
    assert masker.redact({"hunter22": 1}) == {MASK: 1}


@given(st.text(min_size=5).filter(lambda text: len(text.strip()) >= 5 and text.strip().lower() != "airflow"))
def test_a_secret_is_hidden_in_every_spelling(secret):
    masker = SecretsMasker()
    masker.add(secret)
    for spelled in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr([secret])):
        assert secret.strip() not in masker.redact(spelled)
        assert MASK in masker.redact(spelled)
    assert masker.redact(f"postgresql://me:{quote(secret, safe='', errors='replace')}@h/d") == "postgresql://me:***@h/d"


def test_a_long_secret_is_hidden_line_by_line(masker):
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----"
    masker.add(key)
    assert [masker.redact(line) for line in key.splitlines()] == [MASK] * 4


def test_a_secret_in_a_secret_is_hidden_whole(masker):
    masker.add("abcdef")
    masker.add("abcdefghi")
    assert masker.redact("abcdefghi abcdef") == "*** ***"


@pytest.mark.parametrize("value", ["1234", "  12 ", "", "airflow", "Airflow"])
def test_what_is_too_short_or_too_common_is_no_secret(masker, value):
    masker.add(value)
    assert masker.redact(f"x {value} y") == f"x {value} y"


def test_the_shortest_secret_is_a_setting(masker, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", "3")
    masker.add("abc")
    assert masker.redact("abc") == MASK


@pytest.mark.parametrize("name", ["password", "AWS_SECRET_ACCESS_KEY", "my_api_key", "x-Authorization", " Token "])
def test_sensitive_names_hide_their_values(masker, name):
    assert masker.is_sensitive(name)
    assert masker.redact("anything", name) == MASK
    assert masker.redact({name: {"deep": ["x", 5, None, True]}}) == {name: {"deep": [MASK, MASK, None, True]}}


@pytest.mark.parametrize("name", ["user", "conn_id", "passenger", 5, None])
def test_other_names_do_not(masker, name):
    assert not masker.is_sensitive(name)
    assert masker.redact({name: "anything"}) == {name: "anything"}


def test_more_sensitive_names_by_setting(masker, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES", "salary, Ssn")
    assert masker.redact({"ssn": "1", "Salary": "2", "name": "3"}) == {"ssn": MASK, "Salary": MASK, "name": "3"}


def test_hiding_by_name_can_be_turned_off(masker, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS", "False")
    assert masker.redact({"password": "x"}) == {"password": "x"}


def test_a_name_decides_whether_a_value_is_learnt(masker):
    masker.add("shown-value", "colour")
    masker.add("hidden-value", "db_password")
    assert masker.redact("shown-value hidden-value") == "shown-value ***"


def test_a_structure_is_learnt_by_its_keys(masker):
    masker.add({"login": "visible-name", "password": "hidden-one", "extra": {"token": "hidden-two", "port": "visible"}})
    assert masker.redact("visible-name hidden-one hidden-two visible") == "visible-name *** *** visible"
    masker.add(["first-secret", {"key": "visible-too"}])
    assert masker.redact("first-secret visible-too") == "*** visible-too"
    masker.add({"a": "hidden-three"}, "secrets")
    assert masker.redact("hidden-three") == MASK


def test_kinds_stay_what_they_are(masker):
    class Color(Enum):
        RED = "red"

    pair = namedtuple("pair", "a password")(1, "x")
    assert masker.redact(Color.RED) == "red"
    assert masker.redact(pair) == pair
    assert type(masker.redact(pair)) is type(pair)
    assert masker.redact(frozenset({"x"})) == frozenset({"x"})
    thing = object()
    assert masker.redact(thing) is thing


def test_an_endless_structure_is_cut(masker):
    endless: list[object] = ["visible"]
    endless.append(endless)
    shown = masker.redact(endless)
    assert shown[0] == "visible"
    assert MASK in str(shown)


def test_reset_forgets(masker):
    masker.add("hunter22")
    masker.reset()
    assert masker.redact("hunter22") == "hunter22"
