"""Settings: where they come from, which wins, and what a bad one says."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.service import environment, provider_settings
from gnomon.service.config import ConfigError, conf, profile, variable_name

# ------------------------------------------------------------------------------------------------- sources


def test_the_environment_wins_over_the_file_which_wins_over_the_default(airflow_home, monkeypatch):
    assert conf.getint("core", "parallelism") == 32
    (airflow_home / "airflow.cfg").write_text("[core]\nparallelism = 7\n")
    conf.reload()
    assert conf.getint("core", "parallelism") == 7
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "9")
    assert conf.getint("CORE", "Parallelism") == 9


def test_a_file_elsewhere_is_named_by_airflow_config(tmp_path, monkeypatch):
    other = tmp_path / "other.cfg"
    other.write_text("[core]\nparallelism = 3\n")
    monkeypatch.setenv("AIRFLOW_CONFIG", str(other))
    assert conf.getint("core", "parallelism") == 3


def test_another_home_means_another_file(airflow_home, tmp_path, monkeypatch):
    (airflow_home / "airflow.cfg").write_text("[core]\nparallelism = 7\n")
    assert conf.getint("core", "parallelism") == 7
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert conf.getint("core", "parallelism") == 32


def test_percent_signs_of_the_file_are_written_twice_as_in_airflow(airflow_home):
    (airflow_home / "airflow.cfg").write_text("[logging]\nsimple_log_format = %%(asctime)s %%(message)s\n")
    assert conf.get("logging", "simple_log_format") == "%(asctime)s %(message)s"


def test_defaults_know_the_home(airflow_home):
    assert conf.get("core", "dags_folder") == f"{airflow_home}/dags"
    assert conf.get("database", "sql_alchemy_conn") == f"sqlite:///{airflow_home}/airflow.db"


def test_variables_in_values_are_expanded(monkeypatch):
    monkeypatch.setenv("PLACE", "/somewhere")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "$PLACE/dags")
    assert conf.get("core", "dags_folder") == "/somewhere/dags"


def test_a_value_may_come_from_a_command(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY_CMD", "printf 'a key'")
    assert conf.get("core", "fernet_key") == "a key"


def test_a_command_in_the_file_counts_too(airflow_home):
    (airflow_home / "airflow.cfg").write_text("[core]\nfernet_key_cmd = echo key\n")
    assert conf.get("core", "fernet_key") == "key"


def test_only_secrets_come_from_commands_as_in_airflow(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM_CMD", "echo 5")
    assert conf.getint("core", "parallelism") == 32


def test_a_command_that_fails_says_so_in_one_line(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY_CMD", "sh -c 'echo no vault >&2; exit 3'")
    with pytest.raises(ConfigError, match=r"\[core\] fernet_key: .*FERNET_KEY_CMD ended with exit code 3: no vault"):
        conf.get("core", "fernet_key")


def test_a_value_may_come_from_the_secrets_backend(airflow_home, monkeypatch):
    (airflow_home / "vault_stand_in.py").write_text(
        "class Backend:\n"
        "    def __init__(self, prefix): self.prefix = prefix\n"
        "    def get_config(self, key): return f'{self.prefix}/{key}'\n"
    )
    monkeypatch.syspath_prepend(str(airflow_home))
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "vault_stand_in.Backend")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", '{"prefix": "airflow"}')
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET", "database")
    assert conf.get("database", "sql_alchemy_conn") == "airflow/database"


def test_a_secret_without_a_backend_is_an_error(monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET", "database")
    with pytest.raises(ConfigError, match=r"\[secrets\] backend, which is not set"):
        conf.get("database", "sql_alchemy_conn")


# ------------------------------------------------------------------------------------------ names of 2.x


@pytest.mark.parametrize(
    ("old", "section", "key"),
    [
        ("AIRFLOW__WEBSERVER__BASE_URL", "api", "base_url"),
        ("AIRFLOW__WEBSERVER__INSTANCE_NAME", "api", "instance_name"),
        ("AIRFLOW__WEBSERVER__INSTANCE__NAME", "api", "instance_name"),
        ("AIRFLOW__WEBSERVER__WEB_SERVER_PORT", "api", "port"),
        ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", "database", "sql_alchemy_conn"),
        ("AIRFLOW__CORE__DAG_CONCURRENCY", "core", "max_active_tasks_per_dag"),
        ("AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL", "dag_processor", "refresh_interval"),
        ("AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD", "scheduler", "task_instance_heartbeat_timeout"),
    ],
)
def test_names_of_airflow_2_still_count(monkeypatch, old, section, key):
    monkeypatch.setenv(old, "77")
    assert conf.get(section, key) == "77"
    _, old_section, old_key = old.lower().split("__", 2)
    assert conf.get(old_section, old_key) == "77"


def test_the_present_name_wins_over_the_old_one(monkeypatch):
    monkeypatch.setenv("AIRFLOW__WEBSERVER__BASE_URL", "old")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "new")
    assert conf.get("api", "base_url") == "new"


# ---------------------------------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    ("section", "key", "in_2", "in_3"),
    [
        ("scheduler", "catchup_by_default", "True", "False"),
        ("scheduler", "create_cron_data_intervals", "True", "False"),
        ("scheduler", "create_delta_data_intervals", "True", "False"),
        ("scheduler", "ignore_first_depends_on_past_by_default", "True", "False"),
        ("core", "dag_ignore_file_syntax", "regexp", "glob"),
        ("api", "fallback_page_limit", "100", "50"),
    ],
)
def test_defaults_that_differ_between_the_profiles(monkeypatch, section, key, in_2, in_3):
    assert profile() == 3
    assert conf.get(section, key) == in_3
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")
    assert profile() == 2
    assert conf.get(section, key) == in_2


def test_a_profile_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "4")
    with pytest.raises(ConfigError, match=r"\[core\] compat: 4 is neither 2 nor 3; .*AIRFLOW__CORE__COMPAT"):
        profile()


# ------------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("text", "expected"), [("True", True), ("t", True), ("1", True), ("FALSE # why", False), ("f", False), ("0", False)]
)
def test_bools(monkeypatch, text, expected):
    monkeypatch.setenv("AIRFLOW__X__Y", text)
    assert conf.getboolean("x", "y") is expected


@pytest.mark.parametrize(
    ("getter", "text", "wanted"),
    [
        ("getboolean", "maybe", "true or false"),
        ("getint", "1.5", "a whole number"),
        ("getint", "", "a whole number"),
        ("getfloat", "fast", "a number"),
        ("getjson", "{", "JSON"),
        ("gettimedelta", "soon", "a number of seconds"),
        ("getimport", "no_such_module.thing", "the path of something that can be imported"),
        ("getimport", "thing", "the path of something that can be imported"),
    ],
)
def test_a_bad_value_names_option_value_and_source(monkeypatch, getter, text, wanted):
    monkeypatch.setenv("AIRFLOW__X__Y", text)
    with pytest.raises(ConfigError) as caught:
        getattr(conf, getter)("x", "y")
    message = str(caught.value)
    assert message.startswith(f"[x] y: {text!r} is not {wanted}")
    assert message.endswith("it comes from the environment variable AIRFLOW__X__Y")


def test_a_bad_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", "{my password")
    with pytest.raises(ConfigError) as caught:
        conf.getjson("secrets", "backend_kwargs")
    assert "my password" not in str(caught.value)


def test_the_other_types(monkeypatch):
    monkeypatch.setenv("AIRFLOW__X__LIST", "a, b,,c ")
    monkeypatch.setenv("AIRFLOW__X__SECONDS", "90")
    monkeypatch.setenv("AIRFLOW__X__IMPORT", "datetime.timedelta")
    assert conf.getlist("x", "list") == ["a", "b", "c"]
    assert conf.gettimedelta("x", "seconds") == timedelta(seconds=90)
    assert conf.getimport("x", "import") is timedelta
    assert conf.getjson("dag_processor", "dag_bundle_config_list")[0]["name"] == "dags-folder"


def test_known_without_a_value_is_none_and_unknown_is_an_error():
    assert conf.get("api", "base_url") is None
    assert conf.get("api", "base_url", fallback="x") == "x"
    assert conf.gettimedelta("core", "default_task_execution_timeout") is None
    assert conf.getlist("metrics", "metrics_allow_list") == []
    assert conf.get("nothing", "here", fallback=None) is None
    with pytest.raises(ConfigError, match=r"\[nothing\] here is set nowhere"):
        conf.get("nothing", "here")
    with pytest.raises(ConfigError, match="for example with AIRFLOW__API__BASE_URL"):
        conf.get_mandatory_value("api", "base_url")


def test_has_option_and_section(monkeypatch):
    monkeypatch.setenv("AIRFLOW__SNOWFLAKE__AZURE_SCOPE", "3")
    assert conf.has_option("core", "parallelism")
    assert not conf.has_option("api", "base_url")
    assert conf.getsection("snowflake") == {"azure_scope": 3}
    assert conf.getsection("nothing") is None
    assert conf.getsection("core")["parallelism"] == 32
    assert conf.has_section("snowflake")


def test_a_value_set_by_the_program_wins_and_can_be_taken_back(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "9")
    conf.set("core", "parallelism", "4")
    assert conf.getint("core", "parallelism") == 4
    conf.remove_option("core", "parallelism")
    assert conf.getint("core", "parallelism") == 9


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("parallelism = 3", "no section headers"),
        ("[core]\nx = %(nothing)s", "nothing"),
        ("[core]\na=1\na=2", "already"),
    ],
)
def test_a_broken_file_is_one_sentence(airflow_home, text, part):
    (airflow_home / "airflow.cfg").write_text(text)
    with pytest.raises(ConfigError) as caught:
        conf.get("core", "parallelism")
    message = str(caught.value)
    assert message.startswith(f"{airflow_home}/airflow.cfg cannot be read: ")
    assert part in message
    assert "\n" not in message


# -------------------------------------------------------------------------------------- what users may see


def test_every_form_of_a_secret_is_kept_from_user_code():
    secrets = [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__CORE__FERNET_KEY_SECRET",
        "AIRFLOW__API__SECRET_KEY_CMD",
        "AIRFLOW__WEBSERVER__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__CELERY__RESULT_BACKEND",
    ]
    kept = {"PATH": "/bin", "AIRFLOW__CORE__DAGS_FOLDER": "/dags", "AIRFLOW_CONN_DB": "postgres://mine"}
    seen = environment.for_user_code({**kept, **dict.fromkeys(secrets, "hidden")})
    assert {name: value for name, value in seen.items() if name != "GNOMON_USER_CODE"} == kept


def test_user_code_does_not_read_them_from_the_file_either(airflow_home, monkeypatch):
    (airflow_home / "airflow.cfg").write_text("[core]\nfernet_key = k\n[database]\nsql_alchemy_conn = postgresql://x\n")
    assert conf.get("core", "fernet_key") == "k"
    for name, value in environment.for_user_code({}).items():
        monkeypatch.setenv(name, value)
    assert conf.get("core", "fernet_key") is None
    assert conf.get("webserver", "secret_key") is None
    assert conf.get("database", "sql_alchemy_conn") is None


def test_options_of_providers_have_defaults_whether_or_not_they_are_installed(monkeypatch):
    assert conf.get("kubernetes_executor", "worker_container_repository") == ""
    assert conf.getint("celery", "worker_concurrency") == 16
    assert conf.has_option("celery", "pool")
    assert conf.getsection("hive") == {"default_hive_mapred_queue": ""}
    monkeypatch.setenv("AIRFLOW__CELERY__POOL", "gevent")
    assert conf.get("celery", "pool") == "gevent"
    with pytest.raises(ConfigError, match=r"\[celery\] no_such_option is set nowhere"):
        conf.get("celery", "no_such_option")


def test_an_installed_provider_says_its_defaults(tmp_path, monkeypatch):
    folder = tmp_path / "sundials-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = sundials:info\n")
    described = {
        "celery": {"options": {"pool": {"default": "threads"}}},
        "Sundial": {"options": {"face": {"default": 12}}},
    }
    (tmp_path / "sundials.py").write_text(f"def info():\n    return {{'config': {described}}}\n")
    monkeypatch.syspath_prepend(tmp_path)
    provider_settings._installed.cache_clear()
    try:
        assert conf.getint("sundial", "face") == 12
        assert conf.get("celery", "pool") == "threads"
        assert conf.get("celery", "worker_concurrency") == "16"
    finally:
        provider_settings._installed.cache_clear()


def test_names_of_variables():
    assert variable_name("core", "dags_folder") == "AIRFLOW__CORE__DAGS_FOLDER"


def test_the_import_is_light():
    heavy = "{'sqlalchemy', 'pydantic', 'structlog', 'asyncio', 'configparser', 'subprocess', 'json'}"
    code = f"import sys, gnomon.service.config; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=_paths())
    assert shown.stdout.strip() == "set()"


def _paths() -> dict[str, str]:
    import gnomon

    return {"PYTHONPATH": str(Path(gnomon.__file__).parents[1])}
