"""The SSH and SFTP providers on an OpenSSH server."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.compat.servers import starting


@pytest.fixture(scope="module")
def remote(deployment):
    with starting.sshd() as server:
        login = {
            "host": "127.0.0.1",
            "port": server.port,
            "login": getpass.getuser(),
            "extra": {"private_key": server.private_key, "host_key": server.host_key, "no_host_key_check": False},
        }
        deployment.connection("machine", "ssh", **login)
        deployment.connection("files", "sftp", **login)
        deployment.variable("remote_folder", str(server.folder))
        deployment.variable("local_folder", str(deployment.home))
        deployment.add("remote.py")
        yield deployment


def test_commands(remote):
    run = remote.run("ssh_commands")
    expected = {"run": "success", "fails": "failed", "skips": "skipped", "late": "failed"}
    assert run.states == expected | {"hook": "success", "read": "success"}, run.why()
    assert run.xcom("read") == [f"ssh_commands on {getpass.getuser()}", "/", ""]
    assert run.xcom("hook") == "42"
    assert run.xcom("fails", key="ssh_exit") == 3
    assert "exit status = 3" in run.log("fails")


def test_a_job_that_goes_on_without_the_connection(remote):
    run = remote.run("ssh_remote_job")
    assert run.state == "success", run.why()
    assert "the job is done" in run.log("job")


def test_files_there_and_back(remote):
    run = remote.run("sftp_files")
    assert run.state == "success", run.why()
    text = "station,passengers\nAltona,12\n"
    assert run.xcom("look") == {"names": ["out.csv"], "same": 1, "text": text}
    assert (remote.home / "deferred.csv").read_text() == text
    folder = Path(remote.api.get("/variables/remote_folder").json()["value"])
    assert not (folder / "incoming/deep/out.csv").exists()


def test_sensors_that_defer_or_come_again(remote):
    run = remote.run("sftp_waiting")
    assert {name for name, state in run.states.items() if state != "success"} == {"never"}, run.why()
    folder = remote.api.get("/variables/remote_folder").json()["value"]
    assert run.xcom("decorated")["decorator_return_value"] == {"line": "S1", "found": [f"{folder}/arrivals/today.csv"]}
