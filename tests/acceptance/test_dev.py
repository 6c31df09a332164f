"""A project's life as its owner sees it: init, start, look, trigger, change, kill, stop."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from pathlib import Path

from tests.fixtures.processes import of_home

DAGS = Path(__file__).with_name("dags")


def test_from_an_empty_folder_to_a_finished_run_and_back(project):
    said = project.start()
    assert f"Running at http://localhost:{project.port}" in said

    first = project.until(lambda: project.finished("example_sundial"))
    assert first["state"] == "success"
    states = project.rows("airflow", "tasks", "states-for-dag-run", "example_sundial", first["run_id"])
    assert {row["state"] for row in states} == {"success"}
    assert sum(row["task_id"] == "shadow" for row in states) == 9

    (made,) = project.rows("airflow", "dags", "trigger", "example_sundial", "-r", "mine", "-c", '{"a": 1}')
    assert (made["dag_run_id"], made["state"]) == ("mine", "queued")
    assert project.until(lambda: project.finished("example_sundial", "mine"))["state"] == "success"
    assert project.ok("airflow", "dags", "state", "example_sundial", "mine") == 'success, {"a": 1}\n'
    assert project.get("/api/v2/dags/example_sundial/dagRuns/mine")["conf"] == {"a": 1}

    parts = project.parts()
    assert {name: row["state"] for name, row in parts.items() if name != "all"} == dict.fromkeys(
        ["supervisor", "worker", "scheduler", "dag-processor", "triggerer", "api-server"], "running"
    )
    health = project.get("/api/v2/monitor/health")
    assert {part["status"] for part in health.values()} == {"healthy"}

    assert project.ok("gnomon", "dev", "stop") == "Stopped.\n"
    assert project("gnomon", "dev", "ps").returncode == 1
    assert project.ok("gnomon", "dev", "stop") == "Nothing is running here.\n"


def test_the_course_dags_under_the_scheduler(project, swapi):
    for file in DAGS.glob("*.py"):
        shutil.copy(file, project.root / "dags")
    project.start(SWAPI=swapi)
    for dag_id in ("my_dag", "chain_dag", "check_dag", "xcoms_demo_4"):
        project.until(lambda name=dag_id: project("airflow", "dags", "details", name).returncode == 0)
        project.ok("airflow", "dags", "trigger", dag_id, "-r", "r", "-l", "2026-01-01")
        assert "is_paused" in project.ok("airflow", "dags", "unpause", dag_id)
        assert project.until(lambda name=dag_id: project.finished(name, "r"))["state"] == "success"

    entry = project.get("/api/v2/dags/xcoms_demo_4/dagRuns/r/taskInstances/_transform/xcomEntries/character_info")
    value = json.loads(entry["value"]) if isinstance(entry["value"], str) else entry["value"]
    assert value == {"height": 152, "mass": 64, "hair_color": "black", "eye_color": "hazel", "gender": "female"}
    log = project.home / "logs/dag_id=xcoms_demo_4/run_id=r/task_id=load/attempt=1.log"
    assert "'height': 152" in log.read_text()
    assert "burgundy" in log.read_text() or "brown" in log.read_text()
    assert "hi from task c" in (project.home / "logs/dag_id=my_dag/run_id=r/task_id=print_c/attempt=1.log").read_text()


def test_what_is_killed_comes_back(project):
    project.start()
    before = project.parts()
    for name in ("scheduler", "dag-processor", "triggerer", "api-server", "worker"):
        os.kill(int(before[name]["pid"]), signal.SIGKILL)

    def back():
        now = project.parts()
        return now if all(
            now[name]["state"] == "running" and now[name]["pid"] != before[name]["pid"] and now[name]["restarts"] == "1"
            for name in ("scheduler", "dag-processor", "triggerer", "api-server", "worker")
        ) else None  # fmt: skip

    project.until(back)
    project.ok("airflow", "dags", "trigger", "example_sundial", "-r", "after")
    assert project.until(lambda: project.finished("example_sundial", "after"))["state"] == "success"


def test_the_parent_of_the_control_side_may_die(project):
    project.start()
    before = project.parts()
    state = _state_file(project)
    os.kill(state["zygote"], signal.SIGKILL)

    def back():
        now = project.parts()
        names = ("scheduler", "dag-processor", "triggerer", "api-server")
        return all(now[name]["state"] == "running" and now[name]["pid"] != before[name]["pid"] for name in names)

    project.until(back)
    assert project.parts()["worker"]["pid"] == before["worker"]["pid"]


def test_what_a_killed_supervisor_leaves_behind_is_ended(project):
    project.start()
    os.kill(int(project.parts()["supervisor"]["pid"]), signal.SIGKILL)
    project.until(lambda: project("gnomon", "dev", "ps").returncode == 1)

    project.start()

    assert {row["state"] for row in project.parts().values()} == {"running", ""}


def test_a_second_start_is_refused(project):
    project.start()
    done = project("gnomon", "dev", "start")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: it is running already at http://localhost:{project.port}")


def test_a_port_in_use_is_passed_over_unless_it_was_asked_for(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", project.port))
        taken.listen()
        done = project("gnomon", "dev", "start", "-p", str(project.port))
        assert (done.returncode, done.stderr) == (
            1,
            f"Error: -p/--port: port {project.port} is in use by another program\n",
        )
        said = project.ok("gnomon", "dev", "start", "-n", AIRFLOW__API__PORT=str(project.port))
        assert f"Port {project.port} is in use" in said
        assert re.search(r"Running at http://localhost:\d+", said)
        assert f"Running at http://localhost:{project.port}," not in said


def test_settings_are_there_before_anything_runs(project):
    (project.root / "airflow_settings.yaml").write_text(
        "airflow:\n  variables:\n    - {variable_name: names, variable_value: [a, b]}\n"
        "  connections:\n    - {conn_id: db, conn_uri: 'postgres://u:p@h/s'}\n"
        "  pools:\n    - {pool_name: etl, pool_slot: 2, pool_description: d}\n"
    )
    (project.root / "dags/by_variable.py").write_text(
        "from airflow.sdk import DAG, Variable, task\n"
        "import os\n"
        "with DAG('by_variable', schedule=None, is_paused_upon_creation=False, tags=[os.environ['ENVIRONMENT']]):\n"
        "    for name in Variable.get('names', deserialize_json=True):\n"
        "        task(task_id=name, pool='etl')(print)(name)\n"
    )
    (project.root / ".dev").write_text("ENVIRONMENT = dev\n")
    project.ok("airflow", "dev", "start", "--env", ".dev", "-n", "-p", str(project.port))

    project.until(lambda: project("airflow", "dags", "details", "by_variable").returncode == 0)
    assert project.ok("airflow", "tasks", "list", "by_variable") == "a\nb\n"
    assert project.get("/api/v2/dags/by_variable")["tags"][0]["name"] == "dev"
    assert project.get("/api/v2/connections/db")["conn_type"] == "postgres"


def test_wrong_settings_are_said_before_anything_starts(project):
    (project.root / "airflow_settings.yaml").write_text("airflow:\n  pools:\n    - {pool_name: p, pool_slot: x}\n")
    done = project("astro", "dev", "start")
    assert done.returncode == 1
    assert "airflow_settings.yaml:3: pool_slot must be a whole number, got 'x'" in done.stderr
    assert project("gnomon", "dev", "ps").returncode == 1


def test_a_new_file_is_live_and_a_broken_one_is_an_import_error(project):
    project.start()
    (project.root / "dags/late.py").write_text(
        "from airflow.sdk import DAG\nwith DAG('late', schedule=None):\n    pass\n"
    )
    project.until(lambda: project("airflow", "dags", "details", "late").returncode == 0)
    (project.root / "dags/broken.py").write_text("from airflow.sdk import dag\nraise RuntimeError('not today')\n")
    errors = project.until(
        lambda: json.loads(project("airflow", "dags", "list-import-errors", "-o", "json").stdout or "[]")
    )
    assert errors[0]["filepath"].endswith("broken.py")
    assert "not today" in errors[0]["error"]


def test_the_foreground_shows_runs_and_ends_with_ctrl_c(project):
    process = project.spawn("gnomon", "dev", "start", "--foreground", "-p", str(project.port))
    lines: list[str] = []
    wanted = {"success after", f"running at http://localhost:{project.port}"}
    try:
        for line in process.stdout:
            lines.append(line)
            is_run_of_sundial = line[9:].startswith("example_sundial") and "| run " in line
            wanted = {text for text in wanted if text not in line or ("after" in text and not is_run_of_sundial)}
            if not wanted:
                break
    finally:
        process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    said = "".join(lines)
    assert process.returncode == 0, said + rest
    assert rest.endswith("Stopped.\n")
    assert not wanted
    assert "✔ draw success" in said
    assert "Traceback" not in said + rest


def test_a_closed_terminal_leaves_nothing_running(project):
    process = project.spawn("gnomon", "dev", "start", "--foreground", "-p", str(project.port))
    for line in process.stdout:
        if "running at" in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    project.until(lambda: project("gnomon", "dev", "ps").returncode == 1)


def test_a_database_that_cannot_be_made_is_one_sentence(project):
    url = "sqlite:////proc/nowhere/airflow.db"
    done = project("gnomon", "dev", "start", "-n", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url)
    assert done.returncode == 1
    assert "/proc/nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_database_is_one_sentence(project):
    project.home.mkdir(parents=True)
    (project.home / "airflow.db").write_text("this is not a database, however long one looks at it")
    done = project("gnomon", "dev", "start")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: the database cannot be prepared: the database sqlite:///{project.home}/airflow.db cannot be used:"
        " file is not a database\n"
    )


def test_a_bad_fernet_key_is_told_before_anything_starts(project):
    done = project("gnomon", "dev", "start", AIRFLOW__CORE__FERNET_KEY="n0t-a-key")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the database cannot be prepared: [core] fernet_key is not a Fernet key")
    assert done.stderr.count("\n") == 1
    assert "n0t-a-key" not in done.stderr
    assert "Nothing is running" in project("gnomon", "dev", "ps").stdout


def test_a_setting_that_a_process_cannot_read_is_one_sentence(project):
    logs = project.home / "logs/processes"
    logs.mkdir(parents=True)
    for name in ("worker", "scheduler", "dag-processor", "triggerer", "api-server"):
        (logs / f"{name}.log").write_text("an error of yesterday\n")
    done = project("gnomon", "dev", "start", AIRFLOW__LOGGING__LOGGING_LEVEL="LOUD")
    assert (done.returncode, done.stdout) == (1, "")
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert re.fullmatch(
        r"Error: [\w-]+ does not start: \[logging\] logging_level: 'LOUD' is none of .*;"
        r" it comes from the environment variable AIRFLOW__LOGGING__LOGGING_LEVEL",
        error,
    )
    assert "Traceback" not in done.stderr
    assert "yesterday" not in done.stderr


def test_a_setting_that_lets_nothing_run_is_refused_at_once(project):
    done = project("gnomon", "dev", "start", AIRFLOW__CORE__PARALLELISM="lots")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: [core] parallelism: 'lots' is not a whole number;"
        " it comes from the environment variable AIRFLOW__CORE__PARALLELISM\n"
    )


def test_kill_deletes_the_database(project):
    project.ok("airflow", "variables", "set", "v", "1")
    project.ok("gnomon", "dev", "kill")
    assert not project.home.exists()
    assert project.rows("airflow", "variables", "list") == []


def test_restart_keeps_the_env_file_and_the_port(project):
    (project.root / ".dev").write_text("AIRFLOW_VAR_STAGE=dev\n")
    project.start("--env", ".dev")
    said = project.ok("astro", "dev", "restart")
    assert f"Running at http://localhost:{project.port}" in said
    assert project.ok("astro", "dev", "run", "variables", "get", "stage") == "dev\n"


def _state_file(project):
    from gnomon.service import home

    before = os.environ.get("AIRFLOW_HOME")
    os.environ["AIRFLOW_HOME"] = str(project.home)
    try:
        return json.loads((home.runtime_dir() / "supervisor.json").read_text())
    finally:
        os.environ["AIRFLOW_HOME"] = before or ""


def test_control_side_processes_that_cannot_be_imported_end_the_start_with_their_reason(project):
    (project.root / "sitecustomize.py").write_text(
        "import os, sys\nif 'gnomon.cli.zygote' in sys.orig_argv:\n"
        "    print('no such module: xyz', file=sys.stderr, flush=True)\n    os._exit(3)\n"
    )
    done = project("gnomon", "dev", "start")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: the database cannot be prepared: no such module: xyz\n" in done.stderr
    assert "Nothing is running" in project("gnomon", "dev", "ps").stdout
    assert not of_home(project.home)
