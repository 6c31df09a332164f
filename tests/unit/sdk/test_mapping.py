from __future__ import annotations

import pytest

from gnomon.sdk import DAG, task, task_group
from gnomon.sdk.exceptions import XComNotFound
from gnomon.sdk.mapping import MappedOperator
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.python import PythonOperator
from gnomon.wire.dag import ExpandInput, XComLength


class Pair(BaseOperator):
    template_fields = ("a", "b", "shared")

    def __init__(self, *, a=None, b=None, shared="s", **kwargs):
        super().__init__(**kwargs)
        self.a, self.b, self.shared = a, b, shared

    def execute(self, context):
        return [self.a, self.b, self.shared]


@task
def numbers():
    return [1, 2, 3]


def test_the_last_argument_varies_fastest(runner, as_data):  # mistake 14
    with DAG("d") as dag:
        Pair.partial(task_id="p", shared="{{ ds }}").expand(a=[1, 2], b=["x", "y", "z"])

    assert as_data(dag).tasks[0].expand == ExpandInput(kind="expand", inputs={"a": 2, "b": 3})
    seen = [runner.run_and_return(dag, "p", map_index=index, expanded_count=6) for index in range(6)]
    assert [(a, b) for a, b, _ in seen] == [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]
    assert seen[0][2] == "2024-03-10"


def test_a_dict_is_expanded_over_by_item(runner):
    with DAG("d") as dag:
        Pair.partial(task_id="p").expand(a={"k": 1, "l": 2})

    outcome = runner.run(dag, "p", map_index=1)
    assert runner.value(outcome)[0]["__data__"] == ["l", 2]


def test_over_the_result_of_a_task(runner, as_data):
    @task
    def add(x, y):
        return x + y

    with DAG("d") as dag:
        add.partial(y=10).expand(x=numbers())

    data = as_data(dag)
    assert data.tasks[1].expand == ExpandInput(kind="expand", inputs={"x": XComLength(task_id="numbers")})
    assert data.tasks[1].upstream == ["numbers"]
    runner.run(dag, "numbers")
    assert [runner.run_and_return(dag, "add", map_index=i) for i in range(3)] == [11, 12, 13]


def test_map_zip_and_concat(runner, as_data):
    @task
    def show(x):
        return x

    with DAG("d") as dag:
        one = numbers()
        two = numbers.override(task_id="two")()
        show.override(task_id="mapped").expand(x=one.map(lambda n: n * 2).map(str))
        show.override(task_id="zipped").expand(x=one.zip(two, fillvalue=0))
        show.override(task_id="joined").expand(x=one.concat(two))

    lengths = {one.task_id: one.expand.inputs["x"] for one in as_data(dag).tasks if one.expand}
    source, other = XComLength(task_id="numbers"), XComLength(task_id="two")
    assert lengths["mapped"] == XComLength(kind="map", sources=[source])
    assert lengths["zipped"] == XComLength(kind="zip", sources=[source, other], longest=True)
    assert lengths["joined"] == XComLength(kind="concat", sources=[source, other])
    runner.run(dag, "numbers")
    runner.run(dag, "two")
    assert runner.run_and_return(dag, "mapped", map_index=1) == "4"
    assert runner.value(runner.run(dag, "zipped", map_index=2))["__data__"] == [3, 3]
    assert runner.run_and_return(dag, "joined", map_index=4) == 2


def test_all_results_of_a_mapped_task_are_one_sequence(runner):
    @task
    def double(x):
        return x * 2

    @task
    def total(values):
        return [len(values), sum(values), values[-1], list(values[:2])]

    with DAG("d") as dag:
        total(double.expand(x=[1, 2, 3]))

    for index in range(3):
        runner.run(dag, "double", map_index=index, expanded_count=3)
    assert runner.run_and_return(dag, "total") == [3, 12, 6, [2, 4]]


def test_expand_kwargs(runner, as_data):
    with DAG("d") as dag:
        Pair.partial(task_id="p").expand_kwargs([{"a": 1, "b": 2}, {"a": 3, "shared": "own"}])

    assert as_data(dag).tasks[0].expand == ExpandInput(kind="expand_kwargs", inputs={"*": 2})
    assert runner.run_and_return(dag, "p", map_index=0) == [1, 2, "s"]
    assert runner.run_and_return(dag, "p", map_index=1) == [3, None, "own"]


def test_expand_kwargs_is_strict_about_what_is_given_already(runner):
    with DAG("d") as dag:
        Pair.partial(task_id="strict", a=1).expand_kwargs([{"a": 2}])
        Pair.partial(task_id="loose", a=1).expand_kwargs([{"a": 2}], strict=False)

    assert runner.run(dag, "strict", map_index=0).state == "failed"
    assert runner.run_and_return(dag, "loose", map_index=0) == [2, None, "s"]


def test_values_from_results_are_not_rendered_again(runner):
    @task
    def texts():
        return ["{{ ds }}"]

    @task
    def show(x):
        return x

    with DAG("d") as dag:
        show.expand(x=texts())
        show.override(task_id="literal").expand(x=["{{ ds }}"])

    runner.run(dag, "texts")
    assert runner.run_and_return(dag, "show", map_index=0) == "{{ ds }}"
    assert runner.run_and_return(dag, "literal", map_index=0) == "2024-03-10"


