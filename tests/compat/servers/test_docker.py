"""The Docker provider on a Docker engine."""

from __future__ import annotations

import subprocess

import pytest

from tests.compat.servers import starting


@pytest.fixture(scope="module")
def engine(deployment):
    with starting.docker() as socket:
        (deployment.home / "dags").joinpath("docker_engine").write_text(f"unix://{socket}")
        deployment.add("docker_tasks.py")
        yield socket


def test_containers_their_output_and_decorated_functions(deployment, engine):
    run = deployment.run("docker", seconds=120)
    expected = {"run": "success", "lines": "success", "output": "success", "summary": "success"}
    expected |= {"fails": "failed", "skips": "skipped", "late": "failed", "raises": "failed"}
    assert run.states == expected, run.why()
    assert run.xcom("run") == "hello from docker"
    assert run.xcom("lines") == ["1", "2", "3"]
    assert run.xcom("output") == {"a": [1, None]}
    assert run.xcom("summary") == {"greeting": "hello from docker", "total": 6, "python": "3.11"}
    assert run.xcom("summary", key="total") == 6
    assert "in the container" in run.log("summary")
    assert "no such station" in run.log("raises")
    assert "going" in run.log("fails")
    listed = subprocess.run(
        [starting.program("docker", "docker.io"), "-H", f"unix://{engine}", "ps", "-q"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == "", "the container of the task that took too long goes on"
