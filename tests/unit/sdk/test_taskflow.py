from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import pytest

from gnomon.sdk import DAG, task, task_group
from gnomon.sdk.calls import KeywordParameters, determine_kwargs, is_async_callable
from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.taskflow import DecoratedOperator, get_unique_task_id, task_decorator_factory
from gnomon.sdk.xcomarg import XComArg


class Shape(TypedDict):
    a: int


def test_using_a_result_as_an_argument_wires_the_tasks(runner):
    @task
    def one():
        return {"x": [1, 2]}

    @task
    def two(value, *, more):
        return [value, more]

    with DAG("d") as dag:
        two(one(), more={"deep": [one()]})

    assert dag.get_task("two").upstream_task_ids == {"one", "one__1"}
    runner.run(dag, "one")
    runner.run(dag, "one__1")
    assert runner.run_and_return(dag, "two") == [{"x": [1, 2]}, {"deep": [{"x": [1, 2]}]}]


def test_each_call_is_a_task_of_its_own():
    @task
    def f():
        pass

    with DAG("d") as dag:
        [f() for _ in range(4)]

    assert dag.task_ids == ["f", "f__1", "f__2", "f__3"]


def test_unique_ids_count_inside_their_group():
    @task
    def f():
        pass

    @task_group
    def g():
        f()
        f()

    with DAG("d") as dag:
        f()
        g()
        assert get_unique_task_id("f") == "f__1"

    assert dag.task_ids == ["f", "g.f", "g.f__1"]
    assert get_unique_task_id("f") == "f"


def test_arguments_of_the_task_are_the_decorators():
    @task(task_id="named", retries=3, queue="q", multiple_outputs=True)
    def f():
        """Doc."""

    with DAG("d") as dag:
        f()
        f.override(task_id="other", retries=1)()

    named, other = dag.get_task("named"), dag.get_task("other")
    assert (named.retries, named.queue, named.multiple_outputs, named.doc_md) == (3, "q", True, "Doc.")
    assert (other.retries, other.queue) == (1, "q")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(dict, True), (dict[str, Any], True), (Mapping[str, int], True), (Shape, True), (int, False), (list, False)],
)
def test_multiple_outputs_is_told_from_the_return_type(annotation, expected):
    def f():
        return {}

    f.__annotations__["return"] = annotation

    with DAG("d") as dag:
        task(f)()

    assert dag.get_task("f").multiple_outputs is expected


def test_multiple_outputs_pushes_each_key_and_the_whole(runner):  # mistake 34
    @task
    def f() -> dict[str, int]:
        return {"a": 1, "b": 2}

    with DAG("d") as dag:
        f()
    outcome = runner.run(dag, "f")

    assert {entry.key for entry in outcome.xcoms} == {"a", "b", "return_value"}


@pytest.mark.parametrize("returned", [[1], {1: 2}])
def test_multiple_outputs_wants_a_dict_with_string_keys(runner, returned):
    with DAG("d") as dag:
        task(multiple_outputs=True, task_id="f")(lambda: returned)()

    outcome = runner.run(dag, "f")

    assert outcome.state == "failed"
    assert "TypeError" in outcome.error


def test_none_is_not_pushed(runner):  # mistake 34
    with DAG("d") as dag:
        task(task_id="f")(lambda: None)()

    assert runner.run(dag, "f").xcoms == []


def test_a_call_that_cannot_work_is_an_error_of_the_file():
    @task
    def f(a, b=1):
        pass

    with DAG("d"):
        with pytest.raises(TypeError, match=r"f.*'a'"):
            f()
        with pytest.raises(TypeError, match=r"f.*'c'"):
            f(1, c=2)
        with pytest.raises(TypeError, match="too many positional"):
            f(1, 2, 3)


def test_names_of_the_context_need_not_be_given(runner):
    @task
    def f(ds, ti, x=2, *, run_id=None):
        return [ds, ti.task_id, x, run_id]

    with DAG("d") as dag:
        f()

    assert runner.run_and_return(dag, "f") == ["2024-03-10", "f", 2, "scheduled__2024-03-10T00:00:00+00:00"]


def test_a_required_argument_after_the_contexts_is_required():
    @task
    def f(ti, needed):
        pass

    with DAG("d"):
        with pytest.raises(TypeError, match="needed"):
            f()
        f(needed=1)


def test_a_context_name_has_no_default_but_none():
    with DAG("d"), pytest.raises(ValueError, match="Context key parameter ds"):
        task(lambda ds="today": ds)()


