from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.model.schedule import schedule_of
from gnomon.sdk import DAG, Param, dag, task
from gnomon.sdk.authoring import DagContext
from gnomon.sdk.exceptions import (
    AirflowDagCycleException,
    DuplicateTaskIdFound,
    FailFastDagInvalidTriggerRule,
    RemovedInAirflow4Warning,
    TaskNotFound,
)
from gnomon.sdk.serialization import serialize_dag
from gnomon.sdk.standard.bash import BashOperator
from gnomon.sdk.standard.empty import EmptyOperator

START = datetime(2024, 1, 1)


def test_three_styles_make_the_same_dag(as_data):
    with DAG("a", schedule="@daily", start_date=START) as first:
        EmptyOperator(task_id="one") >> EmptyOperator(task_id="two")

    second = DAG("a", schedule="@daily", start_date=START)
    EmptyOperator(task_id="one", dag=second) >> EmptyOperator(task_id="two", dag=second)

    @dag(schedule="@daily", start_date=START)
    def a():
        EmptyOperator(task_id="one") >> EmptyOperator(task_id="two")

    assert as_data(first) == as_data(second) == as_data(a())


def test_a_decorated_dag_takes_its_docstring_arguments_and_file():
    @dag(dag_id="other", params={"b": 2})
    def named(a=1):
        """What it does."""

    made = named()

    assert made.dag_id == "other"
    assert made.doc_md == "What it does."
    assert made.params.dump() == {"a": 1, "b": 2}
    assert made.fileloc == __file__


def test_fileloc_is_the_file_that_calls_dag():
    assert DAG("a").fileloc == __file__
    assert DAG("a").folder == str(Path(__file__).parent)


@pytest.mark.parametrize("dag_id", ["", "with space", "ümlaut!", "a/b", "x" * 251])
def test_dag_ids_have_no_other_characters_than_letters_digits_and_three_marks(dag_id):
    with pytest.raises(ValueError, match="dag_id"):
        DAG(dag_id)


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("max_active_tasks", "4", TypeError),
        ("max_active_runs", 1.5, TypeError),
        ("dagrun_timeout", 5, TypeError),
        ("default_args", ["x"], TypeError),
        ("tags", "one", TypeError),
        ("tags", ["x" * 101], ValueError),
        ("catchup", "yes", TypeError),
        ("start_date", 5, TypeError),
        ("owner_links", {"me": "not a link"}, ValueError),
        ("schedule", 5, ValueError),
        ("nonsense", 1, TypeError),
    ],
)
def test_an_error_names_the_argument(argument, value, error):
    with pytest.raises(error) as caught:
        DAG("a", **{argument: value})

    known = {"owner_links": "Wrong link format", "tags": "tag", "schedule": "schedule"}
    assert known.get(argument, argument) in str(caught.value)


def test_dates_without_a_zone_are_in_the_default_zone(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "Europe/Berlin")

    made = DAG("a", start_date=datetime(2024, 7, 1))

    assert made.start_date == datetime(2024, 6, 30, 22, tzinfo=UTC)
    assert made.timezone.name == "Europe/Berlin"


def test_start_date_may_come_from_default_args_also_as_text():
    made = DAG("a", default_args={"start_date": "2024-01-02", "retries": 2})

    assert made.start_date == datetime(2024, 1, 2, tzinfo=UTC)
    assert made.default_args["start_date"] == made.start_date


def test_defaults_of_the_two_generations(profile_2):
    with pytest.warns(RemovedInAirflow4Warning, match="max_active_tasks"):
        two = DAG("a", concurrency=3, start_date=START)

    assert two.catchup is True  # mistake 3
    assert two.schedule == timedelta(days=1)
    assert two.max_active_tasks == 3
    assert EmptyOperator(task_id="t", dag=two).ignore_first_depends_on_past is True  # mistake 19


def test_defaults_of_airflow_3():
    three = DAG("a", start_date=START)

    assert three.catchup is False
    assert three.schedule is None
    assert EmptyOperator(task_id="t", dag=three).ignore_first_depends_on_past is False


