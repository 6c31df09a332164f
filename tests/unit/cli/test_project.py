from __future__ import annotations

import os

import pytest

from gnomon.cli import project as projects
from gnomon.cli import scaffold
from gnomon.cli.dev_start import parse_wait
from gnomon.cli.errors import CommandError, did_you_mean


@pytest.fixture
def project(tmp_path):
    scaffold.write(tmp_path, name="p", image="quay.io/astronomer/astro-runtime:12.1.0")
    found = projects.find(tmp_path)
    assert found is not None
    return found


def test_it_is_found_from_any_folder_in_it(project):
    assert projects.find(project.root / "dags") == project


def test_a_folder_with_dags_and_a_dockerfile_is_one_too(tmp_path):
    (tmp_path / "dags").mkdir()
    assert projects.find(tmp_path) is None

    (tmp_path / "Dockerfile").touch()
    found = projects.find(tmp_path)
    assert found is not None
    assert found.name == tmp_path.name


def test_elsewhere_there_is_none(tmp_path):
    with pytest.raises(CommandError, match="is not in a project"):
        projects.require(tmp_path)


def test_who_wins_in_the_environment(project):
    (project.root / "Dockerfile").write_text("FROM astro-runtime:12\nENV A=docker B=docker C=docker\n")
    (project.root / ".env").write_text("A=file\nB=file\n")

    found = project.environment({"A": "shell", "PYTHONPATH": "/mine", "AIRFLOW_HOME": "/elsewhere"})

    assert (found["A"], found["B"], found["C"]) == ("shell", "file", "docker")
    assert found["AIRFLOW_HOME"] == str(project.home)
    assert found["PYTHONPATH"] == f"{project.root}{os.pathsep}/mine"
    assert found["AIRFLOW__CORE__DAGS_FOLDER"] == str(project.root / "dags")
    assert found["AIRFLOW__CORE__COMPAT"] == "2"


def test_another_env_file_replaces_the_first(project):
    (project.root / ".env").write_text("A=1\n")
    (project.root / ".dev").write_text("ENVIRONMENT = dev\n")

    found = project.environment({}, ".dev")

    assert found["ENVIRONMENT"] == "dev"
    assert "A" not in found


def test_commands_mean_the_project_they_are_typed_in_unless_a_home_is_given(project, monkeypatch):
    monkeypatch.chdir(project.root / "dags")
    environ = {}
    assert projects.activate(environ) == project
    assert environ["AIRFLOW_HOME"] == str(project.home)

    environ = {"AIRFLOW_HOME": "/mine"}
    assert projects.activate(environ) is None
    assert environ == {"AIRFLOW_HOME": "/mine"}


def test_misspelt_settings_are_warned_of(project):
    (project.root / ".env").write_text("AIFLOW__CORE__PARALLELISM=4\n")

    project.environment({})

    assert project.warnings == [
        ".env: AIFLOW__CORE__PARALLELISM is no setting of Airflow; did you mean AIRFLOW__CORE__PARALLELISM?"
    ]


def test_the_home_has_links_to_what_an_image_would_have_in_it(project):
    (project.root / "dbt").mkdir()
    projects.link_folders(project.root, project.home)
    projects.link_folders(project.root, project.home)

    assert (project.home / "include").resolve() == (project.root / "include").resolve()
    assert (project.home / "dbt").is_symlink()
    assert not (project.home / ".astro").exists()


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM mine\n")

    written = scaffold.write(tmp_path, name="p", image="runtime:3.1-4")

    assert "Dockerfile" not in written
    assert (tmp_path / "Dockerfile").read_text() == "FROM mine\n"
    assert scaffold.write(tmp_path, name="p", image="runtime:3.1-4") == []


@pytest.mark.parametrize(
    ("runtime", "airflow", "expected"),
    [
        (None, None, f"astrocrpublic.azurecr.io/runtime:{scaffold.RUNTIME}"),
        ("5.3.0", None, "quay.io/astronomer/astro-runtime:5.3.0"),
        ("3.1-4", None, "astrocrpublic.azurecr.io/runtime:3.1-4"),
        (None, "3.1", "astrocrpublic.azurecr.io/runtime:3.1"),
        (None, "2.11.2", "quay.io/astronomer/astro-runtime:13"),
        (None, "2.9", "quay.io/astronomer/astro-runtime:11"),
    ],
)
def test_the_image_of_a_version(runtime, airflow, expected):
    assert scaffold.image(runtime, airflow) == expected


def test_no_version():
    with pytest.raises(CommandError, match="--airflow-version: 'latest' is not a version"):
        scaffold.image(None, "latest")


def test_the_examples_are_what_dev_init_makes(tmp_path, request):
    examples = request.config.rootpath / "examples"
    scaffold.write(tmp_path, name="examples", image=scaffold.image())

    for name in scaffold.FILES:
        assert (examples / name).read_text() == (tmp_path / name).read_text(), name


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1m30s", 90), ("1h", 3600)])
def test_durations(text, seconds):
    assert parse_wait(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 m", "-1"])
def test_what_is_no_duration(text):
    with pytest.raises(CommandError, match=r"^--wait: "):
        parse_wait(text)


def test_close_names_are_suggested():
    assert did_you_mean("my_dga", ["other", "my_dag"]) == "; did you mean my_dag?"
    assert did_you_mean("x", ["abc"]) == ""
