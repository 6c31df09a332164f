from __future__ import annotations

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.sdk import BaseHook, Connection
from gnomon.sdk.exceptions import (
    AirflowException,
    AirflowFileParseException,
    AirflowNotFoundException,
    AirflowSecretsBackendAccessDenied,
    ConnectionNotUnique,
)
from gnomon.sdk.secrets import BaseSecretsBackend, LocalFilesystemBackend
from gnomon.wire.execution import ConnectionFound


def fields(conn):
    return (conn.conn_type, conn.host, conn.login, conn.password, conn.schema, conn.port, conn.extra_dejson)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://u:p@h:5432/db", ("postgres", "h", "u", "p", "db", 5432, {})),  # mistake 38
        ("google-cloud-platform://", ("google_cloud_platform", "", None, None, "", None, {})),  # - is _
        ("http://u%40x:p%2F%3A@h%2Fpath:80/a%2Fb", ("http", "h/path", "u@x", "p/:", "a/b", 80, {})),
        ("x://h/?a=1&b=two+words", ("x", "h", None, None, "", None, {"a": "1", "b": "two words"})),
        ("x://?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D", ("x", "", None, None, "", None, {"a": {"b": 1}})),
        ("spark://https://host:443", ("spark", "https://host", None, None, "", 443, {})),  # two ://
        ("x://@:8080", ("x", "", "", None, "", 8080, {})),
        ("x://:secret@h", ("x", "h", "", "secret", "", None, {})),
    ],
)
def test_uris_are_read(uri, expected):
    assert fields(Connection(conn_id="c", uri=uri)) == expected


@pytest.mark.parametrize("uri", ["a://b://c://d", "a://u@b://c", "x://h:port"])
def test_malformed_uris_are_refused(uri):
    with pytest.raises(AirflowException, match="Invalid connection string"):
        Connection(conn_id="c", uri=uri)


def test_uri_or_fields():
    with pytest.raises(AirflowException, match="can't mix"):
        Connection(conn_id="c", uri="x://h", host="h")


@pytest.mark.parametrize(
    ("kwargs", "uri"),
    [
        ({"conn_type": "aws_s3", "host": "h"}, "aws-s3://h"),
        ({"conn_type": "x", "login": "a@b", "password": "p/q", "host": "h", "port": 1}, "x://a%40b:p%2Fq@h:1"),
        ({"conn_type": "x", "port": 5}, "x://@:5"),
        ({"conn_type": "x", "schema": "s/t", "host": "h"}, "x://h/s%2Ft"),
        ({"conn_type": "x", "host": "h", "extra": '{"a": "1"}'}, "x://h/?a=1"),
        ({"conn_type": "x", "schema": "s", "extra": {"a": "1"}}, "x:///s?a=1"),
        ({"conn_type": "x", "extra": {"a": 1}}, "x:///?__extra__=%7B%22a%22%3A+1%7D"),
        ({"conn_type": "spark", "host": "k8s://h"}, "spark://k8s://h"),
    ],
)
def test_uris_are_written(kwargs, uri):
    assert Connection(conn_id="c", **kwargs).get_uri() == uri


text = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12)


@given(
    login=st.none() | text,
    password=st.none() | text,
    host=text.filter(lambda one: "://" not in one and one == one.lower()),
    schema=text,
    port=st.none() | st.integers(1, 65535),
    extra=st.none() | st.dictionaries(text, st.none() | text | st.integers(), min_size=1, max_size=3),
)
def test_a_uri_and_json_bring_everything_back(login, password, host, schema, port, extra):
    conn = Connection(
        conn_id="c",
        conn_type="my_type",
        login=login,
        password=password,
        host=host,
        schema=schema,
        port=port,
        extra=extra,
    )

    again = Connection.from_uri(conn.get_uri(), conn_id="c")
    from_json = Connection.from_json(conn.as_json(), conn_id="c")

    assert fields(again)[1:] == (host, login if login or not password else "", password, schema, port, extra or {})
    assert fields(from_json) == fields(conn)


def test_json_has_normalised_types_and_ports():
    conn = Connection.from_json('{"conn_type": "postgresql", "port": "5432", "extra": {"a": 1}}', "c")

    assert (conn.conn_type, conn.port, conn.extra_dejson) == ("postgres", 5432, {"a": 1})
    with pytest.raises(ValueError, match="port"):
        Connection.from_json('{"port": "many"}')


