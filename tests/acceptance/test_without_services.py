"""What works with nothing started: run, parse, pytest, tasks test, dags test."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.fixtures.processes import of_home

DAGS = Path(__file__).with_name("dags")


@pytest.fixture
def course(project):
    for file in DAGS.glob("*.py"):
        shutil.copy(file, project.root / "dags")
    return project


@pytest.mark.parametrize("dag_id", ["my_dag", "chain_dag", "check_dag", "xcoms_demo_4"])
def test_the_course_dags_run(course, swapi, dag_id):
    said = course.ok("gnomon", "run", dag_id, "-v", SWAPI=swapi)
    assert f"✔ {dag_id} success" in said
    expected = {"my_dag": "hi from task e", "chain_dag": "hi from d", "check_dag": "Hi there!", "xcoms_demo_4": "152"}
    assert expected[dag_id] in said
    assert not course.home.joinpath("airflow.db").exists()


def test_a_failure_is_the_exit_code_and_its_log_is_shown(project):
    (project.root / "dags/failing.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "with DAG('failing', schedule=None):\n"
        "    @task\n"
        "    def divide():\n"
        "        print('about to divide')\n"
        "        return 1 / 0\n"
        "    divide()\n"
    )
    done = project("astro", "run", "failing")
    assert done.returncode == 1
    assert "about to divide" in done.stdout
    assert 'failing.py", line 6, in divide' in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert done.stderr == ""

    done = project("gnomon", "run", "failing", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"]) == (1, "failed")
    assert found["tasks"][0]["error"] == "ZeroDivisionError: division by zero"


def test_conf_and_logical_date_reach_the_tasks(project):
    (project.root / "dags/echo.py").write_text(
        "from airflow.sdk import DAG, task\n"
        "with DAG('echo', schedule='@daily'):\n"
        "    @task\n"
        "    def say(ds=None, dag_run=None):\n"
        "        print('on', ds, 'with', dag_run.conf)\n"
        "    say()\n"
    )
    said = project.ok("gnomon", "run", "echo", "-v", "--conf", '{"a": 1}', "--logical-date", "2026-02-03")
    assert "on 2026-02-03 with {'a': 1}" in said


def test_it_sees_the_projects_variables_and_changes_nothing_of_them(project):
    project.ok("airflow", "variables", "set", "greeting", "hello")
    (project.root / "dags/vars.py").write_text(
        "from airflow.sdk import DAG, Variable, task\n"
        "with DAG('vars', schedule=None):\n"
        "    @task\n"
        "    def change():\n"
        "        print('was', Variable.get('greeting'))\n"
        "        Variable.set('greeting', 'changed')\n"
        "        print('is', Variable.get('greeting'))\n"
        "    change()\n"
    )
    said = project.ok("gnomon", "run", "vars", "-v")
    assert "was hello" in said
    assert "is changed" in said
    assert project.ok("airflow", "variables", "get", "greeting") == "hello\n"
    assert project.rows("airflow", "dags", "list") == []


def test_a_deferred_task_goes_on(project):
    (project.root / "dags/waiting.py").write_text(
        "from datetime import timedelta\n"
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor\n"
        "with DAG('waiting', schedule=None):\n"
        "    TimeDeltaSensor(task_id='wait', delta=timedelta(seconds=0.2), deferrable=True)\n"
    )
    assert "✔ waiting success" in project.ok("gnomon", "run", "waiting")


@pytest.mark.parametrize("way", ["ctrl-c", "in the background of a script"])
def test_an_interrupted_run_leaves_nothing(project, way):
    (project.root / "dags/slow.py").write_text(
        "from airflow.sdk import DAG, task\nimport time\n"
        "with DAG('slow', schedule=None):\n"
        "    @task\n"
        "    def sleep():\n"
        "        time.sleep(60)\n"
        "    sleep()\n"
    )
    project.environ["TMPDIR"] = str(project.root)
    # A shell has what it starts in the background ignore SIGINT.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if way != "ctrl-c" else signal.default_int_handler)
    try:
        process = project.spawn("gnomon", "run", "slow")
    finally:
        signal.signal(signal.SIGINT, before)
    for line in process.stdout:
        if "running" in line:
            break
    process.send_signal(signal.SIGINT if way == "ctrl-c" else signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert rest == "\nInterrupted: the tasks that ran are ended, and nothing of the run is kept.\n"
    assert not list(project.root.glob("gnomon-run-*"))
    assert not of_home(project.home)


def test_a_dag_without_tasks_succeeds_and_says_so(project):
    (project.root / "dags/empty.py").write_text("from airflow.sdk import DAG\ndag = DAG('empty', schedule=None)\n")
    assert "✔ empty success in" in (said := project.ok("gnomon", "run", "empty"))
    assert said.endswith(": it has no tasks\n")


def test_an_unknown_dag_gets_a_suggestion(project):
    done = project("gnomon", "run", "example_sundail")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: there is no DAG 'example_sundail'; did you mean example_sundial?\n"


def test_parse_names_file_and_line(project):
    assert "✔ No errors detected in your DAGs: 2 files, 2 DAGs" in project.ok("astro", "dev", "parse")
    (project.root / "dags/broken.py").write_text("from airflow import DAG\n\nimport no_such_module\n")
    done = project("astro", "dev", "parse")
    assert done.returncode == 1
    assert done.stdout.startswith("dags/broken.py:3: ModuleNotFoundError: No module named 'no_such_module'\n")
    (project.root / ".astro/dag_integrity_exceptions.txt").write_text("dags/broken.py  # later\n")
    assert project("astro", "dev", "parse").returncode == 0

    (project.root / "dags/exits.py").write_text("# airflow dag\nimport os\nos._exit(3)\n")
    done = project("astro", "dev", "parse", "dags/exits.py")
    assert done.stdout.startswith(
        "dags/exits.py: it ended the process that parsed it with exit code 3\n✘ 1 of 1 file cannot be used"
    )

    found = json.loads(project("astro", "dev", "parse", "--json", "dags/broken.py").stdout)
    assert [(entry["line"], entry["dags"]) for entry in found] == [(3, [])]


def test_parse_outside_a_project_says_so(project, tmp_path):
    project.root, inside = tmp_path, project.root
    done = project("astro", "dev", "parse")
    project.root = inside
    assert done.stderr == f"Error: {tmp_path} is not in a project\n       gnomon dev init makes one here\n"


def test_the_tests_of_a_new_project_pass(project):
    assert "✔ All tests passed" in project.ok("astro", "dev", "pytest")
    (project.root / "tests/test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    assert project("astro", "dev", "pytest", "test_wrong.py").returncode == 1


def test_one_task_by_itself(course):
    said = course.ok("airflow", "tasks", "test", "my_dag", "print_c", "2026-01-01")
    assert "hi from task c" in said
    assert "hi from task b" not in said
    done = course("airflow", "tasks", "test", "my_dag", "print_z")
    assert done.stderr.startswith("Error: DAG my_dag has no task 'print_z'; did you mean ")


def test_dags_test_can_leave_tasks_out(course):
    pattern = ("--mark-success-pattern", "print_[ab]")
    said = course.ok("airflow", "dags", "test", "my_dag", "2026-01-01", *pattern, "--show-dagrun")
    assert "✔ my_dag success" in said
    assert said.count('fillcolor="green"') == said.count("shape=rectangle") > 2


def test_providers_list_works_as_the_course_types_it(project):
    assert "apache-airflow-providers-standard" in project.ok("astro", "dev", "run", "providers", "list")


def test_a_file_reads_and_sets_variables_while_it_is_imported_for_a_task_too(project):
    (project.root / "dags/asks.py").write_text(
        "from airflow.sdk import DAG, Variable, task\n"
        "COUNT = Variable.get('count', default=None)\n"
        "if COUNT is None:\n"
        "    Variable.set('count', '2')\n"
        "    COUNT = Variable.get('count')\n"
        "with DAG('asks', schedule=None):\n"
        "    for n in range(int(COUNT)):\n"
        "        task(task_id=f't{n}')(lambda: print('of', COUNT))()\n"
    )
    said = project.ok("gnomon", "run", "asks", "-v")
    assert "2 success" in said
    assert said.count("of 2") == 2
