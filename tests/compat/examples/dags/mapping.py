"""Tasks and groups that become several."""

from __future__ import annotations

import pendulum

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

START = pendulum.datetime(2024, 1, 1, tz="UTC")


@task
def numbers(count):
    return list(range(count))


@task
def double(x, plus=0):
    return 2 * x + plus


@task
def total(values):
    return sum(values)


with DAG("compat_mapping", schedule=None, start_date=START):
    three = numbers.override(task_id="three")(3)
    none = numbers.override(task_id="none")(0)

    literal = double.override(task_id="literal").expand(x=[1, 2, 3])
    over_result = double.override(task_id="over_result").partial(plus=1).expand(x=three)
    crossed = double.override(task_id="crossed").expand(x=three, plus=[10, 20])
    total.override(task_id="sum_of_results")(over_result)
    empty = double.override(task_id="over_nothing").expand(x=none)
    total.override(task_id="sum_of_nothing")(empty)
    total.override(task_id="sum_of_nothing_anyway", trigger_rule="all_done")(empty)

    @task
    def shown(pair):
        return str(pair)

    shown.override(task_id="zipped").expand(pair=three.zip(literal, fillvalue="?"))
    shown.override(task_id="joined").expand(pair=three.concat(literal))

    def odd_only(x):
        if x % 2 == 0:
            raise AirflowSkipException("even")
        return x

    shown.override(task_id="filtered").expand(pair=three.map(odd_only))
    double.override(task_id="by_keywords").expand_kwargs([{"x": 1}, {"x": 2, "plus": 5}])

    @task
    def sometimes(x):
        if x == 1:
            raise ValueError("one is refused")
        return x

    refused = sometimes.expand(x=three)
    refused >> EmptyOperator(task_id="after_refused")
    refused >> EmptyOperator(task_id="after_refused_anyway", trigger_rule="all_done")

    @task
    def some(x):
        if x == 1:
            raise AirflowSkipException("one is left out")
        return x

    @task(trigger_rule="all_done")
    def gathered(values):
        return list(values)

    gathered(some.expand(x=three))
    BashOperator.partial(task_id="commands").expand(bash_command=["echo a", "echo b", "exit 99"])

with DAG("compat_mapped_groups", schedule=None, start_date=START):

    @task_group
    def pipeline(x):
        @task
        def begin(value):
            if value == 2:
                raise AirflowSkipException("two is left out")
            return value

        @task
        def end(value):
            return value * 10

        begun = begin(x)
        end(begun) >> EmptyOperator(task_id="always", trigger_rule="all_done")
        return begun

    @task
    def collect(values):
        return sorted(values)

    source = numbers.override(task_id="source")(4)
    out = pipeline.expand(x=source)
    collect.override(trigger_rule="all_done")(out)
    EmptyOperator(task_id="last", trigger_rule="none_failed_min_one_success").set_upstream(out.operator.task_group)
