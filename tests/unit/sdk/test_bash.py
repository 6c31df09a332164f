from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from gnomon.sdk import DAG, task
from gnomon.sdk.standard.bash import BashOperator


def bash(runner, command, **kwargs):
    with DAG("d", **kwargs.pop("dag", {})) as dag:
        BashOperator(task_id="b", bash_command=command, **kwargs)
    return runner.run(dag, "b")


def test_the_last_line_is_the_result(runner):
    assert runner.value(bash(runner, "echo one; echo two")) == "two"
    assert runner.value(bash(runner, "echo '{}'", output_processor=lambda line: {"a": line})) == {"a": "{}"}


def test_the_command_is_a_template(runner):
    assert runner.value(bash(runner, "echo {{ ds }} $X", env={"X": "{{ run_id[:9] }}"}, append_env=True)) == (
        "2024-03-10 scheduled"
    )


@pytest.mark.parametrize(
    ("code", "options", "state"),
    [
        (1, {}, "failed"),
        (99, {}, "skipped"),
        (99, {"skip_on_exit_code": None}, "failed"),
        (7, {"skip_on_exit_code": [7, 8]}, "skipped"),
        (99, {"skip_on_exit_code": 7}, "failed"),
    ],
)
def test_exit_codes(runner, code, options, state):
    outcome = bash(runner, f"exit {code}", **options)

    assert outcome.state == state
    if state == "failed":
        assert f"exit code {code}" in outcome.error


def test_the_environment_is_ours_or_given(runner, monkeypatch):
    monkeypatch.setenv("OURS", "here")

    assert runner.value(bash(runner, "echo ${OURS:-gone}")) == "here"
    assert runner.value(bash(runner, "echo ${OURS:-gone}", env={})) == "gone"
    assert runner.value(bash(runner, "echo $OURS $X", env={"X": "x"}, append_env=True)) == "here x"
    assert runner.value(bash(runner, "echo $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_TASK_ID")) == "d b"


def test_a_temporary_folder_or_cwd(runner, tmp_path):
    assert runner.value(bash(runner, "pwd", cwd=str(tmp_path))) == str(tmp_path)
    folder = runner.value(bash(runner, "pwd"))
    assert "airflowtmp" in folder
    assert not Path(folder).exists()
    assert "Can not find the cwd" in bash(runner, "pwd", cwd="/does/not/exist").error


def test_a_script_is_found_and_rendered(runner, tmp_path):
    (tmp_path / "s.sh").write_text("echo {{ ds }}")

    assert runner.value(bash(runner, "s.sh", dag={"template_searchpath": str(tmp_path)})) == "2024-03-10"


def test_other_encodings(runner):
    assert runner.value(bash(runner, "printf '\\xe4\\n'", output_encoding="latin-1")) == "ä"


def test_on_kill_ends_all_that_the_command_started(tmp_path):
    operator = BashOperator(task_id="b", bash_command="x")
    pid_file = tmp_path / "pid"
    command = f"sleep 600 & echo $! > {pid_file}; wait"
    thread = threading.Thread(target=operator.subprocess_hook.run_command, args=(["bash", "-c", command],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = int(pid_file.read_text())

    operator.on_kill()
    thread.join(10)

    assert not thread.is_alive()
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_task_bash_runs_what_the_function_returns(runner):
    @task.bash(env={"X": "x"}, append_env=True)
    def command(word):
        return f"echo {word} $X {{{{ ds }}}}"

    @task.bash
    def empty():
        return " "

    with DAG("d") as dag:
        command("hi")
        empty()

    assert runner.run_and_return(dag, "command") == "hi x 2024-03-10"
    assert "non-empty string" in runner.run(dag, "empty").error


def test_task_bash_pushes_each_value_of_a_dict(runner):
    @task.bash(multiple_outputs=True, output_processor=json.loads)
    def command():
        return """echo '{"a": 1, "b": "x"}'"""

    with DAG("d") as dag:
        command()
    outcome = runner.run(dag, "command")

    assert {key: runner.value(outcome, key) for key in ("a", "b")} == {"a": 1, "b": "x"}
    assert runner.value(outcome) == {"a": 1, "b": "x"}


def test_signals_that_python_ignores_are_not_ignored_by_the_command(runner):
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN

    assert runner.value(bash(runner, "yes | head -1")) == "y"