def test_a_mapped_task_has_the_arguments_that_its_instances_share(as_data):
    with DAG("d", default_args={"retries": 2, "owner": "me"}) as dag:
        mapped = BashOperator.partial(task_id="b", pool="p", trigger_rule="all_done").expand(bash_command=["a"])
        mapped.queue = "later"

    assert isinstance(mapped, MappedOperator)
    assert mapped.is_mapped
    assert (mapped.retries, mapped.owner, mapped.pool, mapped.queue) == (2, "me", "p", "later")
    assert mapped.on_failure_callback == []
    assert not mapped.has_on_failure_callback
    data = as_data(dag).tasks[0]
    assert (data.retries, data.pool, data.queue, data.trigger_rule) == (2, "p", "later", "all_done")
    assert data.task_type == "BashOperator"
    assert data.template_fields == ["bash_command", "env", "cwd"]
    with pytest.raises(AttributeError, match="nonsense"):
        mapped.nonsense


def test_the_instance_has_the_wiring_of_the_whole(runner):
    with DAG("d") as dag:
        mapped = Pair.partial(task_id="p", retries=3).expand(a=[1])
        Pair(task_id="after") << mapped

    instance = mapped.unmap({"a": 1})

    assert (instance.retries, instance.downstream_task_ids) == (3, {"after"})
    assert dag.task_dict["p"] is mapped


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Pair.partial(task_id="p").expand(), TypeError, "no arguments"),
        (lambda: Pair.partial(task_id="p").expand(a=5), ValueError, "'int'.*'a'"),
        (lambda: Pair.partial(task_id="p").expand(a="text"), ValueError, "'str'.*'a'"),
        (lambda: Pair.partial(task_id="p").expand(zz=[1]), TypeError, "'zz'"),
        (lambda: Pair.partial(task_id="p", zz=1), TypeError, "'zz'"),
        (lambda: Pair.partial(task_id="p", a=1).expand(a=[1]), TypeError, "already specified argument: a"),
        (lambda: Pair.partial(task_id="p").expand(retries=[1]), TypeError, "unmappable.*retries"),
        (lambda: Pair.partial(task_id="p").expand(a=numbers()["key"]), ValueError, "custom key 'key'"),
        (lambda: Pair.partial(task_id="p").expand_kwargs("x"), TypeError, "list\\[dict\\]"),
        (lambda: Pair.partial(task_id="p", pool_slots=0), ValueError, "pool slots"),
        (lambda: numbers()["key"].map(str), ValueError, "'key'"),
        (lambda: numbers().map(numbers), ValueError, "plain function"),
        (lambda: numbers.expand(x=[1]), TypeError, "'x'"),
        (lambda: numbers.expand(ds=[1]), ValueError, "context variable 'ds'"),
        (lambda: task(lambda a: a).partial(a=1).expand(a=[1]), TypeError, "already partial argument: a"),
    ],
)
@pytest.mark.filterwarnings("ignore:Task .* was never mapped")
def test_an_error_names_what_is_wrong(call, error, message):
    with DAG("d"), pytest.raises(error, match=message):
        call()


def test_partial_is_for_classes():
    with DAG("d"):
        one = Pair(task_id="p")

    with pytest.raises(TypeError, match="Operator classes"):
        one.partial(task_id="x")


def test_a_partial_that_is_never_expanded_warns():
    with DAG("d"), pytest.warns(UserWarning, match="'p' was never mapped"):
        Pair.partial(task_id="p")


def test_a_mapped_group(runner, as_data):
    @task
    def inc(x):
        return x + 1

    @task
    def square(x):
        return x * x

    @task
    def collect(values):
        return list(values)

    @task_group
    def both(x, y):
        return square(inc(x))

    with DAG("d") as dag:
        collect(both.partial(y=0).expand(x=numbers()))

    data = as_data(dag)
    assert data.groups[0].expand == ExpandInput(kind="expand", inputs={"x": XComLength(task_id="numbers")})
    assert {one.task_id: one.upstream for one in data.tasks} == {
        "numbers": [],
        "both.inc": ["numbers"],
        "both.square": ["both.inc"],
        "collect": ["both.square"],
    }
    runner.run(dag, "numbers")
    for index in range(3):
        runner.run(dag, "both.inc", map_index=index, expanded_count=3)
    results = [runner.run_and_return(dag, "both.square", map_index=index, expanded_count=3) for index in range(3)]
    assert results == [4, 9, 16]
    assert runner.run_and_return(dag, "collect") == [4, 9, 16]


def test_a_mapped_operator_in_a_mapped_group_is_refused():  # mistake 14
    @task_group
    def group(x):
        Pair.partial(task_id="p").expand(a=[1])

    with DAG("d"), pytest.raises(NotImplementedError, match="expanded task group"):
        group.expand(x=[1])


def test_nested_mapped_groups_are_refused():  # mistake 14
    @task_group
    def inner(x):
        numbers()

    @task_group
    def outer(x):
        inner.expand(x=x)

    with DAG("d"), pytest.raises((ValueError, NotImplementedError)):
        outer.expand(x=[[1]])


def test_rule_always_cannot_expand_over_results():
    with DAG("d"), pytest.raises(ValueError, match="'always'"):
        task(trigger_rule="always")(lambda x: x).expand(x=numbers())


def test_a_missing_key_is_said(runner):
    with DAG("d") as dag:
        PythonOperator(task_id="p", python_callable=print, op_args=[numbers()["gone"]])

    outcome = runner.run(dag, "p")

    assert outcome.state == "failed"
    assert XComNotFound.__name__ in outcome.error
    assert "'gone'" in outcome.error


def test_params_of_a_mapped_task(runner):
    @task(params={"p": 1})
    def show(x, params=None):
        return [x, dict(params)]

    with DAG("d", params={"q": 2}) as dag:
        show.expand(x=[5])

    assert runner.run_and_return(dag, "show", map_index=0) == [5, {"p": 1, "q": 2}]
