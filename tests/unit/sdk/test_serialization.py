from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gnomon.sdk import DAG, AsyncCallback, BaseOperatorLink, DeadlineAlert, DeadlineReference
from gnomon.sdk.exceptions import SerializationError
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.serialization import serialize_dag
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.wire.dag import SerializedTask, encode

START = datetime(2024, 1, 1)


async def alert(**kwargs):
    pass


def test_everything_that_planning_needs(as_data):
    with DAG("d", start_date=START, schedule="@daily", max_active_runs=2, dagrun_timeout=timedelta(hours=1)) as dag:
        EmptyOperator(task_id="first")
        BashOperator(
            task_id="t",
            bash_command="true",
            trigger_rule="all_done",
            retries=2,
            retry_delay=timedelta(seconds=5),
            retry_exponential_backoff=True,
            max_retry_delay=60,
            depends_on_past=True,
            pool="p",
            pool_slots=2,
            priority_weight=5,
            weight_rule="upstream",
            queue="q",
            max_active_tis_per_dag=1,
            max_active_tis_per_dagrun=2,
            execution_timeout=timedelta(minutes=1),
            on_failure_callback=print,
            on_retry_callback=print,
            start_date=datetime(2024, 6, 1),
            executor_config={"isolation": "reuse"},
            email=["a@b.org"],
            doc_md="doc",
            task_display_name="T",
            owner="me",
        ) << dag.get_task("first")

    data = as_data(dag)

    task = data.tasks[1]
    assert (data.max_active_runs, data.dagrun_timeout, data.catchup, data.max_active_tasks_scope) == (
        2,
        3600,
        False,
        "run",
    )
    assert (task.upstream, task.trigger_rule, task.retries, task.retry_delay) == (["first"], "all_done", 2, 5.0)
    assert (task.retry_exponential_backoff, task.max_retry_delay, task.depends_on_past) == (2.0, 60.0, True)
    assert (task.pool, task.pool_slots, task.priority_weight, task.weight_rule) == ("p", 2, 5, "upstream")
    assert (task.queue, task.max_active_tis_per_dag, task.max_active_tis_per_dagrun) == ("q", 1, 2)
    assert (task.execution_timeout, task.has_failure_callback, task.has_retry_callback) == (60.0, True, True)
    assert (task.start_date, task.isolation, task.email) == ("2024-06-01T00:00:00+00:00", "reuse", ["a@b.org"])
    assert (task.task_type, task.task_display_name, task.owner, task.doc_md) == ("BashOperator", "T", "me", "doc")


def test_the_scope_of_max_active_tasks_is_that_of_the_profile(profile_2, as_data):  # mistake 21
    assert as_data(DAG("d", start_date=START)).max_active_tasks_scope == "dag"


def test_equal_dags_give_equal_bytes():
    def make():
        with DAG("d", start_date=START, tags={"b", "a", "c"}, default_args={"on_failure_callback": print}) as dag:
            a, b, c = (BashOperator(task_id=name, bash_command="x", env={"k": "v"}) for name in "abc")
            [a, b] >> c
        return encode(serialize_dag(dag))

    assert make() == make()


def test_a_plain_task_is_a_few_dozen_bytes():
    with DAG("d") as dag:
        for number in range(100):
            EmptyOperator(task_id=f"t{number}")

    assert len(encode(serialize_dag(dag))) / 100 < 250


class Subclass(EmptyOperator):
    def execute(self, context):
        return 1


@pytest.mark.parametrize(
    ("cls", "kwargs", "inline"),
    [
        (EmptyOperator, {}, True),
        (EmptyOperator, {"on_failure_callback": print}, True),
        (EmptyOperator, {"on_success_callback": print}, False),
        (EmptyOperator, {"on_execute_callback": [print]}, False),
        (EmptyOperator, {"outlets": ["x"]}, False),
        (EmptyOperator, {"pre_execute": print}, False),
        (Subclass, {}, False),
    ],
)
def test_what_needs_no_process(as_data, cls, kwargs, inline):  # mistake 32
    with DAG("d") as dag:
        cls(task_id="t", **kwargs)

    assert as_data(dag).tasks[0].inline is inline


def test_tasks_come_in_topological_order(as_data):
    with DAG("d") as dag:
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        c >> a >> b

    assert [task.task_id for task in as_data(dag).tasks] == ["c", "a", "b"]


def test_what_has_no_json_form_is_named_without_an_address(as_data):
    with DAG("d", default_args={"on_failure_callback": print, "thing": object(), "days": {2, 1}}) as dag:
        EmptyOperator(task_id="t", executor_config={"pod": object()})

    data = as_data(dag)

    assert data.default_args == {"on_failure_callback": "<print>", "thing": "<object>", "days": [1, 2]}
    assert data.tasks[0].executor_config == {"pod": "<object>"}


def test_a_wrong_isolation_names_the_task():
    with DAG("d") as dag:
        EmptyOperator(task_id="t", executor_config={"isolation": "thread"})

    with pytest.raises(SerializationError, match=r"task 't'.*'thread'"):
        serialize_dag(dag)


def test_links_and_colours(as_data):
    class Link(BaseOperatorLink):
        name = "Elsewhere"

        def get_link(self, operator, *, ti_key):
            return "x"

    class Linked(BaseOperator):
        operator_extra_links = (Link(),)
        ui_color = "#123456"

    with DAG("d") as dag:
        Linked(task_id="t")

    task = as_data(dag).tasks[0]
    assert (task.extra_links, task.ui_color) == (["Elsewhere"], "#123456")


def test_deadlines_as_data(as_data):
    deadline = DeadlineAlert(DeadlineReference.AVERAGE_RUNTIME(5), timedelta(hours=1), AsyncCallback(alert, {"a": 1}))

    data = as_data(DAG("d", deadline=deadline)).deadline[0]

    assert data["reference"] == {"reference_type": "AverageRuntimeDeadline", "max_runs": 5, "min_runs": 5}
    assert data["interval"] == 3600
    assert data["callback"]["kwargs"] == {"a": 1}
    assert data["callback"]["path"].endswith("alert")


def test_every_field_of_a_task_is_set_somewhere():
    """A field that is added to the contract and not filled in would stay at its default for ever."""
    from pathlib import Path

    import gnomon.sdk.serialization.dag as writer

    source = Path(writer.__file__).read_text()
    missing = [
        name for name in SerializedTask.__struct_fields__ if f"{name}=" not in source and f"made.{name}" not in source
    ]

    assert missing == []
