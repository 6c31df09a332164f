"""What dynamic mapping and setups can do, each checked by the task that sees it."""

from airflow.exceptions import AirflowSkipException
from airflow.sdk import DAG, get_current_context, setup, task, task_group, teardown
from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue


def check(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


class Waits(BaseSensorOperator):
    def __init__(self, *, what, **kwargs):
        super().__init__(**kwargs)
        self.what = what

    def poke(self, context):
        return PokeReturnValue(is_done=context["ti"].try_number == 1, xcom_value=self.what * 10)


with DAG("mapping", schedule=None):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def pairs():
        return {"a": 1, "b": 2}

    @task
    def nothing():
        return []

    @task(map_index_template="{{ n }}")
    def double(n, plus=0):
        get_current_context()["n"] = f"number {n}"
        if n == 99:
            raise AirflowSkipException
        return n * 2 + plus

    @task(trigger_rule="none_failed")
    def saw(found, expected):
        check(list(found) if not isinstance(found, (int, str, type(None))) else found, expected)

    doubled = double.partial(plus=1).expand(n=numbers())
    saw(doubled, [3, 5, 7])
    saw.override(task_id="twice_mapped")(double.override(task_id="again").expand(n=doubled), [6, 10, 14])
    saw.override(task_id="product")(double.override(task_id="both").expand(n=[1, 2], plus=[10, 20]), [12, 22, 14, 24])

    @task
    def show(x, **context):
        return [x, context["ti"].map_index, context["expanded_ti_count"]]

    one, two = numbers.override(task_id="one")(), numbers.override(task_id="two")()
    saw.override(task_id="zipped")(
        show.override(task_id="zip").expand(x=one.zip(two.map(lambda n: -n))), [[(1, -1), 0, 3], [(2, -2), 1, 3], [(3, -3), 2, 3]]
    )
    saw.override(task_id="joined")(
        double.override(task_id="concat").expand(n=one.concat(two.map(lambda n: n * 100))), [2, 4, 6, 200, 400, 600]
    )
    saw.override(task_id="items")(
        show.override(task_id="dict").expand(x=pairs()), [[("a", 1), 0, 2], [("b", 2), 1, 2]]
    )

    @task
    def arguments():
        return [{"n": 1}, {"n": 2, "plus": 5}]

    saw.override(task_id="kwargs")(double.override(task_id="by_kwargs").expand_kwargs(arguments()), [2, 9])

    # nothing to do, and what is left out
    none = double.override(task_id="none").expand(n=nothing())
    saw.override(task_id="after_none")(none, [])
    some = double.override(task_id="some").expand(n=[1, 99, 3])
    saw.override(task_id="after_some")(some, [2, 6])

    @task
    def picked(ti=None):
        check(ti.xcom_pull(task_ids="double", map_indexes=1), 5)
        check(list(ti.xcom_pull(task_ids="double", map_indexes=[2, 0])), [7, 3])
        check(list(ti.xcom_pull(task_ids="double"))[::2], [3, 7])

    doubled >> picked()

    # groups
    @task
    def add_one(n):
        return n + 1

    @task
    def collect(values):
        return sum(values)

    @task_group
    def inner(n):
        return add_one(n)

    @task_group
    def steps(n):
        first = add_one(n)
        second = inner(first)

        @task(trigger_rule="all_done")
        def last(a, b):
            check(b, a + 1)
            return b

        return last(first, second)

    in_groups = steps.expand(n=numbers.override(task_id="for_groups")())
    total = collect(in_groups)
    saw.override(task_id="sum_of_groups")(total, 12)
    # over what a mapped group returned
    saw.override(task_id="over_groups")(double.override(task_id="over").expand(n=in_groups), [6, 8, 10])

    @task
    def multiply(a, b):
        return a * b

    @task_group
    def columns(row, column):
        return multiply(row, column)

    @task_group
    def rows(n):
        row = add_one.override(task_id="row")(n)
        cells = columns.partial(row=row).expand(column=[1, 10, 100])
        collect.override(task_id="row_sum")(cells)
        return cells

    saw.override(task_id="cells")(rows.expand(n=[1, 2]), [2, 20, 200, 3, 30, 300])

    @task.branch
    def choose(n):
        return f"chosen.{'odd' if n % 2 else 'even'}"

    @task_group
    def chosen(n):
        @task
        def odd(n):
            return n

        @task
        def even(n):
            return n

        choose(n) >> [odd(n), even(n)]

    chosen.expand(n=numbers.override(task_id="for_branches")())

    @task.short_circuit
    def only_large(n):
        return n > 1

    @task_group
    def circuit(n):
        @task
        def large(n):
            check(n > 1, True)
            return n

        only_large(n) >> large(n)

    circuit.expand(n=[1, 2])

    saw.override(task_id="sensed")(
        Waits.partial(task_id="waits", mode="reschedule", poke_interval=0.1).expand(what=[1, 2]).output, [10, 20]
    )

with DAG("setups", schedule=None):

    @setup
    def create():
        return "cluster"

    @task
    def work(cluster):
        check(cluster, "cluster")
        raise ValueError("broken on purpose")

    @task
    def skipped_too():
        raise AirflowSkipException

    @teardown
    def delete(cluster):
        check(cluster, "cluster")

    made = create()
    with delete(made):
        work(made) >> skipped_too()

    @task_group
    def prepared():
        @task
        def make():
            return 1

        @task
        def use():
            pass

        @task
        def drop():
            raise ValueError("a failed teardown does not fail the run")

        make_task = make().as_setup()
        make_task >> use() >> drop().as_teardown(setups=make_task)

    @task
    def after_group():
        pass

    prepared() >> after_group()
