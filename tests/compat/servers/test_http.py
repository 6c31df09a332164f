"""The HTTP provider on an HTTP server."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from tests.compat.servers.web import Stations, running


@pytest.fixture(scope="module")
def web(deployment):
    with running(Stations()) as server:
        deployment.connection("web", "http", host="http://127.0.0.1", port=server.port, login="ada", password="pw")
        deployment.add("http.py")
        yield deployment


@pytest.mark.quick
def test_requests_pages_checks_filters_and_sensors(web):
    run = web.run("http_requests")
    failed = {name for name, state in run.states.items() if state != "success"}
    assert failed == {"refused", "missing"}, run.why()
    assert run.xcom("read") == [["Altona"], ["Altona", "Dammtor", "Harburg"]]
    basic = f"Basic {b64encode(b'ada:pw').decode()}"
    assert run.xcom("checked") == {"method": "POST", "content": {"day": "2024-01-01"}, "query": {}, "by": basic}
    assert run.xcom("hook")["content"] == {"a": [1, None]}
    assert "Response check returned False" in run.log("refused")
    assert "404:Not Found" in run.log("missing")


@pytest.mark.quick
def test_deferrable_requests_and_sensors(web):
    run = web.run("http_deferrable")
    assert run.states == {
        "get": "success",
        "checked": "success",
        "pages": "failed",
        "last_page": "success",
        "sensor": "success",
        "never": "failed",
        "missing": "failed",
    }, run.why()
    answer = json.loads(run.xcom("get"))
    assert (answer["query"], answer["by"]) == ({"q": "deferred"}, f"Basic {b64encode(b'ada:pw').decode()}")
    assert run.xcom("checked") == ["Harburg"]
    assert [json.loads(text)["names"] for text in run.xcom("last_page")] == [["Harburg"]]
    # Airflow 3.3 cannot defer with the pages so far either: they are `requests.Response`s.
    assert "requests.models.Response has no JSON form" in run.log("pages")
    assert "404" in run.log("missing")
