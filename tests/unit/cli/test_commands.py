"""Commands in this process: options, answers and errors; nothing is started."""

from __future__ import annotations

import errno
import importlib
import json
import subprocess
import sys
import time

import pytest

from gnomon.cli import main, programs
from gnomon.cli.errors import known_error
from gnomon.cli.lazy import load


@pytest.fixture
def airflow(monkeypatch, capsys):
    def call(*arguments, program="airflow"):
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as leave:
            (main.airflow if program == "airflow" else main.main)()
        said = capsys.readouterr()
        return leave.value.code or 0, said.out, said.err

    return call


@pytest.mark.parametrize("table", [programs.GNOMON, programs.AIRFLOW], ids=["gnomon", "airflow"])
def test_every_command_in_the_tables_can_be_loaded(table):
    for name, entry in table.items():
        assert load(name, entry).name == name


def test_dev_commands_can_be_loaded():
    dev = importlib.import_module("gnomon.cli.dev").app
    for name, entry in dev._table.items():
        assert load(name, entry).name == name


def test_help_lists_every_command_without_loading_one():
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['gnomon', '--help']; from gnomon.cli.main import main; main()"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.perf_counter() - began < 5
    for name in programs.GNOMON:
        assert f"  {name}" in done.stdout


@pytest.mark.parametrize(
    "module", ["gnomon.store", "sqlalchemy", "fastapi", "gnomon.sdk", "rich.console", "yaml", "asyncio"]
)
def test_the_programs_own_imports_are_few(module):
    ask = f"import sys, gnomon.cli.programs; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def test_a_plain_process_needs_no_parser_of_options():
    ask = "import sys, gnomon.cli.main, gnomon.cli.parts; sys.exit('typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def test_the_supervisor_imports_next_to_nothing():
    heavy = ["typer", "rich", "sqlalchemy", "asyncio", "structlog", "gnomon.store", "gnomon.sdk", "msgspec"]
    ask = f"import sys, gnomon.cli.supervise; sys.exit(', '.join(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_the_workers_program_knows_no_database():
    ask = "import sys, gnomon.cli.worker_process, gnomon.worker.supervisor; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def test_an_unknown_command_gets_a_suggestion(airflow):
    assert airflow("dgas") == (
        2,
        "",
        "Error: airflow has no command 'dgas'; did you mean dags?\n       airflow --help lists the commands\n",
    )


def test_each_program_understands_the_others_commands(airflow):
    code, out, _ = airflow("variables", "list", program="gnomon")
    assert (code, out) == (0, "No data found\n")


def test_variables(airflow, tmp_path):
    assert airflow("variables", "set", "greeting", "hello", "--description", "d")[:2] == (
        0,
        "Variable greeting created\n",
    )
    assert airflow("variables", "set", "nested", '{"a": 1}')[0] == 0
    assert airflow("variables", "get", "greeting")[1] == "hello\n"
    assert airflow("variables", "get", "nope", "-d", "none")[1] == "none\n"
    assert (
        airflow("variables", "get", "greetin")[2] == "Error: there is no variable 'greetin'; did you mean greeting?\n"
    )
    assert json.loads(airflow("variables", "list", "-o", "json")[1]) == [{"key": "greeting"}, {"key": "nested"}]

    file = tmp_path / "v.json"
    assert airflow("variables", "export", str(file))[0] == 0
    assert file.stat().st_mode & 0o077 == 0
    exported = json.loads(file.read_text())
    assert exported == {"greeting": {"value": "hello", "description": "d"}, "nested": {"a": 1}}
    assert airflow("variables", "delete", "nested")[1] == "Variable nested deleted\n"
    assert airflow("variables", "import", str(file), "-a", "skip")[1].startswith("1 of 2 variables")
    assert json.loads(airflow("variables", "get", "nested")[1]) == {"a": 1}
    assert airflow("variables", "import", str(file), "-a", "fail")[0] == 1


