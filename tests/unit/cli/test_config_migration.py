from __future__ import annotations

import configparser
import stat

import pytest

from gnomon.cli.config_migration import Change, changes, updated

OLD = """\
# my settings
[core]
# how many
dag_concurrency = 8
executor = CeleryExecutor
check_slas = True

[webserver]
base_url=https://flow.example
secret_key: s3
workers = 4
    # and
    more
cookie_samesite = Strict

# the end
[api]
auth_backend = a
; of api

[logging]
log_filename_template = dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/{%% if ti.map_index >= 0 %%}map_index={{ ti.map_index }}/{%% endif %%}attempt={{ try_number }}.log
"""


def read(text):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def test_a_file_keeps_its_comments_and_all_that_did_not_change():
    text, said = updated(OLD, changes())
    assert read(text) == {
        "core": {"max_active_tasks_per_dag": "8", "executor": "LocalExecutor"},
        "webserver": {},
        "api": {"base_url": "https://flow.example", "secret_key": "s3", "workers": "4\nmore"},
        "fab": {"auth_backends": "a", "cookie_samesite": "Strict"},
        "logging": {},
    }
    for comment in (
        "# my settings\n[core]\n# how many\nmax_active_tasks_per_dag = 8\n",
        "# the end\n[api]\n",
        "; of api\n",
    ):
        assert comment in text
    assert len(said) == 9
    assert updated(text, changes()) == (text, [])


def test_an_option_that_has_its_new_name_already_stays_as_it_is():
    text = "[core]\ndag_concurrency = 8\nmax_active_tasks_per_dag = 9\n"
    assert updated(text, changes())[0] == "[core]\nmax_active_tasks_per_dag = 9\n"


def test_every_change_is_understood():
    found = changes()
    assert len(found) == 161
    assert {change.kind for change in found} == {"renamed", "removed", "default", "invalid"}
    for change in found:
        assert change.section
        assert change.said("x").startswith(f"[{change.section}] {change.option}")
        assert change.kind != "renamed" or (change.value and change.new)
    assert [change.option for change in found if change.is_breaking].count("log_filename_template") == 2


@pytest.mark.parametrize(
    ("kind", "value", "new", "given", "concerned"),
    [
        ("renamed", "api", "x", "anything", True),
        ("removed", "", "", "anything", True),
        ("removed", ":", "", ":", True),
        ("removed", ":", "", "host", False),
        ("default", "a", "b", "a", True),
        ("default", "a", "b", "b", False),
        ("invalid", "0", "", "0", True),
        ("invalid", "0", "", "8", False),
    ],
)
def test_whom_a_change_concerns(kind, value, new, given, concerned):
    assert Change("s", "o", kind, value, new, False).concerns(given) is concerned


def test_lint_looks_at_the_file_and_the_environment(airflow, airflow_home, monkeypatch):
    (airflow_home / "airflow.cfg").write_text("[webserver]\nbase_url = https://flow.example\n")
    nothing = (0, "No issues found: the settings are ready for Airflow 3.\n", "")
    assert airflow("config", "lint", "--ignore-section", "webserver") == nothing
    monkeypatch.setenv("AIRFLOW__CORE__DAG_CONCURRENCY", "8")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "0")
    code, said, _ = airflow("config", "lint", "--verbose")
    file, variable = airflow_home / "airflow.cfg", "It is set in the environment variable AIRFLOW__CORE__"
    assert (code, said.splitlines()[1:-1]) == (
        0,
        [
            f"  - [core] dag_concurrency is called [core] max_active_tasks_per_dag now. {variable}DAG_CONCURRENCY.",
            f"  - [core] parallelism must not be 0 any more. {variable}PARALLELISM.",
            f"  - [webserver] base_url is called [api] base_url now. It is set in {file}.",
        ],
    )
    assert airflow("config", "lint", "--section", "webserver", "--ignore-option", "base_url")[1].startswith("No issues")
    assert len(airflow("config", "lint", "--option", "base_url")[1].splitlines()) == 3


def test_update_writes_when_it_is_told_to_and_keeps_the_old_file(airflow, airflow_home):
    code, _, said = airflow("config", "update")
    file = airflow_home / "airflow.cfg"
    assert (code, said) == (1, f"Error: there is no {file}; settings of the environment are yours to change\n")
    file.write_text(OLD)
    file.chmod(0o640)
    code, said, _ = airflow("config", "update")
    assert (code, file.read_text()) == (0, OLD)
    assert "-cookie_samesite = Strict" in said.splitlines()
    assert said.splitlines()[-3:] == [
        "Nothing was written; --fix makes these changes:",
        "  - [logging] log_filename_template is left out",
        "  - [webserver] cookie_samesite is called [fab] cookie_samesite",
    ]
    code, said, _ = airflow("config", "update", "--fix", "--all-recommendations", "--section", "core")
    assert (code, said.splitlines()[0]) == (0, f"The old file is {file}.bak")
    assert (airflow_home / "airflow.cfg.bak").read_text() == OLD
    assert read(file.read_text())["core"] == {"max_active_tasks_per_dag": "8", "executor": "LocalExecutor"}
    assert "base_url" in read(file.read_text())["webserver"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert airflow("config", "update", "--section", "core")[1] == "No updates needed: the file is up to date.\n"