def test_extra_that_is_no_json_is_empty(caplog):
    assert Connection(conn_id="c", extra="{no").extra_dejson == {}
    assert "'c'" in caplog.text


def test_secrets_are_masked_once_known(channel):
    from gnomon.service.masking import masker

    channel.connections["c"] = ConnectionFound(
        conn_id="c", conn_type="x", password="hush-hush", extra='{"api_key": "k-e-y-123", "region": "eu-north"}'
    )

    Connection.get("c")

    assert masker.redact("it is hush-hush and k-e-y-123 in eu-north") == "it is *** and *** in eu-north"


def test_repr_shows_no_password():
    assert "secret" not in repr(Connection(conn_id="c", uri="x://u:secret@h"))


# -------------------------------------------------------------------------------------------------- look-up


class Vault(BaseSecretsBackend):
    def __init__(self, known=()):
        self.known = dict(known)

    def get_conn_value(self, conn_id, team_name=None):
        if conn_id == "broken":
            raise RuntimeError("the vault is closed")
        if conn_id == "secret":
            raise AirflowSecretsBackendAccessDenied("not for you")
        return self.known.get(conn_id)


@pytest.fixture
def vault(monkeypatch):

    from gnomon.sdk import secrets

    monkeypatch.setattr(secrets, "custom_backend", functools.cache(lambda: Vault({"c": "vault://h"})))


def test_a_custom_backend_then_the_environment_then_the_control_side(vault, monkeypatch, channel):  # mistake 37
    for name in "cde":
        channel.connections[name] = ConnectionFound(conn_id=name, conn_type="db")
    for name in "CD":
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "env://h")

    assert [Connection.get(name).conn_type for name in "cde"] == ["vault", "env", "db"]


def test_errors_fall_through_except_a_denial(vault, monkeypatch, channel):  # mistake 37
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "env://h")
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "env://h")

    assert Connection.get("broken").conn_type == "env"
    with pytest.raises(AirflowSecretsBackendAccessDenied):
        Connection.get("secret")


def test_environment_connections_may_be_json(monkeypatch):  # mistake 38
    monkeypatch.setenv("AIRFLOW_CONN_C", json.dumps({"conn_type": "x", "host": "h"}))

    assert BaseHook.get_connection("c").host == "h"


def test_an_unknown_connection_is_named(channel):
    with pytest.raises(AirflowNotFoundException, match="`nope` isn't defined"):
        Connection.get("nope")


def test_a_backend_of_the_settings(monkeypatch, tmp_path):
    (tmp_path / "c.json").write_text('{"c": "file://h", "d": {"conn_type": "file", "extra_dejson": {"a": 1}}}')
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "gnomon.sdk.secrets.LocalFilesystemBackend")
    monkeypatch.setenv(
        "AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(tmp_path / "c.json")})
    )

    assert Connection.get("c").conn_type == "file"
    assert Connection.get("d").extra_dejson == {"a": 1}


def test_a_backend_that_cannot_be_made_names_the_setting(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "no.such.Backend")

    with pytest.raises(AirflowException, match=r"\[secrets\] backend"):
        Connection.get("c")


@pytest.mark.parametrize(("name", "text"), [("c.env", "c=x://h\n# note\n"), ("c.yaml", "c: x://h\n")])
def test_files_of_each_kind(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    assert LocalFilesystemBackend(connections_file_path=str(tmp_path / name)).get_connection("c").conn_type == "x"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("c.env", "ok=x://\nwrong\n", AirflowFileParseException, "Line number: 2"),
        ("c.json", '{\n"c": }', AirflowFileParseException, "Line number: 2"),
        ("c.yaml", "a: [", AirflowFileParseException, "Line number"),
        ("c.txt", "", AirflowException, "txt"),
        ("c.env", "c=x://\nc=y://\n", ConnectionNotUnique, "'c'"),
        ("c.json", '{"c": {"hst": 1}}', AirflowException, "hst"),
    ],
)
def test_a_malformed_file_names_the_line(tmp_path, name, text, error, message):
    (tmp_path / name).write_text(text)

    with pytest.raises(error, match=message):
        LocalFilesystemBackend(connections_file_path=str(tmp_path / name)).get_connection("c")