def test_it_is_for_functions_only():
    with pytest.raises(TypeError):
        task(int)
    with pytest.raises(TypeError, match="named arguments"):
        task("name")
    with pytest.raises(AttributeError, match="nonsense"):
        task.nonsense


def test_a_plain_function_is_still_callable():
    @task
    def f(x):
        return x + 1

    assert f.function(1) == 2
    assert f.__wrapped__(1) == 2
    assert f.__name__ == "f"


def test_results_cannot_be_iterated_over_and_are_templates_as_text():
    with DAG("d"):
        arg = task(task_id="f")(lambda: 1)()

    with pytest.raises(TypeError, match="not iterable"):
        list(arg)
    assert "xcom_pull(task_ids='f', dag_id='d', key='return_value')" in f"{arg}"
    assert "key='a'" in str(arg["a"])
    with pytest.raises(ValueError, match="str lookup"):
        arg[0]


def test_a_coroutine_is_run(runner):
    async def f():
        return 5

    with DAG("d") as dag:
        task(f)()

    assert is_async_callable(f)
    assert runner.run_and_return(dag, "f") == 5


@pytest.mark.parametrize(("condition", "state"), [(True, "success"), (False, "skipped")])
def test_run_if_and_skip_if(runner, condition, state):
    with DAG("d") as dag:
        task.run_if(lambda context: condition)(task(task_id="a")(lambda: 1))()
        task.skip_if(lambda context: (not condition, "said so"))(task(task_id="b")(lambda: 1))()

    assert [runner.run(dag, name).state for name in "ab"] == [state, state]


def test_providers_build_decorators_of_their_own(runner):
    class Shout(DecoratedOperator):
        custom_operator_name = "@task.shout"

        def execute(self, context):
            return str(self.python_callable(*self.op_args, **self.op_kwargs)).upper()

    def shout(python_callable=None, **kwargs):
        return task_decorator_factory(python_callable, decorated_operator_class=Shout, **kwargs)

    @shout(retries=1)
    def f(x):
        return x

    with DAG("d") as dag:
        f("hello")

    assert dag.get_task("f").operator_name == "@task.shout"
    assert runner.run_and_return(dag, "f") == "HELLO"


def test_decorators_of_providers_are_always_told_of_multiple_outputs():
    told = []

    class Tells(DecoratedOperator, EmptyOperator):
        def __init__(self, *, python_callable, **kwargs):
            told.append(kwargs.pop("multiple_outputs"))
            super().__init__(python_callable=python_callable, **kwargs)

    with DAG("d"):
        for given in ({}, {"multiple_outputs": True}):
            task_decorator_factory(lambda: 1, decorated_operator_class=Tells, task_id=f"t{len(given)}", **given)()

    assert told == [False, True]


def test_determine_kwargs_takes_what_the_function_wants():
    assert determine_kwargs(lambda a, b: 0, [1], {"b": 2, "c": 3}) == {"b": 2}
    assert determine_kwargs(lambda a, **rest: 0, [1], {"b": 2, "c": 3}) == {"b": 2, "c": 3}
    assert KeywordParameters.determine(lambda *, x: 0, [], {"x": 1, "y": 2}).unpacking() == {"x": 1}
    with pytest.raises(ValueError, match="'ds' is given by position"):
        determine_kwargs(lambda ds: 0, [1], {"ds": 2})


def test_setting_a_template_field_later_wires_too(as_data):
    with DAG("d") as dag:
        first = task(task_id="a")(lambda: 1)()
        later = task(task_id="b")(lambda x: x)(0).operator
        later.op_args = (first,)

    as_data(dag)

    assert later.upstream_task_ids == {"a"}


def test_xcomarg_of_a_classic_operator():
    with DAG("d"):
        a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
        a.output >> b

    assert b.upstream_task_ids == {"a"}
    assert isinstance(XComArg(a, "k"), XComArg)
    assert XComArg(a) == a.output


def test_stub_takes_only_empty_functions():
    @task.stub(queue="java")
    def fine():
        """Elsewhere."""

    with DAG("d") as dag:
        fine()
        assert dag.get_task("fine").queue == "java"

    @task.stub
    def wrong():
        return 1

    with DAG("e"), pytest.raises(ValueError, match="empty function"):
        wrong()


def test_run_if_is_only_for_tasks():
    with pytest.raises(TypeError, match="decorate with @task before"):
        task.run_if(lambda context: True)(lambda: 1)


def test_groups_are_no_setups():
    from gnomon.sdk import setup

    with pytest.raises(AirflowException, match="cannot be marked as setup"):
        setup(task_group(lambda: None))
