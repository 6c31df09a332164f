"""Arguments of operators that DAG files written for Airflow 1 and 2 still give."""

from __future__ import annotations

import pytest

from gnomon.sdk import DAG
from gnomon.sdk.exceptions import RemovedInAirflow3Warning, RemovedInAirflow4Warning
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator


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
