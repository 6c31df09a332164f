"""Plugins, providers and connection tests through the api-server: user code, in processes of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from gnomon.service.config import conf
from gnomon.service.inspection import InspectionError, inspect
from gnomon.store.engine import Store
from gnomon.store.records import Connection
from tests.fixtures.api_client import Client
from tests.integration.test_api_server import free_port, start

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

_PLUGIN = """
import os
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, Request, Response

app = FastAPI()

@app.get("/hello/{name}")
def hello(name: str, request: Request):
    seen = {header: request.headers.get(header) for header in ("authorization", "cookie", "x-gnomon-user", "x-gnomon-role")}
    return {"hello": name, "url": str(request.url), "pid": os.getpid(), **seen}

@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), status_code=201, headers={"x-mine": "yes"})

class Marked:
    def __init__(self, app, mark): self.app, self.mark = app, mark
    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", self.mark.encode())]
            await send(message)
        await self.app(scope, receive, marked)

class Shop(AirflowPlugin):
    name = "shop"
    fastapi_apps = [{"app": app, "url_prefix": "/shop", "name": "Shop"}]
    fastapi_root_middlewares = [{"middleware": Marked, "args": [], "kwargs": {"mark": "seen"}, "name": "mark"}]
    appbuilder_menu_items = [{"name": "Old", "href": "https://old.example"}]
"""


@pytest.fixture
def plugins(airflow_home: Path) -> Path:
    folder = airflow_home / "plugins"
    folder.mkdir()
    (folder / "shop.py").write_text(_PLUGIN)
    return folder


@pytest.fixture
def address(plugins: Path, database_url: str) -> Iterator[str]:
    port = free_port()
    with start(database_url, port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        below = psutil.Process(process.pid)
        yield f"http://127.0.0.1:{port}"
        hosts = below.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert psutil.wait_procs(hosts, timeout=30)[1] == []


@on_sqlite
def test_an_application_of_a_plugin_is_served_from_a_process_of_its_own(address: str, plugins: Path) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        cookies = {"cookie": "_token=abc; theirs=1"}
        found = client.get("/shop/hello/you?q=1", headers={"authorization": "Bearer abc", **cookies})
        assert found.headers["x-mark"] == "seen"
        seen = found.json()
        assert (seen["hello"], seen["url"]) == ("you", f"{address}/shop/hello/you?q=1")
        assert (seen["authorization"], seen["cookie"]) == (None, "theirs=1")
        assert (seen["x-gnomon-user"], seen["x-gnomon-role"]) == ("Anonymous", "admin")

        sent = client.post("/shop/echo", content=b"a body" * 50_000)
        assert (sent.status_code, sent.headers["x-mine"], sent.content) == (201, "yes", b"a body" * 50_000)
        assert client.get("/shop/nothing").status_code == 404
        assert client.get("/shopping").status_code == 404
        assert client.get("/api/v2/version").status_code == 200

        # a killed process is started again, and a changed plugin gets a new one
        psutil.Process(seen["pid"]).kill()
        again = client.get("/shop/hello/you")
        assert again.json()["pid"] != seen["pid"]
        (plugins / "shop.py").write_text(_PLUGIN.replace('"hello": name', '"hello": name.upper()'))
        assert client.get("/shop/hello/you").json()["hello"] == "YOU"


@on_sqlite
def test_plugins_are_listed_with_their_errors(api: Client, plugins: Path) -> None:
    (plugins / "broken.py").write_text("1 / 0\n")
    (shop,) = [one for one in api.get("/plugins")["plugins"] if one["name"] == "shop"]
    assert shop["source"] == "$PLUGINS_FOLDER/shop.py"
    assert shop["fastapi_apps"] == [{"app": "fastapi.applications.FastAPI", "url_prefix": "/shop", "name": "Shop"}]
    # what a middleware is given may be a secret
    assert shop["fastapi_root_middlewares"] == [{"middleware": "shop.Marked", "name": "mark"}]
    assert shop["external_views"] == [{"name": "Old", "href": "https://old.example"}]
    errors = api.get("/plugins/importErrors")["import_errors"]
    assert errors == [{"source": str(plugins / "broken.py"), "error": "ZeroDivisionError: division by zero"}]
    (plugins / "broken.py").unlink()
    assert api.get("/plugins/importErrors")["total_entries"] == 0


@on_sqlite
def test_a_connection_is_tested_and_its_secrets_stay_where_they_belong(api: Client, kettle: Store) -> None:
    kettle.connections.add(Connection(conn_id="files", conn_type="fs", password="t0ps3cret", extra='{"path": "/"}'))
    body = {"connection_id": "files", "conn_type": "fs"}
    assert "disabled" in api.refused(403, "POST", "/connections/test", json=body)
    conf.set("core", "test_connection", "Enabled")
    try:
        found = api.ok("POST", "/connections/test", json=body)
        assert (found["status"], found["message"]) == (True, "Path / is existing.")
        gone = {**body, "extra": json.dumps({"path": "/no/such/t0ps3cret"})}
        found = api.ok("POST", "/connections/test", json=gone)
        assert (found["status"], found["message"]) == (False, "Path /no/such/*** does not exist.")
        said = api.refused(400, "POST", "/connections/test", json={**body, "host": "elsewhere.example"})
        assert "Include the credentials" in said
        unknown = api.ok("POST", "/connections/test", json={"connection_id": "x", "conn_type": "nosuch"})
        assert unknown == {"status": False, "message": 'Unknown hook type "nosuch"'}
    finally:
        conf.remove_option("core", "test_connection")
    assert [one.conn_id for one in kettle.connections.all()] == ["files"]


@on_sqlite
def test_the_forms_of_connection_types(api: Client) -> None:
    api.prefix = "/ui"
    forms = {one["connection_type"]: one for one in api.get("/connections/hook_meta")}
    assert forms["fs"]["hook_class_name"] == "airflow.providers.standard.hooks.filesystem.FSHook"
    assert forms["fs"]["standard_fields"]["host"]["hidden"] is True
    assert forms["fs"]["extra_fields"]["path"]["schema"]["type"] == ["string", "null"]
    assert forms["generic"]["hook_name"] == "Generic"


def test_user_code_that_ends_its_process_is_one_sentence(plugins: Path) -> None:
    (plugins / "exits.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(InspectionError, match=r"^plugins: the process that was to look ended with code 3: "):
        inspect("plugins")


def test_user_code_that_hangs_is_ended(plugins: Path) -> None:
    (plugins / "hangs.py").write_text("import threading\nthreading.Event().wait()\n")
    with pytest.raises(InspectionError, match="no answer within 1 s"):
        inspect("plugins", seconds=1.0)