@pytest.mark.parametrize(
    "old", [{"schedule_interval": "@daily"}, {"fail_stop": True}, {"default_view": "graph", "orientation": "LR"}]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_arguments_of_airflow_2_are_taken(old):
    made = DAG("a", start_date=START, **old)

    assert made.schedule == old.get("schedule_interval")
    assert made.fail_fast == old.get("fail_stop", False)


def test_a_task_begins_no_earlier_and_ends_no_later_than_its_dag():
    own = {"start_date": datetime(2024, 1, 1), "end_date": datetime(2024, 12, 1)}
    inner = {"start_date": datetime(2024, 4, 1), "end_date": datetime(2024, 5, 1)}
    with DAG("d", start_date=datetime(2024, 3, 1), end_date=datetime(2024, 9, 1), default_args=own) as made:
        EmptyOperator(task_id="wider")
        EmptyOperator(task_id="narrower", **inner)
        BashOperator.partial(task_id="mapped").expand(bash_command=["true"])

    dates = {one.task_id: (one.start_date.month, one.end_date.month) for one in made.tasks}
    assert dates == {"wider": (3, 9), "narrower": (4, 5), "mapped": (3, 9)}


def test_a_last_date_in_default_args_is_one_of_tasks_only():
    with DAG("d", schedule="@daily", default_args={"start_date": START, "end_date": datetime(2024, 2, 1)}) as made:
        EmptyOperator(task_id="usual")
        EmptyOperator(task_id="later", end_date=datetime(2024, 3, 1))

    assert made.end_date is None
    assert [one.end_date.month for one in made.tasks] == [2, 3]
    assert schedule_of(serialize_dag(made), 3).latest == datetime(2024, 3, 1, tzinfo=UTC)


def test_catchup_needs_a_start_date():
    with pytest.raises(ValueError, match="start_date is required when catchup=True"):
        DAG("a", schedule="@daily", catchup=True)


def test_continuous_needs_one_active_run():  # section 1: "@continuous" (max_active_runs must be 1)
    with pytest.raises(ValueError, match="max_active_runs <= 1"):
        DAG("a", schedule="@continuous", start_date=START)

    assert DAG("a", schedule="@continuous", start_date=START, max_active_runs=1).timetable.summary == "@continuous"


def test_a_scheduled_dag_needs_a_value_for_each_param():  # mistake 36
    with pytest.raises(ValueError, match="not allowed to define a Schedule"):
        DAG("a", schedule="@daily", start_date=START, params={"x": Param(type="string")})

    DAG("a", schedule=None, params={"x": Param(type="string")})


def test_allowed_run_types_have_to_fit_the_schedule():
    with pytest.raises(ValueError, match="must include SCHEDULED"):
        DAG("a", schedule="@daily", start_date=START, allowed_run_types="manual")

    assert DAG("a", allowed_run_types=["manual"]).allowed_run_types == {"manual"}


def test_one_id_is_one_task():
    with DAG("a"):
        EmptyOperator(task_id="t")
        with pytest.raises(DuplicateTaskIdFound, match="'t'"):
            EmptyOperator(task_id="t")


def test_get_task_and_brackets():
    with DAG("a") as made:
        t = EmptyOperator(task_id="t")

    assert made.get_task("t") is t is made["t"]
    with pytest.raises(TaskNotFound, match="nope"):
        made.get_task("nope")
    with pytest.raises(KeyError):
        made["nope"]


def test_a_circle_is_found():
    with DAG("a") as made:
        one, two = EmptyOperator(task_id="one"), EmptyOperator(task_id="two")
        one >> two >> one

    with pytest.raises(AirflowDagCycleException, match="one, two"):
        made.validate()


def test_topological_order_keeps_the_order_of_definition_where_it_can():
    with DAG("a") as made:
        tasks = {name: EmptyOperator(task_id=name) for name in "edcba"}
        tasks["a"] >> tasks["e"]

    assert [task.task_id for task in made.topological_sort()] == ["d", "c", "b", "a", "e"]


def test_tasks_of_two_dags_cannot_be_wired():
    one, two = EmptyOperator(task_id="t", dag=DAG("a")), EmptyOperator(task_id="t", dag=DAG("b"))

    with pytest.raises(RuntimeError, match="more than one DAG"):
        one >> two


def test_a_task_without_a_dag_joins_the_one_it_is_wired_to():
    made = DAG("a")
    inside, outside = EmptyOperator(task_id="inside", dag=made), EmptyOperator(task_id="outside")

    inside >> outside

    assert outside.dag is made
    assert made.task_ids == ["inside", "outside"]


def test_fail_fast_takes_only_all_success():
    with DAG("a", fail_fast=True), pytest.raises(FailFastDagInvalidTriggerRule, match="fail_fast"):
        EmptyOperator(task_id="t", trigger_rule="all_done")


def test_a_block_registers_its_dag_only_while_a_file_is_read(monkeypatch):
    monkeypatch.setattr(DagContext, "autoregistered_dags", set())
    with DAG("quiet"):
        pass
    monkeypatch.setattr(DagContext, "current_autoregister_module_name", __name__)
    with DAG("a"):
        pass
    with DAG("b", auto_register=False):
        pass

    assert [made.dag_id for made, _ in DagContext.autoregistered_dags] == ["a"]


def test_partial_subset_keeps_tasks_groups_and_edges():
    with DAG("a", start_date=START) as made:
        a, b, c, d = (EmptyOperator(task_id=name) for name in "abcd")
        a >> b >> c
        a >> d

    some = made.partial_subset("b", include_downstream=True, include_upstream=False)

    assert some.task_ids == ["b", "c"]
    assert some.task_dict["b"].upstream_task_ids == set()
    assert some.task_dict["b"].downstream_task_ids == {"c"}
    assert some.partial
    assert not made.partial
    assert made.task_dict["b"].upstream_task_ids == {"a"}
    assert made.partial_subset(["c"]).task_ids == ["a", "b", "c"]


def test_dag_task_makes_tasks_of_this_dag():
    made = DAG("a")

    @made.task
    def hello():
        pass

    hello()

    assert made.task_ids == ["hello"]


def test_the_owners_of_a_dag_are_those_of_its_tasks(as_data):
    with DAG("a") as made:
        EmptyOperator(task_id="one", owner="x")
        EmptyOperator(task_id="two", owner="y")
        EmptyOperator(task_id="three", owner="x")

    assert made.owner == "x, y"
    assert as_data(made).owners == ["x", "y"]


def test_dag_param_is_the_conf_of_the_run_or_the_default(runner):
    @task
    def show(value):
        return value

    with DAG("d", start_date=START, schedule=None) as made:
        show(made.param("name", "nobody"))

    assert runner.run_and_return(made, "show") == "nobody"
    assert runner.run_and_return(made, "show", run={"conf": b'{"name": "me"}'}) == "me"
