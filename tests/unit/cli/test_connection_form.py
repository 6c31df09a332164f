from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.cli.connection_form import as_fields, from_fields, from_uri, to_uri
from gnomon.cli.errors import CommandError
from gnomon.store.records import Connection

_text = st.none() | st.text(st.characters(blacklist_categories=("Cs",)), min_size=1)
_connections = st.builds(
    Connection,
    conn_id=st.just("c"),
    conn_type=st.text(string.ascii_lowercase + "_", min_size=1).filter(lambda kind: kind != "postgresql"),
    host=st.none() | st.text(string.ascii_lowercase + string.digits + "-./@%ä ", min_size=1),
    schema=_text,
    login=_text,
    password=_text,
    port=st.none() | st.integers(1, 65535),
    extra=st.none() | st.dictionaries(st.text(min_size=1), st.text() | st.integers(), min_size=1).map(json.dumps),
)


@given(_connections)
def test_a_uri_gives_the_same_connection_back(connection):
    found = from_uri("c", to_uri(connection))

    extra, other = connection.extra and json.loads(connection.extra), found.extra and json.loads(found.extra)
    assert other == extra
    # As in Airflow, a URI cannot tell an empty login from none.
    same = {"extra": None, "login": connection.login}
    assert (found.login or None) == connection.login
    assert as_fields(found) | same == as_fields(connection) | same


@given(_connections)
def test_json_gives_the_same_connection_back(connection):
    assert from_fields("c", json.dumps(as_fields(connection))) == connection


@pytest.mark.parametrize(
    ("uri", "fields"),
    [
        ("postgresql://u:p%40@h:5/db?sslmode=require",
         {"conn_type": "postgres", "host": "h", "login": "u", "password": "p@", "port": 5, "schema": "db",
          "extra": '{"sslmode": "require"}'}),
        ("google-cloud-platform://", {"conn_type": "google_cloud_platform"}),
        ("spark://https://host:8080", {"conn_type": "spark", "host": "https://host", "port": 8080}),
        ("http://:secret@", {"conn_type": "http", "login": "", "password": "secret"}),
        ("x://h/?__extra__=%7B%22a%22%3A+%5B1%5D%7D", {"conn_type": "x", "host": "h", "extra": '{"a": [1]}'}),
    ],
)  # fmt: skip
def test_uris_as_airflow_reads_them(uri, fields):
    assert from_uri("c", uri) == Connection(conn_id="c", **fields)


@pytest.mark.parametrize("uri", ["", "nothing", "://h", "x://h:port", "x://a@b://c", "a://b://c://d"])
def test_what_is_no_uri_is_refused(uri):
    with pytest.raises(CommandError, match=r"^--conn-uri of connection 'c' is not of the form"):
        from_uri("c", uri, where="--conn-uri")


def test_unknown_fields_and_missing_types_are_named():
    with pytest.raises(CommandError, match="has a field 'hots' that connections do not have"):
        from_fields("c", {"conn_type": "x", "hots": "h"})
    with pytest.raises(CommandError, match="has no conn_type"):
        from_fields("c", "{}")
