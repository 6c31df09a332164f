"""Arguments of operators as public DAG files give them, those written for Airflow 1 and 2 among them."""

from __future__ import annotations

import sys

import pytest

from gnomon.sdk import DAG
from gnomon.sdk.exceptions import RemovedInAirflow3Warning, RemovedInAirflow4Warning
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from gnomon.sdk.standard.sensors import BashSensor
from gnomon.sdk.standard.virtualenv import ExternalPythonOperator


@pytest.mark.parametrize("operator", [PythonOperator, BranchPythonOperator, ShortCircuitOperator])
def test_provide_context_is_said_to_have_no_effect(operator):
    with pytest.warns(RemovedInAirflow3Warning, match="provide_context has no effect") as caught:
        operator(task_id="t", python_callable=print, provide_context=True)

    assert [warning.filename for warning in caught] == [__file__]


def test_a_warning_names_the_line_that_makes_the_operator():
    with pytest.warns(RemovedInAirflow4Warning, match="max_active_tis_per_dag") as caught:
        BashOperator(task_id="t", bash_command="true", task_concurrency=2)

    assert [warning.filename for warning in caught] == [__file__]


def test_a_function_gets_the_context_with_and_without_provide_context(runner):
    def days(ds, **context):
        return f"{ds} {context['task'].task_id}"

    with DAG("d") as dag:
        PythonOperator(task_id="false", python_callable=days, provide_context=False)
        with pytest.warns(RemovedInAirflow3Warning):
            PythonOperator(task_id="with", python_callable=days, provide_context=True)

    assert runner.run_and_return(dag, "with") == "2024-03-10 with"
    assert runner.run_and_return(dag, "false") == "2024-03-10 false"


def test_a_script_of_a_sensor_and_a_text_of_a_function_are_no_names_of_templates(runner, tmp_path):
    script = tmp_path / "check.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)

    def first(text):
        return text[:1]

    with DAG("d") as dag:
        BashSensor(task_id="sensor", bash_command=str(script))
        ExternalPythonOperator(task_id="outside", python=sys.executable, python_callable=first, op_args=["notes.txt"])

    assert runner.run_and_return(dag, "outside") == "n"
    assert runner.run(dag, "sensor").state == "success"
