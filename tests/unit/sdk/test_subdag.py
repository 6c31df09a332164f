"""SubDagOperator, which becomes a task group."""

from __future__ import annotations

import pytest

from gnomon.sdk.dag import DAG
from gnomon.sdk.edges import Label
from gnomon.sdk.exceptions import AirflowException, RemovedInAirflow3Warning
from gnomon.sdk.serialization import serialize_dag
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.standard.subdag import SubDagOperator
from gnomon.sdk.task_group import TaskGroup

pytestmark = pytest.mark.filterwarnings("ignore::gnomon.sdk.exceptions.RemovedInAirflow3Warning")


def inner(parent: str, name: str) -> DAG:
    dag = DAG(f"{parent}.{name}", schedule=None)
    first = EmptyOperator(task_id="first", dag=dag)
    with TaskGroup("pair", dag=dag):
        left, right = EmptyOperator(task_id="left", dag=dag), EmptyOperator(task_id="right", dag=dag)
    first >> Label("go") >> left
    first >> right
    return dag


def test_the_tasks_run_between_what_is_wired_before_and_after():
    with DAG("outer", schedule=None) as dag:
        start, end = EmptyOperator(task_id="start"), EmptyOperator(task_id="end")
        one = SubDagOperator(task_id="one", subdag=inner("outer", "one"))
        two = SubDagOperator(task_id="two", subdag=inner("outer", "two"), trigger_rule="all_done")
        start >> one >> two >> end

    assert dag.get_task("one.first").upstream_task_ids == {"start"}
    assert dag.get_task("one.first").downstream_task_ids == {"one.pair.left", "one.pair.right"}
    assert dag.get_task("two.first").upstream_task_ids == {"one.pair.left", "one.pair.right"}
    assert dag.get_task("two.first").trigger_rule == "all_done"
    assert end.upstream_task_ids == {"two.pair.left", "two.pair.right"}
    assert {"one", "one.pair", "two", "two.pair"} == set(dag.task_group_dict)
    assert dag.get_edge_info("one.first", "one.pair.left") == {"label": "go"}
    assert all(task.dag is dag for task in dag.tasks)
    assert len(serialize_dag(dag).tasks) == 8


def test_a_subdag_of_another_name_is_refused():
    with DAG("outer", schedule=None), pytest.raises(AirflowException, match=r"is 'other\.one', not 'outer\.one'"):
        SubDagOperator(task_id="one", subdag=inner("other", "one"))


def test_it_needs_a_dag():
    with pytest.raises(AirflowException, match="give it a dag"):
        SubDagOperator(task_id="one", subdag=inner("outer", "one"))


def test_it_is_an_old_name():
    with DAG("outer", schedule=None), pytest.warns(RemovedInAirflow3Warning, match="TaskGroup"):
        SubDagOperator(task_id="one", subdag=inner("outer", "one"))
