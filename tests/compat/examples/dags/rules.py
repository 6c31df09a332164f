"""Every trigger rule over upstreams that ended in every way, skips that spread, and branches within branches."""

from __future__ import annotations

import pendulum

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, chain, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

START = pendulum.datetime(2024, 1, 1, tz="UTC")
RULES = [
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "all_done_setup_success",
    "all_skipped",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "always",
]


@task
def fine():
    return 1


@task
def broken():
    raise AirflowFailException("on purpose")


@task
def skipped():
    raise AirflowSkipException("on purpose")


with DAG("compat_trigger_rules", schedule=None, start_date=START):
    ends = {"good": [fine], "bad": [broken], "none": [skipped], "mixed": [fine, broken], "partial": [fine, skipped]}
    for name, functions in ends.items():
        with TaskGroup(name):
            before = [function.override(task_id=f"{function.__name__}_up")() for function in functions]
            for rule in RULES:
                if rule == "all_done_setup_success":
                    continue
                before >> EmptyOperator(task_id=rule, trigger_rule=rule) >> EmptyOperator(task_id=f"after_{rule}")

with DAG("compat_branches", schedule=None, start_date=START):

    @task.branch
    def choose(what):
        return what

    outer = choose.override(task_id="outer")(["left", "inner"])
    inner = choose.override(task_id="inner")("group.second")
    left, right, join = (EmptyOperator(task_id=name) for name in ("left", "right", "join"))
    join.trigger_rule = "none_failed_min_one_success"
    with TaskGroup("group") as group:
        first, second = EmptyOperator(task_id="first"), EmptyOperator(task_id="second")
    outer >> [left, right, inner]
    inner >> group
    [left, right, first, second] >> join
    none = choose.override(task_id="none")(None)
    none >> EmptyOperator(task_id="never") >> EmptyOperator(task_id="neither", trigger_rule="none_failed")

    @task.short_circuit
    def stop():
        return False

    chain(stop(), EmptyOperator(task_id="cut"), EmptyOperator(task_id="cut_too", trigger_rule="all_done"))

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def stop_here():
        return []

    chain(stop_here(), EmptyOperator(task_id="one"), EmptyOperator(task_id="other", trigger_rule="all_done"))

    @task.run_if(lambda context: False, skip_message="not today")
    @task
    def unwanted():
        return 1

    @task.skip_if(lambda context: False)
    @task
    def wanted():
        return 1

    unwanted() >> wanted()
