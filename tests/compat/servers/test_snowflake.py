"""The Snowflake provider on fakesnow."""

from __future__ import annotations

import pytest

from tests.compat.servers import starting


@pytest.fixture(scope="module")
def snow(deployment, stand_ins, certificate):
    with starting.fakesnow(stand_ins) as plain, certificate.in_front_of(plain) as port:
        extra = {
            "account": "fakesnow",
            "database": "TRAINS",
            "warehouse": "SMALL",
            "host": "127.0.0.1",
            "port": port,
            "insecure_mode": True,
            "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        }
        deployment.connection("snow", "snowflake", login="fake", password="snow", schema="PUBLIC", extra=extra)
        deployment.add("snowflake.py")
        yield deployment


def test_queries_checks_and_the_hook(snow):
    run = snow.run("snowflake")
    assert run.state == "success", run.why()
    rows = run.xcom("select")
    assert [row[:2] for row in rows] == [[1, "Altona"], [2, "Dammtor"]]
    assert rows[1][2] == ["2001-06-07T08:09:10", None]  # a datetime without a zone
    found = run.xcom("hook")
    assert found["first"] == ["TRAINS", "PUBLIC"]
    assert found["names"] == ["Altona", "Dammtor"]
    assert (found["written"], found["query_ids"]) == (1, 1)