def test_a_variable_of_the_environment_wins(airflow, monkeypatch):
    airflow("variables", "set", "v", "database")
    monkeypatch.setenv("AIRFLOW_VAR_V", "environment")
    assert airflow("variables", "get", "v")[1] == "environment\n"


def test_files_to_import_are_checked_with_their_line(airflow, tmp_path):
    file = tmp_path / "v.json"
    file.write_text('{"a": 1,\n "b": }\n')
    code, _, err = airflow("variables", "import", str(file))
    assert (code, err) == (1, f"Error: {file}:2: is not JSON: Expecting value\n")
    file.write_text('{"a": 1, "a": 2}')
    assert "'a' is there twice" in airflow("variables", "import", str(file))[2]


def test_connections(airflow, tmp_path):
    assert airflow("connections", "add", "pg", "--conn-uri", "postgresql://u:p%40@h:5/db?x=1")[0] == 0
    assert "already exists" in airflow("connections", "add", "pg", "--conn-uri", "postgres://h")[2]
    (found,) = json.loads(airflow("connections", "get", "pg", "-o", "json")[1])
    assert (found["conn_type"], found["password"], found["port"]) == ("postgres", "p@", "5")
    assert found["get_uri"] == "postgres://u:p%40@h:5/db?x=1"
    masked = airflow("connections", "list", "--show-values", "--hide-sensitive", "-o", "json")[1]
    assert "p@" not in masked
    assert "p%40" not in masked

    file = tmp_path / "c.yaml"
    assert airflow("connections", "export", str(file))[0] == 0
    assert airflow("connections", "delete", "pg")[0] == 0
    assert airflow("connections", "import", str(file))[1] == "Imported connection pg\n"
    assert airflow("connections", "import", str(file))[1].startswith("Could not import connection pg: it exists")
    assert airflow("connections", "import", str(file), "--overwrite")[1] == "Updated connection pg\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --conn-uri, --conn-json or --conn-type"),
        (["--conn-uri", "x://h", "--conn-json", "{}"], "give either --conn-uri or --conn-json"),
        (["--conn-uri", "x://h", "--conn-host", "h"], "--conn-host cannot be combined with --conn-uri"),
        (["--conn-type", "x", "--conn-extra", "{"], "--conn-extra is not JSON"),
        (["--conn-json", '{"host": "h"}'], "--conn-json of connection 'c' has no conn_type"),
    ],
)
def test_connection_options_that_do_not_fit(airflow, options, message):
    code, out, err = airflow("connections", "add", "c", *options)
    assert (code, out) == (code or 1, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("conn_id", ["two words", "<script>", "", "x" * 251])
def test_connection_ids_are_those_of_airflow(airflow, conn_id):
    code, out, err = airflow("connections", "add", conn_id, "--conn-type", "http")
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: connection id {conn_id!r}: it may have up to 250 letters, digits and _ # !")
    assert airflow("connections", "add", "my-db.prod:1/a(b)#!", "--conn-type", "http")[0] == 0


def test_pools(airflow, tmp_path):
    assert airflow("pools", "set", "etl", "3", "for loads")[1] == "Pool etl created\n"
    assert airflow("pools", "set", "none", "-1", "no limit")[0] == 0
    found = json.loads(airflow("pools", "list", "-o", "json")[1])
    assert [pool["pool"] for pool in found] == ["default_pool", "etl", "none"]
    assert found[1] == {
        "pool": "etl",
        "slots": "3",
        "description": "for loads",
        "include_deferred": "False",
        "team_name": None,
    }

    file = tmp_path / "p.json"
    assert airflow("pools", "export", str(file))[0] == 0
    assert airflow("pools", "delete", "etl")[0] == 0
    assert airflow("pools", "import", str(file))[1] == "Uploaded 3 pool(s)\n"
    assert airflow("pools", "get", "etll")[2] == "Error: there is no pool 'etll'; did you mean etl?\n"
    assert airflow("pools", "delete", "default_pool")[0] == 1


def test_a_dag_that_is_not_there(airflow):
    code, out, err = airflow("dags", "trigger", "nope")
    assert (code, out, err) == (1, "", "Error: there is no DAG 'nope'; no DAG has been parsed yet\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dags", "list-runs", "d", "-s", "whenever"], "-s/--start-date: 'whenever' is not a date"),
        (["dags", "trigger", "d", "-c", "[1]"], "-c/--conf must be a JSON object"),
        (["dags", "trigger", "d", "-c", "{"], "-c/--conf is not JSON"),
        (["config", "get-value", "core", "dags_foldr"], "did you mean dags_folder"),
        (["config", "get-value", "cor", "x"], "there is no section [cor]; did you mean core"),
        (["variables", "list", "--hide-sensitive"], "--hide-sensitive can only be used with --show-values"),
        (["db", "reset"], "there is nobody to ask"),
        (["jobs", "check"], "No alive jobs found."),
    ],
)
def test_errors_are_one_sentence(airflow, arguments, message):
    code, _, err = airflow(*arguments)
    assert code != 0
    assert message in err
    assert "Traceback" not in err


