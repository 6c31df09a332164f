"""The api-server as a process: ready, answering, stopped by a signal; how fast it starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

_SERVER = """
import sys
from gnomon.api.server import CannotServe, serve
from gnomon.store.engine import open_store
from gnomon.service.config import conf
conf.set("core", "simple_auth_manager_all_admins", sys.argv[3])
try:
    with open_store(sys.argv[1]) as store:
        serve(store, sys.argv[4], int(sys.argv[2]), on_ready=lambda: print("ready", flush=True))
except CannotServe as error:
    sys.exit(str(error))
"""
_STARTING = """
import sys, time
from pathlib import Path
from gnomon.store.engine import open_store
from gnomon.api.public.app import create_app
create_app(open_store(sys.argv[1], runtime_dir=Path(sys.argv[2])))
print(time.process_time())
"""


def start(url: str, port: int, everybody: bool = True, host: str = "127.0.0.1") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _SERVER, url, str(port), str(everybody), host]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_answers_when_it_is_ready_and_ends_well_when_told_to(database_url: str) -> None:
    port = free_port()
    with start(database_url, port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        base = f"http://127.0.0.1:{port}/api/v2"
        assert httpx.get(f"{base}/monitor/health").json()["metadatabase"] == {"status": "healthy"}
        assert httpx.get(f"{base}/dags").json() == {"dags": [], "total_entries": 0}
        with start(database_url, port) as second:
            _, said = second.communicate(timeout=30)
        assert second.returncode == 1
        assert said.count("\n") == 1
        assert f"port {port}" in said
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_without_logins_it_is_not_opened_to_other_machines(database_url: str) -> None:
    with start(database_url, free_port(), host="0.0.0.0") as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "simple_auth_manager_all_admins" in said
    assert said.count("\n") == 1


def test_it_starts_in_little_time(database_url: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", _STARTING, database_url, str(tmp_path)]
    seconds = [
        float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) <= 1.2, seconds  # 0.4 where this was written; the rest is for slower machines
