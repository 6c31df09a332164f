"""Settings that are looked at before anything starts."""

from __future__ import annotations

import pytest

from gnomon.cli import preflight
from gnomon.cli.errors import CommandError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CORE__PARALLELISM", "0", "[core] parallelism: '0' leaves no room for a task; it must be 1 or more"),
        ("CORE__PARALLELISM", "-1", "[core] parallelism: '-1' leaves no room for a task; it must be 1 or more"),
        ("CORE__DEFAULT_TIMEZONE", "Mars/Phobos", "[core] default_timezone: 'Mars/Phobos' is no time zone such as"),
        ("LOGGING__BASE_LOG_FOLDER", "/proc/none", "[logging] base_log_folder: '/proc/none' cannot be written to: "),
    ],
)
def test_what_makes_running_impossible_is_refused_with_its_source(monkeypatch, name, value, said):
    monkeypatch.setenv(f"AIRFLOW__{name}", value)
    check = preflight.check_log_folder if name.startswith("LOGGING") else preflight.check_settings
    with pytest.raises(CommandError) as error:
        check()
    assert str(error.value).startswith(said)
    assert str(error.value).endswith(f"; it comes from the environment variable AIRFLOW__{name}")


@pytest.mark.parametrize("zone", ["utc", "system", "UTC", "Europe/Berlin"])
def test_the_settings_of_every_day_pass(monkeypatch, tmp_path, zone):
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", zone)
    preflight.check_settings()
    preflight.check_log_folder()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AIRFLOW__CORE__PARALELISM", "AIRFLOW__CORE__PARALLELISM"),
        ("AIRFLOW__WEBSERVER__INSTANCE__NAME", None),  # as courses write it
        ("AIRFLOW__WEBSERVER__WEB_SERVER__PORT", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT"),
        ("AIRFLOW__CORE__PARALLELISM", None),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", None),
        ("AIRFLOW__WEBSERVER__INSTANCE_NAME", None),
        ("AIRFLOW__MY_PROVIDER__OPTION", None),
        ("AIRFLOW__CORE__SOMETHING_ELSE", None),
        ("AIRFLOW_VAR_CORE__PARALELISM", None),
    ],
)
def test_a_misspelt_setting_is_noticed(monkeypatch, tmp_path, name, meant):
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    wanted = [] if meant is None else [f"{name} is no setting of Airflow; did you mean {meant}?"]
    assert list(preflight.doubts([name])) == wanted


def test_a_missing_folder_and_an_executor_that_is_not_there_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "nope"))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert list(preflight.doubts([])) == [
        f"[core] dags_folder: {tmp_path}/nope does not exist yet; there are no DAGs until it does",
        "[core] executor: there is no CeleryExecutor here; tasks run as processes of this machine",
    ]
