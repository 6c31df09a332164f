"""Records in place of Apache Airflow, and what requirements.txt asks for."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import airflow
from gnomon.cli import airflow_records, environments
from gnomon.cli.errors import CommandError
from gnomon.service.environment import USER_PYTHON, user_python, user_site_packages


def test_records_are_wheels_that_say_their_name_and_version(tmp_path: Path) -> None:
    wheels = airflow_records.write(tmp_path)

    assert [wheel.name for wheel in wheels] == [
        f"apache_airflow-{airflow.__version__}-py3-none-any.whl",
        f"apache_airflow_core-{airflow.__version__}-py3-none-any.whl",
        "apache_airflow_task_sdk-1.3.2-py3-none-any.whl",
        "apache_airflow_providers_standard-1.21.0-py3-none-any.whl",
    ]
    with zipfile.ZipFile(wheels[0]) as archive:
        about = archive.read(f"apache_airflow-{airflow.__version__}.dist-info/METADATA").decode()
    assert f"Name: apache-airflow\nVersion: {airflow.__version__}\n" in about
    before = [hashlib.sha256(wheel.read_bytes()).digest() for wheel in wheels]
    airflow_records.write(tmp_path)
    assert [hashlib.sha256(wheel.read_bytes()).digest() for wheel in wheels] == before


def test_providers_may_use_object_storage_without_requiring_it() -> None:
    # As with Apache Airflow, which Cosmos counts on.
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert set(extras["io"]) <= set(airflow_records.TAKEN_FOR_GRANTED)


def test_overrides_and_constraints(tmp_path: Path) -> None:
    airflow_records.write(tmp_path)
    overrides = (tmp_path / "overrides.txt").read_text().splitlines()
    wheel = tmp_path / f"apache_airflow-{airflow.__version__}-py3-none-any.whl"
    assert overrides[0].split(" @ ") == ["apache-airflow", wheel.as_uri()]
    assert wheel.is_file()
    constraints = (tmp_path / "constraints.txt").read_text()
    assert "pendulum" in constraints
    assert "psycopg" not in constraints  # of an extra


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# nothing", []),
        ("  ", []),
        ("requests>=2  # for the API", ["requests>=2"]),
        ("package @ https://example.org/p.zip#egg=p", ["package @ https://example.org/p.zip#egg=p"]),
        ("apache-airflow==2.9.3", []),
        ("apache-airflow-task-sdk~=1.0", []),
        (
            "Apache_Airflow[Amazon, cncf.kubernetes, statsd]>=3",
            [
                "apache-airflow-providers-amazon",
                "apache-airflow-providers-cncf-kubernetes",
            ],
        ),
        ("apache-airflow-providers-http", ["apache-airflow-providers-http"]),
        ("apache-airflow-client==2", ["apache-airflow-client==2"]),
        ("-r more.txt", ["-r {root}/more.txt"]),
        ("-e ./mine", ["-e {root}/mine"]),
        ("./mine", ["{root}/mine"]),
        ("--index-url https://example.org/simple", ["--index-url https://example.org/simple"]),
    ],
)
def test_requirements(tmp_path: Path, line: str, expected: list[str]) -> None:
    (tmp_path / "requirements.txt").write_text(line + "\n")
    assert environments.requirements(tmp_path) == [one.replace("{root}", str(tmp_path)) for one in expected]


def test_a_project_that_asks_for_nothing_has_no_environment(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "home/venv").mkdir(parents=True)
    assert environments.refresh(tmp_path, tmp_path / "home", pytest.fail) is None
    assert not (tmp_path / "home/venv").exists()


@pytest.mark.skipif(environments.find_uv() is None, reason="there is no uv")
def test_what_gnomons_own_environment_has_is_not_installed_again(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("pyyaml\napache-airflow>=2\n")
    assert environments.refresh(tmp_path, tmp_path / "home", pytest.fail) is None


@pytest.mark.skipif(environments.find_uv() is None, reason="there is no uv")
def test_a_package_is_installed_over_gnomons(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "mine.py").write_text("import gnomon, airflow\nfrom importlib.metadata import version\n")
    wheel = airflow_records.Record("mine", "1.0", ("apache-airflow>=2.9",))
    airflow_records._write_wheel(tmp_path / wheel.file_name, wheel)
    (tmp_path / "requirements.txt").write_text(f"./{wheel.file_name}\n")
    home = tmp_path / "home"
    said: list[str] = []
    offline = pytest.MonkeyPatch()
    offline.setenv("UV_OFFLINE", "1")
    # What Airflow brings along would have to come from somewhere.
    offline.setattr(airflow_records, "TAKEN_FOR_GRANTED", ())
    try:
        python = environments.refresh(tmp_path, home, said.append)
        assert python == home / "venv/bin/python"
        assert said == ["Installing what requirements.txt names …"]
        assert environments.refresh(tmp_path, home, pytest.fail) == python
    finally:
        offline.undo()
    code = (
        "import sys, gnomon, airflow; from importlib.metadata import version\n"
        "print(version('apache-airflow') == airflow.__version__, version('mine'), sys.prefix)"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "1.0", str(home / "venv")]

    assert not environments.is_stale(tmp_path, home)
    (tmp_path / "requirements.txt").write_text("this is no requirement\n")
    assert environments.is_stale(tmp_path, home)
    # What is there stays until there is something better.
    with pytest.raises(CommandError, match=r"(?s)`requirements\.txt`.*this is no requirement"):
        environments.refresh(tmp_path, home, lambda _: None)
    assert environments.python_of(home) == python
    assert environments.is_stale(tmp_path, home)
    assert sorted(path.name for path in home.iterdir()) == ["airflow-records", "venv"]
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == ["True", "1.0"]


@pytest.mark.skipif(environments.find_uv() is None, reason="there is no uv")
def test_what_cannot_be_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    (tmp_path / "requirements.txt").write_text("./no-such-thing-1.0-py3-none-any.whl\n")
    with pytest.raises(CommandError, match=r"requirements.txt cannot be installed:\n.*no-such-thing"):
        environments.refresh(tmp_path, tmp_path / "home", lambda _: None)
    assert environments.python_of(tmp_path / "home") is None


def test_user_code_runs_with_the_interpreter_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (user_python(), user_site_packages()) == (sys.executable, [])
    monkeypatch.setenv(USER_PYTHON, "/p/venv/bin/python")
    assert user_python() == "/p/venv/bin/python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert user_site_packages() == [f"/p/venv/lib/{version}/site-packages"]
