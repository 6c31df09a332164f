"""Weight strategies of users: asked while the DAG is parsed, and carried out by the scheduler."""

from __future__ import annotations

import pytest

from gnomon.model.graph import Graph
from gnomon.sdk.dag import DAG
from gnomon.sdk.exceptions import SerializationError
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.serialization import serialize_dag
from gnomon.sdk.weight import PriorityWeightStrategy, check_weight_rule, weight_in_run


class Decreasing(PriorityWeightStrategy):
    """As in Airflow's documentation: a task gets less important with each try."""

    def get_weight(self, ti):
        return max(3 - ti.try_number, 1)


class ByName(PriorityWeightStrategy):
    def get_weight(self, ti):
        return 10 * ti.task.priority_weight + (1 if ti.task_id == "b" else 0)


class Broken(PriorityWeightStrategy):
    def get_weight(self, ti):
        return ti.dag_run.conf["weight"]


class Nonsense(PriorityWeightStrategy):
    def get_weight(self, ti):
        return "high"


def serialized(strategy, **arguments):
    with DAG("d", schedule=None) as dag:
        first = BaseOperator(task_id="a", weight_rule=strategy, priority_weight=2, **arguments)
        first >> BaseOperator(task_id="b", weight_rule=strategy, priority_weight=5)
    return serialize_dag(dag)


def test_the_strategy_decides_and_not_the_sum_of_its_relatives():
    made = serialized(ByName())
    graph = Graph(made.tasks)

    assert [node.priority for node in graph.nodes] == [20, 51]
    assert made.tasks[0].weight_rule.endswith("ByName")
    assert made.tasks[0].priority_weight == 2


def test_a_class_or_its_import_path_will_do():
    assert check_weight_rule(ByName) == ByName()
    assert check_weight_rule(f"{ByName.__module__}.ByName") == ByName()
    with pytest.raises(ValueError, match=r"'no\.such\.Strategy' cannot be imported: No module named 'no'"):
        check_weight_rule("no.such.Strategy")


def test_airflow_3_asks_when_the_task_instance_is_made():
    assert serialized(Decreasing(), retries=4).tasks[0].weights == [3]


def test_airflow_2_asks_for_each_try(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__COMPAT", "2")
    from gnomon.sdk.settings import FromSettings
    from gnomon.service.config import conf

    conf.reload()
    FromSettings.forget()
    assert serialized(Decreasing(), retries=4).tasks[0].weights == [3, 2, 1]


class ByIndex(PriorityWeightStrategy):
    def get_weight(self, ti):
        return ti.map_index + len(ti.run_id)


class OnlyInARun(PriorityWeightStrategy):
    def get_weight(self, ti):
        return int(ti.run_id[-1])


def test_one_that_looks_at_the_run_is_asked_in_the_run():
    for strategy, expected in ((ByIndex(), 8), (OnlyInARun(), 5)):
        with DAG("d", schedule=None) as dag:
            task = BaseOperator(task_id="a", weight_rule=strategy)
            BaseOperator(task_id="b", weight_rule=ByName())
        assert [task.is_asked for task in serialize_dag(dag).tasks] == [True, False]
        assert weight_in_run(task, "run_5", 3, 0) == expected
        assert weight_in_run(dag.get_task("b"), "run_5", 3, 0) is None


def test_one_that_fails_in_the_run_says_so():
    with DAG("d", schedule=None):
        task = BaseOperator(task_id="a", weight_rule=OnlyInARun())
    with pytest.raises(ValueError, match=r"the weight strategy of task 'a', OnlyInARun failed: ValueError"):
        weight_in_run(task, "run", 3, 0)


def test_a_task_without_a_strategy_carries_no_weights():
    with DAG("d", schedule=None) as dag:
        BaseOperator(task_id="a")
    assert serialize_dag(dag).tasks[0].weights == []


@pytest.mark.parametrize(
    ("strategy", "says"), [(Broken(), "Broken failed: AttributeError"), (Nonsense(), "not 'high'")]
)
def test_one_that_fails_is_an_error_that_names_the_task(strategy, says):
    with pytest.raises(SerializationError, match=f"task 'a': .*{says}"):
        serialized(strategy)