def test_a_database_that_is_none_is_one_sentence(airflow, monkeypatch, tmp_path):
    (tmp_path / "x.db").write_text("this is no database, it is only a text file, but a long one" * 20)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/x.db")
    code, _, err = airflow("dags", "list")
    assert code == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_db_commands(airflow):
    assert "Made the tables" in airflow("db", "migrate")[1]
    assert "Nothing to do" in airflow("db", "migrate")[1]
    assert airflow("db", "check")[1].startswith("Connection successful: sqlite:///")
    airflow("variables", "set", "v", "1")
    assert airflow("db", "reset", "-y")[0] == 0
    assert airflow("variables", "list", "-o", "json")[1] == "[]\n"


def test_providers_tell_what_is_installed(airflow):
    from importlib import metadata

    names = {row["package_name"] for row in json.loads(airflow("providers", "list", "-o", "json")[1])}
    installed = {
        found.metadata["Name"]
        for found in metadata.distributions()
        if any(entry.group == "apache_airflow_provider" for entry in found.entry_points)
    }
    assert names == installed | {"apache-airflow-providers-standard"}


def test_config_list_hides_values_unless_asked(airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "very secret")
    assert "very secret" not in airflow("config", "list")[1]
    shown = airflow("config", "list", "--section", "core", "--show-values", "--hide-sensitive")[1]
    assert "very secret" not in shown
    assert "# parallelism = 32" in shown
    assert "\nfernet_key = ***" in shown


def test_config_list_tells_what_is_set_from_defaults(airflow, airflow_home, monkeypatch):
    (airflow_home / "airflow.cfg").write_text("[celery]\nworker_concurrency = 3\n")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "8")
    core = ("config", "list", "--section", "core", "--show-values")
    assert "\nparallelism = 8\n" in airflow(*core)[1]
    assert "\n# parallelism = 8\n" in airflow(*core, "--comment-out-everything")[1]
    assert "# Variable: AIRFLOW__CORE__PARALLELISM\n# parallelism = 32\n" in airflow(*core, "--defaults")[1]
    assert "worker_concurrency = 3\n" in airflow("config", "list", "--show-values")[1]
    own = airflow("config", "list", "--exclude-providers")[1]
    assert ("[core]" in own, "[celery]" in own) == (True, False)


def test_versions(airflow):
    import gnomon

    assert airflow("version")[1].strip().startswith("3.")
    assert airflow("--version", program="gnomon")[1].startswith(f"gnomon {gnomon.__version__} (Airflow 3.")


def test_an_error_of_the_system_is_told_with_or_without_a_file():
    assert str(known_error(OSError(errno.ENOSPC, "No space left on device"))) == "No space left on device"
    assert str(known_error(OSError(errno.EROFS, "Read-only file system", "/x"))) == "/x: Read-only file system"
    assert known_error(OSError("odd")) is None
