from __future__ import annotations

import subprocess
import sys

import pytest

from gnomon.sdk import DAG, task
from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.standard import venv
from gnomon.sdk.standard.virtualenv import ExternalPythonOperator, PythonVirtualenvOperator


def compute(x, ds, y=1, **kwargs):
    import os
    import sys

    print("in", os.getpid(), sys.executable)
    return {"x": x, "ds": ds, "y": y, "python": sys.version_info[:2]}


def fails():
    raise ValueError("inside")


def leaves():
    import sys

    sys.exit(7)


def test_a_function_runs_in_another_interpreter(runner):
    @task.external_python(python=sys.executable)
    def other(x):
        import sys

        return [x, sys.argv[0].endswith("script.py")]

    with DAG("d") as dag:
        ExternalPythonOperator(task_id="p", python=sys.executable, python_callable=compute, op_args=["{{ ds }}"])
        other(5)

    outcome = runner.run(dag, "p")
    assert outcome.state == "success", outcome.error
    assert runner.value(outcome)["x"] == runner.value(outcome)["ds"] == "2024-03-10"
    assert runner.run_and_return(dag, "other") == [5, True]


def test_errors_and_exit_codes(runner):
    with DAG("d") as dag:
        ExternalPythonOperator(task_id="fails", python=sys.executable, python_callable=fails)
        ExternalPythonOperator(task_id="skips", python=sys.executable, python_callable=leaves, skip_on_exit_code=7)
        ExternalPythonOperator(task_id="gone", python="/no/python", python_callable=fails)

    assert runner.run(dag, "fails").error.endswith("non-zero exit status 1. ValueError: inside")
    assert runner.run(dag, "skips").state == "skipped"
    assert "must exists" in runner.run(dag, "gone").error


def test_what_cannot_be_sent_is_refused():
    def yields():
        yield 1

    for refused in (lambda: 1, print, str.upper):
        with pytest.raises(ValueError, match="only supports functions"):
            ExternalPythonOperator(task_id="t", python="x", python_callable=refused)
    with pytest.raises(ValueError, match="does not support using 'yield'"):
        ExternalPythonOperator(task_id="t", python="x", python_callable=yields)
    with pytest.raises(AirflowException, match="python_version has to be a string"):
        PythonVirtualenvOperator(task_id="t", python_callable=fails, python_version=3.12)
    with pytest.raises(AirflowException, match="Unsupported serializer"):
        ExternalPythonOperator(task_id="t", python="x", python_callable=fails, serializer="json")


def test_an_environment_is_made_and_kept(runner, tmp_path):
    with DAG("d") as dag:
        for name in ("one", "two"):
            PythonVirtualenvOperator(
                task_id=name,
                python_callable=compute,
                op_args=[1],
                venv_cache_path=str(tmp_path),
                system_site_packages=False,
            )

    assert runner.run_and_return(dag, "one")["x"] == 1
    (made,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    since = (made / "pyvenv.cfg").stat().st_mtime_ns
    assert runner.run_and_return(dag, "two")["x"] == 1
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [made]
    assert (made / "pyvenv.cfg").stat().st_mtime_ns == since
    # One that was not finished, because its maker was killed, is made anew.
    (made / "install_complete_marker.json").unlink()
    assert runner.run_and_return(dag, "one")["x"] == 1
    assert (made / "pyvenv.cfg").stat().st_mtime_ns > since


def looks(dag, dag_run, task, macros, params, logical_date, ti_is_not_sent=None):
    assert type(logical_date).__module__ == type(dag_run.logical_date).__module__ == "datetime"
    assert dag_run.logical_date == logical_date
    return [
        dag.dag_id, dag.tags, dag.task_ids, task.task_id, task.retries, dag_run.run_id, dag_run.run_type, dag_run.conf,
        macros.ds_add("2024-01-31", 1), params["size"],
    ]  # fmt: skip


def has_no_macros(macros="none", **context):
    return [macros, sorted(context)[:2], context["dag_run"].state]


def test_dag_task_run_and_macros_are_sent(runner):
    with DAG("d", tags=["a"], params={"size": 3}) as dag:
        common = {"python": sys.executable, "python_callable": looks}
        ExternalPythonOperator(task_id="all", **common, retries=2)
        ExternalPythonOperator(
            task_id="unexpected", python=sys.executable, python_callable=has_no_macros, expect_airflow=False
        )
        ExternalPythonOperator(
            task_id="missing",
            python=sys._base_executable,  # the interpreter that the environment of the tests is made of
            python_callable=has_no_macros,
            inherit_env=False,
            env_vars={"PYTHONPATH": ""},
        )
    run = {"run_type": "manual", "conf": b'{"size": 4}'}
    found = runner.run_and_return(dag, "all", run=run)
    assert found[:5] == ["d", ["a"], ["all", "unexpected", "missing"], "all", 2]
    assert found[6:] == ["manual", {"size": 4}, "2024-02-01", 4]
    assert runner.run_and_return(dag, "unexpected") == ["none", ["dag", "dag_run"], "running"]
    assert runner.run_and_return(dag, "missing") == ["none", ["dag", "dag_run"], "running"]


def takes(ok, bad):
    return ok


def test_an_argument_that_cannot_be_sent_is_named(runner):
    with DAG("d") as dag:
        ExternalPythonOperator(
            task_id="t", python=sys.executable, python_callable=takes, op_kwargs={"ok": 1, "bad": lambda: 1}
        )

    assert "the arguments bad cannot be written with pickle" in runner.run(dag, "t").error


@pytest.mark.parametrize(("method", "is_uv"), [("pip", False), ("uv", True), ("auto", True)])
def test_a_setting_says_what_makes_environments(method, is_uv, monkeypatch, tmp_path):
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__STANDARD__VENV_INSTALL_METHOD", method)
    assert venv.uv() == (str(tmp_path / "uv") if is_uv else None)


def test_a_setting_that_cannot_be_followed_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__STANDARD__VENV_INSTALL_METHOD", "conda")
    with pytest.raises(
        AirflowException, match=r"\[standard\] venv_install_method must be auto, uv or pip, not 'conda'"
    ):
        venv.uv()
    monkeypatch.setenv("AIRFLOW__STANDARD__VENV_INSTALL_METHOD", "uv")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(venv.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(AirflowException, match="is uv, which is not installed"):
        venv.uv()


@pytest.mark.parametrize("method", ["pip", "uv"])
def test_an_environment_that_providers_ask_for(method, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__STANDARD__VENV_INSTALL_METHOD", method)
    listed = tmp_path / "requirements.txt"
    listed.write_text("packaging\n")
    (tmp_path / "made").mkdir()
    (tmp_path / "made/lock").touch()

    python = venv.prepare_virtualenv(
        venv_directory=str(tmp_path / "made"),
        python_bin=sys.executable,
        system_site_packages=True,
        requirements_file_path=str(listed),
        pip_install_options=["--no-deps"],
    )
    again = venv.prepare_virtualenv(str(tmp_path / "made"), sys.executable, system_site_packages=True)

    assert python == again == str(tmp_path / "made/bin/python")
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert prefix.stdout.strip() == str(tmp_path / "made")


def test_an_environment_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        venv.prepare_virtualenv(str(tmp_path), sys.executable, True, requirements=[], requirements_file_path="x")
    with pytest.raises(AirflowException, match="the environment could not be made"):
        venv.prepare_virtualenv(str(tmp_path / "made"), sys.executable, False, requirements=["./no such folder"])
