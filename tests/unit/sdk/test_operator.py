from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from gnomon.sdk import DAG, TaskGroup, TriggerRule, WeightRule
from gnomon.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout, TaskDeferred
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.operator_meta import BASE_ARGUMENTS
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.standard.python import PythonOperator
from gnomon.sdk.weight import PriorityWeightStrategy

START = datetime(2024, 1, 1)


class Narrow(BaseOperator):
    def __init__(self, *, text, times=1, **kwargs):
        super().__init__(**kwargs)
        self.text, self.times = text, times


class Fixed(Narrow):
    def __init__(self, **kwargs):
        super().__init__(text="fixed", retries=7, **kwargs)


def test_it_has_all_54_arguments():  # section 1
    assert len(BASE_ARGUMENTS) >= 54
    for name in ("retry_policy", "wait_for_past_depends_before_skipping", "max_active_tis_per_dagrun", "logger_name"):
        assert name in BASE_ARGUMENTS


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError, match="Use keyword arguments"):
        EmptyOperator("t")


@pytest.mark.parametrize(
    ("cls", "kwargs", "message"),
    [
        (EmptyOperator, {}, "missing keyword argument 'task_id'"),
        (Narrow, {"task_id": "t"}, "missing keyword argument 'text'"),
        (PythonOperator, {"task_id": "t"}, "missing keyword argument 'python_callable'"),
        (EmptyOperator, {"task_id": "t", "tusk": 1}, "'tusk': 1"),
        (EmptyOperator, {"task_id": "t", "retry_delay": "soon"}, "'retry_delay'"),
        (EmptyOperator, {"task_id": "t", "depends_on_past": "yes"}, "'depends_on_past'"),
        (EmptyOperator, {"task_id": "t", "priority_weight": "9"}, "'priority_weight'"),
        (EmptyOperator, {"task_id": "t", "queue": 3}, "'queue'"),
        (EmptyOperator, {"task_id": "t", "pool_slots": "1"}, "'pool_slots'"),
        (EmptyOperator, {"task_id": "t", "dag": "d"}, "dag has to be a DAG"),
    ],
)
def test_a_type_error_names_the_argument(cls, kwargs, message):
    with pytest.raises(TypeError, match=message):
        cls(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"trigger_rule": "sometimes"}, "trigger_rule must be one of"),
        ({"weight_rule": "heavy"}, "weight_rule must be"),
        ({"pool_slots": 0}, "pool slots cannot be less than 1"),
        ({"execution_timeout": 5}, "execution_timeout must be timedelta"),
        ({"task_id": "no spaces"}, "task_id"),
    ],
)
def test_a_value_error_names_the_argument(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EmptyOperator(**{"task_id": "t", **kwargs})


def test_retries_that_are_no_number_are_a_runtime_error():
    with pytest.raises(RuntimeError, match="'retries' type must be int"):
        EmptyOperator(task_id="t", retries="many")


def test_default_args_fill_in_what_is_left_out_nearest_first():
    with DAG("d", default_args={"retries": 1, "owner": "dag", "queue": "dag", "text": "dag"}) as dag:
        with TaskGroup("g", default_args={"owner": "group", "queue": "group"}):
            task = Narrow(task_id="t", default_args={"owner": "task"})
        explicit = Narrow(task_id="e", text="own", retries=0)

    assert (task.retries, task.owner, task.queue, task.text) == (1, "task", "group", "dag")
    assert (explicit.retries, explicit.owner, explicit.text) == (0, "dag", "own")
    assert dag.task_ids == ["g.t", "e"]


def test_what_a_subclass_gives_its_base_wins_over_default_args():
    with DAG("d", default_args={"retries": 1, "text": "dag"}):
        task = Fixed(task_id="t")

    assert (task.retries, task.text) == (7, "fixed")


def test_an_operator_made_inside_another_has_default_args_of_its_own():
    class Outer(BaseOperator):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = EmptyOperator(task_id="inner", dag=DAG("other", default_args={"retries": 9}))
            self.after = EmptyOperator(task_id="after")

    with DAG("d", default_args={"retries": 2}):
        outer = Outer(task_id="outer")

    assert (outer.retries, outer.inner.retries, outer.after.retries) == (2, 9, 2)


def test_a_task_stores_only_what_differs_from_the_defaults():
    with DAG("d"):
        task = EmptyOperator(task_id="t", retries=0, depends_on_past=False, pool=None)

    assert set(vars(task)) <= {
        "task_id", "_task_group", "_dag", "upstream_task_ids", "downstream_task_ids", "retries",
    }  # fmt: skip


def test_lists_are_not_shared_between_tasks():
    one, two = EmptyOperator(task_id="one"), EmptyOperator(task_id="two")

    one.on_failure_callback.append(print)
    one.outlets.append("x")
    one.executor_config["a"] = 1

    assert (two.on_failure_callback, two.outlets, two.executor_config) == ([], [], {})
    assert one.has_on_failure_callback
    assert not two.has_on_failure_callback


def test_values_are_normalised():
    task = EmptyOperator(
        task_id="t",
        retries="3",
        retry_delay=5,
        max_retry_delay=60.0,
        retry_exponential_backoff=True,
        trigger_rule="dummy",
        weight_rule="absolute",
        on_failure_callback=print,
        wait_for_downstream=True,
        priority_weight=2**40,
        start_date=START,
    )

    assert task.retries == 3
    assert task.retry_delay == timedelta(seconds=5)
    assert task.max_retry_delay == timedelta(seconds=60)
    assert task.retry_exponential_backoff == 2.0  # section 1: bool True → 2.0
    assert task.trigger_rule is TriggerRule.ALWAYS  # the alias of Airflow 2
    assert task.weight_rule is WeightRule.ABSOLUTE
    assert task.on_failure_callback == [print]
    assert task.depends_on_past is True  # mistake 20
    assert task.priority_weight == 2147483647  # mistake 23: clamped to int32
    assert task.start_date == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_priority_strategy_of_ones_own_is_kept():
    class Decreasing(PriorityWeightStrategy):
        def get_weight(self, ti):
            return max(3 - ti.try_number, 1)

    assert isinstance(EmptyOperator(task_id="t", weight_rule=Decreasing()).weight_rule, Decreasing)


def test_settings_are_the_defaults(monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_OWNER", "me")
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "4")
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY", "7")
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_EXECUTION_TIMEOUT", "11")

    task = EmptyOperator(task_id="t")

    assert (task.owner, task.retries) == ("me", 4)
    assert task.retry_delay == timedelta(seconds=7)
    assert task.execution_timeout == timedelta(seconds=11)


def test_dates_of_the_dag_hold_for_its_tasks():
    with DAG("d", start_date=START, end_date=datetime(2025, 1, 1)) as dag:
        task = EmptyOperator(task_id="t")

    assert (task.start_date, task.end_date) == (dag.start_date, dag.end_date)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_arguments_of_airflow_2_are_taken():
    task = EmptyOperator(task_id="t", task_concurrency=2, sla=timedelta(hours=1))

    assert task.max_active_tis_per_dag == 2


def test_wiring_with_operators_methods_and_lists():
    with DAG("d"):
        a, b, c, d = (EmptyOperator(task_id=name) for name in "abcd")
        a >> [b, c] >> d
        d << a
        d.set_upstream(b)
        a.set_downstream([b, c])

    assert a.downstream_task_ids == {"b", "c", "d"}
    assert d.upstream_task_ids == {"a", "b", "c"}
    assert {task.task_id for task in d.get_direct_relatives(upstream=True)} == {"a", "b", "c"}
    assert a.get_flat_relative_ids(upstream=False) == {"b", "c", "d"}
    assert a.get_flat_relative_ids(upstream=False, depth=0) == set()
    assert {task.task_id for task in a.downstream_list} == {"b", "c", "d"}


def test_wiring_something_else_says_so():
    with DAG("d"), pytest.raises((TypeError, AttributeError)):
        EmptyOperator(task_id="t") >> "text"


def test_a_copy_to_run_leaves_the_dags_own_as_it_was():
    with DAG("d"):
        task = PythonOperator(task_id="t", python_callable=print, op_args=["{{ ds }}"])
    copied = task.prepare_for_execution()
    copied.op_args = ["rendered"]

    assert task.op_args == ["{{ ds }}"]
    assert copy.deepcopy(task).python_callable is print


def test_resuming_calls_the_method_with_event_and_kwargs():
    class Resumes(BaseOperator):
        def done(self, context, event, more):
            return context, event, more

    task = Resumes(task_id="t")

    assert task.resume_execution("done", {"event": 1, "more": 2}, "context") == ("context", 1, 2)
    with pytest.raises(TaskDeferralError, match="boom"):
        task.resume_execution("__fail__", {"error": "boom", "traceback": ["x"]}, {})
    with pytest.raises(TaskDeferralTimeout):  # mistake 40
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, {})


def test_defer_raises_with_all_that_was_given():
    with pytest.raises(TaskDeferred) as caught:
        EmptyOperator(task_id="t").defer(trigger="trigger", method_name="next", kwargs={"a": 1}, timeout=5)

    assert (caught.value.trigger, caught.value.method_name, caught.value.kwargs) == ("trigger", "next", {"a": 1})
    assert caught.value.timeout == timedelta(seconds=5)
    with pytest.raises(ValueError, match="timeout"):
        TaskDeferred(trigger=None, method_name="x", timeout="5")


def test_ten_thousand_tasks_stay_small():
    import tracemalloc

    tracemalloc.start()
    with DAG("d") as dag:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2000):
            PythonOperator(task_id=f"t{number}", python_callable=print, retries=2)
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(dag.task_dict) == 2000
    assert (after - before) / 2000 < 3000


def test_hooks_run_before_and_after():
    seen = []
    task = EmptyOperator(task_id="t", pre_execute=seen.append, post_execute=lambda *args: seen.append(args))

    task.pre_execute("c")
    task.post_execute("c", 1)

    assert seen == ["c", ("c", 1)]
